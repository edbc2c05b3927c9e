/** A piece of SQL with the comments in it and immediately before it. */
export type Piece = { text: string; comments: string[] };

/** Splits SQL at a separator that is outside quotes, brackets, dollar quotes and comments. */
export function piecesOf(sql: string, separator: ";" | ","): Piece[] {
  const pieces: Piece[] = [];
  let piece: Piece = { text: "", comments: [] };
  let depth = 0;
  for (const token of tokensOf(sql)) {
    if (token.startsWith("--")) {
      piece.comments.push(token.slice(2).trim());
      continue;
    }
    // A blank line separates earlier comments from the statement.
    if (/^\n\s*\n/.test(token) && piece.text.trim() === "") piece.comments = [];
    if (token === "(") depth += 1;
    if (token === ")") depth -= 1;
    if (token === separator && depth === 0) {
      pieces.push(finished(piece));
      piece = { text: "", comments: [] };
    } else piece.text += token;
  }
  return [...pieces, finished(piece)].filter(({ text }) => text !== "");
}

function finished({ text, comments }: Piece): Piece {
  return { text: text.replace(/\s+/g, " ").trim(), comments };
}

function tokensOf(sql: string): string[] {
  return sql.match(/--[^\n]*|'(?:[^']|'')*'|\$(\w*)\$[\s\S]*?\$\1\$|\s+|[\w.]+|./g) ?? [];
}

/** The content of the first brackets of a piece of SQL, including comments. */
export function bracketed(sql: string): string {
  const tokens = tokensOf(sql);
  const start = tokens.indexOf("(");
  let depth = 0;
  for (let place = start; place >= 0 && place < tokens.length; place += 1) {
    if (tokens[place] === "(") depth += 1;
    if (tokens[place] === ")") depth -= 1;
    if (depth === 0) return tokens.slice(start + 1, place).join("");
  }
  return "";
}
