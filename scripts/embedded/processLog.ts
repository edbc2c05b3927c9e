import { mkdirSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { FatalError } from "@ngpu/runtime/errors";

export type Exit = { code: number | null; signal: NodeJS.Signals | null };

const LOG_TAIL_LINES = 15;

// Logs of processes that this program started before: a later start appends to the earlier log.
const begunBefore = new Set<string>();

/** Opens the log of a process. A restart by this program appends to the same file. */
export function openLog({ stateDir, name }: { stateDir: string; name: string }): {
  path: string;
  fd: number;
} {
  const dir = join(stateDir, "logs");
  mkdirSync(dir, { recursive: true });
  const path = join(dir, `${name}.log`);
  const fd = openSync(path, begunBefore.has(path) ? "a" : "w", 0o600);
  begunBefore.add(path);
  return { path, fd };
}

/** The error for a process that did not start, with the end of its log. */
export function processFailure(what: string, logFile: string, cause?: unknown): FatalError {
  const tail = logTail(logFile);
  const log = tail === "" ? `Its log ${logFile} is empty.` : `The end of ${logFile}:\n${tail}`;
  return new FatalError(`${what}. ${log}`, {
    code: "process_failed",
    hint: `Resolve the error in ${logFile}, then start again.`,
    cause,
  });
}

/** The last lines of a log, indented, for an error message. */
export function logTail(path: string): string {
  const lines = readFileSync(path, "utf8").trimEnd().split("\n").slice(-LOG_TAIL_LINES);
  return lines.join("\n").trim() === "" ? "" : lines.map((line) => `  ${line}`).join("\n");
}

/** Describes how a process ended. */
export function describeExit({ code, signal }: Exit): string {
  return signal === null ? `exit code ${code}` : `killed by ${signal}`;
}
