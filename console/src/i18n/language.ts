import { readStored } from "../app/stored.ts";

export const languages = { en: "English", zh: "中文" } as const;
export type Language = keyof typeof languages;

export const isLanguage = (text: unknown): text is Language => text === "en" || text === "zh";

/** The chosen language, else the browser's, else English. */
export function readLanguage(): Language {
  const chosen = readStored("language");
  if (isLanguage(chosen)) return chosen;
  return navigator.languages.some((one) => one.toLowerCase().startsWith("zh")) ? "zh" : "en";
}
