import { readFileSync } from "node:fs";
import { InputError, messageOf } from "@ngpu/runtime/errors";

/** The name of a file for messages. */
export const fileName = (file: string) => (file === "-" ? "The input on stdin" : file);

/** Reads a text file; `-` is stdin. @throws InputError `file_unreadable`. */
export const readText = (file: string): string => readBytes(file).toString("utf8");

/** Reads a file; `-` is stdin. @throws InputError `file_unreadable`. */
export function readBytes(file: string): Buffer {
  try {
    return readFileSync(file === "-" ? 0 : file);
  } catch (cause) {
    throw new InputError(`${fileName(file)} cannot be read: ${messageOf(cause)}.`, {
      code: "file_unreadable",
      hint: "Name a file that this user can read, or - for the standard input.",
      cause,
    });
  }
}

/** Parses JSON of a file or an argument. @throws InputError `file_invalid`. */
export function parseJson(text: string, name: string, hint: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new InputError(`${name} is not JSON.`, { code: "file_invalid", hint, cause });
  }
}
