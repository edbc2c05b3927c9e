import { stripVTControlCharacters, styleText } from "node:util";

type Style = Parameters<typeof styleText>[0];

/** Prints a line. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Prints each entry as one line of JSON. */
export function printEach(entries: Iterable<unknown>): void {
  for (const entry of entries) print(json(entry));
}

/** Prints a note about progress, which is not part of the result. */
export function note(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** JSON text in which bigints are decimal strings. */
export function json(value: unknown): string {
  return JSON.stringify(value, (_name, item) => (typeof item === "bigint" ? item.toString() : item));
}

/** Text in a style, where stdout is a terminal and NO_COLOR is not set. */
export function styled(style: Style, text: string): string {
  return styleText(style, text, { stream: process.stdout });
}

/** Text of a container or a registry, without the codes that a terminal would obey. */
export function safe(text: string): string {
  const plain = stripVTControlCharacters(text);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: They are what is removed.
  return plain.replaceAll(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, "");
}

/** Text of a container: unchanged into a file or a pipe, safe on a terminal. */
export function shown(text: string): string {
  return process.stdout.isTTY ? safe(text) : text;
}

const statusStyles: Record<string, Style> = {
  running: "green",
  online: "green",
  succeeded: "green",
  completed: "green",
  failed: "red",
  aborted: "red",
  expired: "red",
  cancelled: "red",
  pending: "yellow",
  distributing: "yellow",
  starting: "yellow",
  queued: "yellow",
};

/** A status in its colour. */
export function status(text: string): string {
  const style = statusStyles[text];
  return style === undefined ? text : styled(style, text);
}
