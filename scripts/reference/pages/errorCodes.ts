import { type ErrorCode, errorCodes } from "../code/errorCodes.ts";
import { meaningProblems } from "../code/meanings.ts";
import { errorMeanings } from "../errorMeanings.ts";
import { code, codes, compare, item, pageHead, plain, sections } from "../markdown.ts";
import type { PageOf } from "./page.ts";

const HEAD = `Every error code with its meaning, and then each error by the component that throws it. Kinds: a \`retryable\` error passes by itself, a \`fatal\` one
needs intervention, \`input\` means that a request is invalid. A \`reply\` is written into a response without being thrown.
HTTP status: an \`input\` error has the status shown, or 400; a \`retryable\` one 503; a \`fatal\` one 500. \`{name}\` stands for
a value.`;

export const errorCodesPage: PageOf = ({ project }) => {
  const { codes: found, passedOn, problems } = errorCodes(project);
  const text =
    pageHead("Error codes", HEAD) +
    meaningsSection() +
    sections(found, ({ component }) => component, listOf) +
    passedOnSection(passedOn.map(({ file }) => file));
  return { text, problems: [...problems, ...meaningProblems(found, errorMeanings)] };
};

function meaningsSection(): string {
  const lines = Object.entries(errorMeanings).map(([name, meaning]) => item(`${code(name)}: ${meaning}`));
  return `\n## Meanings\n\nEach code has one meaning, in every component:\n\n${lines.join("\n")}\n`;
}

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
  return `\n## Passed on\n\nThese files pass on the code of another error, or of another program's response:\n\n${lines.join("\n")}\n`;
}
