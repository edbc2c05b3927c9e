import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Pages by file name. */
type Pages = ReadonlyMap<string, string>;

/** Differences between a directory and its expected pages, one line for each file. */
export function staleIn(folder: string, pages: Pages): string[] {
  const present = filesIn(folder);
  const changed = [...pages]
    .filter(([name, text]) => !present.includes(name) || readFileSync(join(folder, name), "utf8") !== text)
    .map(([name]) => `${name} is not current`);
  const extra = present
    .filter((name) => !pages.has(name))
    .map((name) => `${name} is no page of the reference`);
  return [...changed, ...extra];
}

/** Replaces the content of a directory by these pages. */
export function writePages(folder: string, pages: Pages): void {
  mkdirSync(folder, { recursive: true });
  for (const name of filesIn(folder)) if (!pages.has(name)) rmSync(join(folder, name));
  for (const [name, text] of pages) writeFileSync(join(folder, name), text);
}

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
