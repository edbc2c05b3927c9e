import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import type { Source } from "./ast.ts";

/** Text that replaces [start, end); the two are equal for an insertion. */
export type Edit = { start: number; end: number; text: string };

/** Applies edits that do not overlap; edits at the same position keep their order. */
export function edited(text: string, edits: readonly Edit[], from = 0, to = text.length): string {
  let result = "";
  let at = from;
  const ordered = [...edits].sort((a, b) => a.start - b.start || a.end - b.end);
  for (const { start, end, text: put } of ordered) {
    if (start < at) throw new Error(`Two edits overlap at byte ${start}.`);
    result += text.slice(at, start) + put;
    at = end;
  }
  return result + text.slice(at, to);
}

/** A file that every edited contract imports `names` from. */
export type Helper = { file: string; text: string; names: readonly string[] };

/** The contracts with edits, by their paths. */
export function rewritten(
  sources: readonly { source: Source; edits: readonly Edit[] }[],
  helper: Helper,
): Map<string, string> {
  const texts = sources.map(({ source, edits }): [string, string] => {
    const path = relative(dirname(source.file), join("contracts", helper.file));
    const pragma = source.text.indexOf(";", source.text.indexOf("pragma")) + 1;
    // On the pragma's line, so that all other lines keep their numbers.
    const line = ` import {${helper.names.join(", ")}} from "${path.startsWith(".") ? path : `./${path}`}";`;
    const put = edits.length === 0 ? [] : [{ start: pragma, end: pragma, text: line }];
    return [source.file, edited(source.text, [...put, ...edits])];
  });
  return new Map([...texts, [join("contracts", helper.file), helper.text]]);
}

/** Writes sources (one character per byte) to a directory that contains nothing else. */
export function writeSources(folder: string, texts: ReadonlyMap<string, string>): void {
  rmSync(join(folder, "contracts"), { recursive: true, force: true });
  for (const [file, text] of texts) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), text, "latin1");
  }
}
