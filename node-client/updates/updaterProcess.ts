import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { FatalError, messageOf } from "@ngpu/runtime/errors";
import { toJson } from "@ngpu/runtime/json";
import { z } from "zod";
import { type UpdateOutcome, type UpdateTask, updateOutcome } from "./updateTask.ts";

/** @deadline A whole update, with the download over a slow link. It goes on from there the next time. */
const deadline = 1_800_000;

const failureSchema = z.object({
  error: z.object({ code: z.string(), message: z.string(), hint: z.string() }),
});

/**
 * Runs the updater in a process of its own, with low priority.
 *
 * @param program Path of the updater; default: the one of this client.
 * @throws FatalError with the updater's own code, or `update_failed`.
 */
export async function runUpdater(
  task: UpdateTask,
  signal: AbortSignal,
  program = updaterProgram(),
): Promise<UpdateOutcome> {
  const child = spawn(process.execPath, [program], {
    stdio: ["pipe", "pipe", "ignore"],
    env: { NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE, PATH: process.env.PATH },
    timeout: deadline,
    killSignal: "SIGKILL",
    signal,
  });
  const exit = once(child, "exit");
  child.stdin.on("error", () => undefined);
  child.stdin.end(toJson(task));
  const output = await text(child.stdout);
  const [code, killed] = await exit.catch((error: unknown) => [messageOf(error)]);
  return parseOutcome(output, String(killed ?? code));
}

function parseOutcome(output: string, end: string): UpdateOutcome {
  let answer: unknown;
  try {
    answer = JSON.parse(output);
  } catch {
    throw failed(`it ended with ${end}`);
  }
  const failureAnswer = failureSchema.safeParse(answer);
  if (failureAnswer.success) {
    const { code, message, hint } = failureAnswer.data.error;
    throw new FatalError(message, { code, hint });
  }
  const parsed = updateOutcome.safeParse(answer);
  if (!parsed.success) throw failed("its answer is not valid");
  return parsed.data;
}

function failed(why: string): FatalError {
  return new FatalError(`The updater failed: ${why}.`, {
    code: "update_failed",
    hint: "The client goes on as it is, and tries again. Check disk space and memory.",
  });
}

/** In the bundled client, the program is a file beside it. */
function updaterProgram(): string {
  const isBundled = import.meta.filename.endsWith(".mjs");
  return join(import.meta.dirname, isBundled ? "updater.mjs" : "updaterProgram.ts");
}
