import { type ErrorCode, errorCodes } from "../code/errorCodes.ts";
import { code, codes, compare, item, pageHead, plain, sections } from "../markdown.ts";
import type { PageOf } from "./page.ts";

const HEAD = `Every code that an error carries, by the component that raises it. A kind says what to do: \`retryable\`
passes by itself, \`fatal\` stays until somebody acts, \`input\` is refused at an edge. A \`reply\` is written into an answer
without being raised. Over HTTP an \`input\` error is answered with the status shown, 400 where none is; a
\`retryable\` one with 503, a \`fatal\` one with 500. \`{name}\` stands for a value.`;

export const errorCodesPage: PageOf = ({ project }) => {
  const { codes: found, passedOn, problems } = errorCodes(project);
  const text =
    pageHead("Error codes", HEAD) +
    sections(found, ({ component }) => component, listOf) +
    passedOnSection(passedOn.map(({ file }) => file));
  return { text, problems };
};

function listOf(found: ErrorCode[]): string {
  const groups = Map.groupBy(
    found,
    (each) => `${each.code} (${each.kind}${each.status === undefined ? "" : `, ${each.status}`})`,
  );
  return [...groups]
    .sort(([a], [b]) => compare(a, b))
    .map(([, group]) => entryOf(group))
    .join("\n");
}

function entryOf(group: ErrorCode[]): string {
  const [{ code: name, kind, status, component } = { code: "", kind: "", status: undefined, component: "" }] =
    group;
  const head = `${code(name)} (${kind}${status === undefined ? "" : `, ${status}`})`;
  const meanings = new Map<string, Set<string>>();
  for (const each of group) {
    const files = meanings.get(meaningOf(each)) ?? new Set();
    meanings.set(meaningOf(each), files.add(each.file.replace(`${component}/`, "")));
  }
  const parts = [...meanings]
    .map(([meaning, files]) => `${meaning} ${codes([...files].sort(compare))}`.trim())
    .sort(compare);
  const [only] = parts;
  if (parts.length === 1 && only !== undefined) return item(`${head}: ${only}`);
  return [item(`${head}:`), ...parts.map((part) => item(part, 1))].join("\n");
}

function meaningOf({ messages, hints }: ErrorCode): string {
  const known = hints.filter((hint) => hint !== "{hint}");
  const hint = known.length === 0 ? "" : ` Hint: ${known.map(plain).join(" Or: ")}`;
  return `${messages.map(plain).join(" Or: ")}${hint}`;
}

function passedOnSection(files: readonly string[]): string {
  const lines = [...new Set(files)].sort(compare).map((file) => item(code(file)));
  return `\n## Passed on\n\nThese files hand on the code of another error, or of another program's answer:\n\n${lines.join("\n")}\n`;
}
