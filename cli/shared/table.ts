import { stripVTControlCharacters } from "node:util";

/** A column: its title, and whether its cells may be cut to fit the terminal. */
export type Column = { title: string; right?: boolean; cut?: boolean };

const gap = 2;
const shortest = 8;

const widthOf = (text: string) => [...stripVTControlCharacters(text)].length;

/**
 * A table as text. Where the terminal is too narrow, cells of the columns that may be cut end with `…`.
 *
 * @param width Columns of the terminal; undefined: no limit, as in a file or a pipe.
 */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  width: number | undefined = process.stdout.isTTY ? process.stdout.columns : undefined,
): string {
  const all = [columns.map(({ title }) => title), ...rows];
  const natural = columns.map((_column, at) => Math.max(...all.map((row) => widthOf(row[at] ?? ""))));
  const widths = width === undefined ? natural : fitted(columns, natural, width);
  return all
    .map((row) =>
      columns
        .map((column, at) => cell(row[at] ?? "", widths[at] ?? 0, column))
        .join(" ".repeat(gap))
        .trimEnd(),
    )
    .join("\n");
}

/** Takes width from the widest column that may be cut, until the table fits. */
function fitted(columns: readonly Column[], natural: readonly number[], width: number): number[] {
  const widths = [...natural];
  const total = () => widths.reduce((sum, each) => sum + each, gap * (widths.length - 1));
  while (total() > width) {
    const widest = columns.reduce(
      (best, { cut }, at) => (cut === true && (widths[at] ?? 0) > (widths[best] ?? shortest) ? at : best),
      -1,
    );
    if (widest < 0 || (widths[widest] ?? 0) <= shortest) return widths;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return widths;
}

function cell(text: string, width: number, { right = false }: Column): string {
  const own = widthOf(text);
  if (own > width) return `${[...stripVTControlCharacters(text)].slice(0, width - 1).join("")}…`;
  const space = " ".repeat(width - own);
  return right ? space + text : text + space;
}
