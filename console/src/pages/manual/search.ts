import type { ManualChapter } from "../../../build/manual.ts";

export const chapters = ["partners", "operators", "wallets", "owners"] as const;
export type Chapter = (typeof chapters)[number];

export type Found = { chapter: Chapter; id: string; title: string; excerpt: string };

/** The tasks whose title, text or commands have all words, those with a word in the title first. */
export function search(manual: readonly (readonly [Chapter, ManualChapter])[], query: string): Found[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return [];
  const found = manual.flatMap(([chapter, { sections }]) =>
    sections.flatMap(({ id, title, parts }) => {
      const text = parts.map((part) => (part.kind === "text" ? plain(part.html) : part.text)).join(" ");
      const all = `${title} ${text}`.toLowerCase();
      if (id === "" || !words.every((word) => all.includes(word))) return [];
      return [
        { chapter, id, title, excerpt: excerptOf(text, words), rank: rankOf(title.toLowerCase(), words) },
      ];
    }),
  );
  return found.sort((a, b) => a.rank - b.rank).map(({ rank: _, ...one }) => one);
}

/** 0: the title is what was asked for; 1: it has one of the words; 2: another part has them. */
function rankOf(title: string, words: readonly string[]): number {
  if (title === words.join(" ")) return 0;
  return words.some((word) => title.includes(word)) ? 1 : 2;
}

const entities: Record<string, string> = { lt: "<", gt: ">", amp: "&", quot: '"', "#39": "'" };
const plain = (html: string) =>
  html.replaceAll(/<[^>]*>/g, "").replaceAll(/&(\w+|#39);/g, (all, name: string) => entities[name] ?? all);

function excerptOf(text: string, words: readonly string[]): string {
  const at = Math.max(
    0,
    ...words
      .map((word) => text.toLowerCase().indexOf(word))
      .filter((index) => index >= 0)
      .slice(0, 1),
  );
  const from = Math.max(0, at - 60);
  return `${from > 0 ? "…" : ""}${text.slice(from, from + 160).trim()}${text.length > from + 160 ? "…" : ""}`;
}
