import { InputError } from "@ngpu/runtime/errors";

/** The variables of options like `NAME=value`. @throws InputError `option_invalid`. */
export function environmentOf(texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(texts.map(variableOf));
}

function variableOf(text: string): [string, string] {
  const at = text.indexOf("=");
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
  throw new InputError(`${text} is not NAME=value.`, {
    code: "option_invalid",
    hint: "Write the variable as NAME=value.",
  });
}
