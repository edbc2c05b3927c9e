import { basename } from "node:path";
import { Marked, type Token, type Tokens } from "marked";
import type { Plugin } from "vite";

/** A part of a section: text as HTML, or a block of commands or of what they print. */
export type ManualPart =
  | { kind: "text"; html: string }
  | { kind: "commands"; text: string }
  | { kind: "output"; text: string };
/** A task of a chapter. `id` is its anchor. */
export type ManualSection = { id: string; title: string; parts: ManualPart[] };
/** A chapter of the manual: a page of `docs/manual`. */
export type ManualChapter = { title: string; sections: ManualSection[] };

/**
 * Makes a module of each page of `docs/manual`, so that the browser parses no Markdown. Links between chapters lead to the
 * console's own pages; a link to another file of the repository becomes its path, since the console does not serve it.
 */
export const manualPages = (): Plugin => ({
  name: "ngpu-manual",
  transform: (text, id) =>
    id.endsWith(".md")
      ? { code: `export default ${JSON.stringify(chapterOf(text))};`, map: null }
      : undefined,
});

const marked = new Marked({ renderer: { link } });

export function chapterOf(page: string): ManualChapter {
  const chapter: ManualChapter = { title: "", sections: [{ id: "", title: "", parts: [] }] };
  for (const token of marked.lexer(page)) {
    if (token.type === "heading") {
      const { depth, text } = token as Tokens.Heading;
      if (depth === 1) chapter.title = text;
      else chapter.sections.push({ id: anchorOf(text), title: text, parts: [] });
    } else addPart(chapter, token);
  }
  return chapter;
}

function addPart({ sections }: ManualChapter, token: Token): void {
  const parts = sections.at(-1)?.parts ?? [];
  if (token.type === "space") return;
  if (token.type === "code") {
    const { lang, text } = token as Tokens.Code;
    parts.push({ kind: lang === "sh" ? "commands" : "output", text });
    return;
  }
  const html = marked.parser([token]);
  const last = parts.at(-1);
  if (last?.kind === "text") last.html += html;
  else parts.push({ kind: "text", html });
}

/** The anchor of a heading, as in links of Markdown. */
const anchorOf = (text: string) =>
  text
    .toLowerCase()
    .replaceAll(/[^\p{Letter}\p{Number} -]/gu, "")
    .replaceAll(" ", "-");

function link(
  this: { parser: { parseInline(tokens: Token[]): string } },
  { href, tokens }: Tokens.Link,
): string {
  const text = this.parser.parseInline(tokens);
  const chapter = /^(?:(\w+)\.md)?(#.*)?$/.exec(href);
  if (chapter !== null)
    return `<a href="${chapter[1] === undefined ? "" : `/manual/${chapter[1]}`}${chapter[2] ?? ""}">${text}</a>`;
  const path = href.replace(/^(\.\.\/)+/, "");
  const shown = path.startsWith("partner-docs") || path.startsWith(".env") ? path : `docs/${path}`;
  return text.includes(basename(path)) ? text : `${text} (<code>${shown}</code>)`;
}
