import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { rootDir } from "../../support/parts.ts";

/** A fenced block of a page. */
export type Block = { language: string; text: string };

export const pageText = (file: string) => readFileSync(join(rootDir, "partner-docs", file), "utf8");

/** All fenced blocks of a page, in order. */
export const blocksOf = (file: string): Block[] => blocksIn(pageText(file));

/** All fenced blocks of a text, in order. */
export const blocksIn = (page: string): Block[] =>
  [...page.matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(([, language = "", text = ""]) => ({ language, text }));

export type Outcome = { code: number; output: string; errors: string };
export type Shell = AsyncDisposable & { run: (script: string) => Promise<Outcome> };

/** One shell in the root of the checkout, as a reader has it. Each script is run as pasted, and its exit code is read. */
export function openShell(folder: string): Shell {
  const child = spawn("bash", ["--noprofile", "--norc"], {
    cwd: rootDir,
    stdio: ["pipe", "pipe", "inherit"],
  });
  const codes = createInterface({ input: child.stdout });
  let count = 0;
  return {
    run: async (script) => {
      count += 1;
      const file = join(folder, `block-${count}`);
      writeFileSync(file, script);
      const ended = once(codes, "line") as Promise<[string]>;
      child.stdin.write(`source ${file} > ${file}.out 2> ${file}.err < /dev/null; echo $?\n`);
      const [code] = await ended;
      return {
        code: Number(code),
        output: readFileSync(`${file}.out`, "utf8"),
        errors: readFileSync(`${file}.err`, "utf8"),
      };
    },
    [Symbol.asyncDispose]: async () => {
      const closed = once(child, "close");
      child.stdin.end();
      await closed;
    },
  };
}

/** Names of numbers that differ from market to market. */
const generatedNumbers = new Set([
  "nodeId",
  "ms",
  "created",
  "prompt_tokens",
  "completion_tokens",
  "total_tokens",
]);
const tiers = ["unsafe", "safe", "finalized"];

/** Forms of generated texts: two texts of one form are alike. */
const forms: [RegExp, (text: string) => string][] = [
  [/^0x[0-9a-f]*$/, (text) => `hex of ${text.length}`],
  [/^[0-9a-f]{16}$/, () => "key id"],
  [/^[0-9a-f]{8}-[0-9a-f-]{27}$/, () => "uuid"],
  [/^\d{4}-\d\d-\d\dT[\d:.]+Z$/, () => "time"],
  [/^\S+@sha256:[0-9a-f]{64}$/, () => "image"],
  [/^ws-\d+$/, () => "model"],
  [/^\d+$/, () => "digits"],
];
const formOf = (text: string) => {
  const [, form] = forms.find(([pattern]) => pattern.test(text)) ?? [];
  return form?.(text) ?? text;
};

/** How an answer differs from what a page shows; empty: same fields, types and fixed values, and generated values of one form. */
export function differences(shown: unknown, given: unknown, path = ""): string[] {
  const at = path === "" ? "the answer" : path;
  if (Array.isArray(shown)) {
    if (!Array.isArray(given)) return [`${at} is no list`];
    if (shown.length === 0) return given.length === 0 ? [] : [`${at} is not empty`];
    if (given.length === 0) return [`${at} is empty`];
    return given.flatMap((one, index) => differences(shown[0], one, `${path}/${index}`));
  }
  if (isFields(shown)) {
    if (!isFields(given)) return [`${at} is no object`];
    const names = new Set([...Object.keys(shown), ...Object.keys(given)]);
    return [...names].flatMap((name) => differences(shown[name], given[name], `${path}/${name}`));
  }
  const name = path.split("/").at(-1) ?? "";
  if (typeof shown === "number" && typeof given === "number" && generatedNumbers.has(name)) return [];
  if (name === "tier" && tiers.includes(String(shown)) && tiers.includes(String(given))) return [];
  // A key that was not used yet has no time of use.
  if (name === "lastUsedAt" && (given === null || typeof given === "string")) return [];
  if (typeof shown === "string" && typeof given === "string" && isLike(shown, given)) return [];
  return shown === given
    ? []
    : [`${at} is ${JSON.stringify(given)}, the page shows ${JSON.stringify(shown)}`];
}

const isFields = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function isLike(shown: string, given: string): boolean {
  if (!shown.includes("…")) return formOf(shown) === formOf(given);
  const parts = shown.split("…").map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join("[^]*")}$`).test(given);
}

const someUuid = "3f2b1c4d-5e6f-4a7b-8c9d-0e1f2a3b4c5d";

/** The call that a command makes: the last curl of the block. */
export function callOf({ text }: Block): { method: string; path: string } | undefined {
  const command = text.split(/\bcurl /).at(-1);
  const path = /\$NGPU_API(\/[^\s"')]*)/.exec(command ?? "")?.[1];
  if (command === undefined || path === undefined) return undefined;
  const method = /-X (\w+)/.exec(command)?.[1] ?? (/ -d /.test(command) ? "POST" : "GET");
  return {
    method,
    path: path.replaceAll("$WORKSPACE", "1").replaceAll(/\$(TASK|WEBHOOK)/g, someUuid),
  };
}
