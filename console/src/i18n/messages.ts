import { en } from "./en.ts";
import type { Language } from "./language.ts";
import type { Messages, Values } from "./types.ts";

/** The texts of a language. English is part of the first load, since most of it is shared. */
export async function loadMessages(language: Language): Promise<Messages> {
  return language === "zh" ? (await import("./zh.ts")).zh : en;
}

/** A text with its `{values}` filled in. */
export function fill(text: string, values: Values = {}): string {
  return text.replaceAll(/\{(\w+)\}/g, (all, name: string) => String(values[name] ?? all));
}
