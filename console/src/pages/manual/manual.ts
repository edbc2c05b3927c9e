import type { ManualChapter } from "../../../build/manual.ts";
import type { Language } from "../../i18n/language.ts";
import { type Chapter, chapters } from "./search.ts";

export const isChapter = (text: string): text is Chapter => (chapters as readonly string[]).includes(text);

const pages = import.meta.glob<ManualChapter>("../../../../docs/manual/*/*.md", { import: "default" });

/** A chapter in a language; each is a file of its own. */
export async function readChapter(language: Language, chapter: Chapter): Promise<ManualChapter> {
  const read = pages[`../../../../docs/manual/${language}/${chapter}.md`];
  if (read === undefined) throw new Error(`The manual has no chapter ${chapter} in ${language}.`);
  return read();
}
