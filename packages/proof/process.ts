import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { FatalError, messageOf, RetryableError } from "@ngpu/runtime/errors";
import { type Reply, replySchema } from "./opencl/messages.ts";

/** The process of a prover: it answers one request after the other. */
export type ProverProcess = {
  ask: (request: object, deadline: number) => Promise<unknown>;
  stop: () => Promise<void>;
};

/** What a prover's process is reached by: its streams, its end, and the way to end it. */
export type Channel = {
  input: Writable;
  output: Readable;
  errors: Readable;
  kill: () => void;
  /** How it ended, in words; what could not start has ended. */
  ended: Promise<string>;
};

type Waiting = { resolve: (value: unknown) => void; reject: (error: Error) => void; timer: NodeJS.Timeout };

/** A running process: the request that waits for its answer, and why it ended. */
type State = { channel: Channel; waiting?: Waiting; ended?: Error; output: string };

/** @deadline A killed prover's process to end, which a call of its driver may delay. It is left alone. */
const endDeadline = 5_000;
/** Bytes of the process's error output that an error quotes. */
const quoted = 2_000;

/** Starts a command that speaks the prover's messages. */
export function spawnChannel(command: readonly string[], env: NodeJS.ProcessEnv): Channel {
  const [program = "", ...args] = command;
  const child = spawn(program, args, { env, stdio: ["pipe", "pipe", "pipe"] });
  const { promise, resolve } = Promise.withResolvers<string>();
  let failure: string | undefined;
  child.once("error", (error) => {
    failure = messageOf(error);
  });
  child.once("close", (code, signal) =>
    resolve(failure ?? (code === null || code < 0 ? (signal ?? "it could not start") : `exit code ${code}`)),
  );
  return {
    input: child.stdin,
    output: child.stdout,
    errors: child.stderr,
    kill: () => child.kill("SIGKILL"),
    ended: promise,
  };
}

/** Asks a process that speaks the prover's messages. */
export function processAt(channel: Channel): ProverProcess {
  const state: State = { channel, output: "" };
  channel.errors.setEncoding("utf8").on("data", (text: string) => {
    state.output = (state.output + text).slice(-quoted);
  });
  // Writing to an ended process fails; its end is what the caller learns.
  channel.input.on("error", () => undefined);
  createInterface({ input: channel.output }).on("line", (line) => take(line, answered(state)));
  const closed = channel.ended.then((how) => {
    state.ended ??= endedError(how, state.output);
    answered(state)?.reject(state.ended);
  });
  return {
    ask: (request, deadline) => ask(state, request, deadline),
    stop: async () => {
      channel.kill();
      const given = new AbortController();
      const late = delay(endDeadline, undefined, { signal: given.signal }).catch(() => undefined);
      await Promise.race([closed.then(() => given.abort()), late]);
    },
  };
}

function ask(state: State, request: object, deadline: number): Promise<unknown> {
  if (state.ended !== undefined) return Promise.reject(state.ended);
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const timer = setTimeout(() => {
    state.channel.kill();
    state.ended = silence(deadline);
    answered(state)?.reject(state.ended);
  }, deadline);
  state.waiting = { resolve, reject, timer };
  state.channel.input.write(`${JSON.stringify(request)}\n`);
  return promise;
}

/** The request that was waiting. It waits no longer. */
function answered(state: State): Waiting | undefined {
  const { waiting } = state;
  delete state.waiting;
  clearTimeout(waiting?.timer);
  return waiting;
}

/** A silent process is killed: its device hangs, and no call of it returns. */
function silence(deadline: number): Error {
  return new RetryableError(`The prover's process did not answer within ${deadline} ms, and was ended.`, {
    code: "prover_silent",
    hint: "Check that the device is idle and its driver works; a larger memory needs a later deadline.",
    details: { deadline },
  });
}

function endedError(how: string, errors: string): Error {
  return new RetryableError(`The prover's process ended (${how}).`, {
    code: "prover_ended",
    hint: "Read its last output in the details. SIGKILL means that the machine ran out of memory.",
    details: { output: errors.trim() },
  });
}

function take(line: string, waiting: Waiting | undefined): void {
  const reply = parsed(line);
  if (reply === undefined) waiting?.reject(notAnAnswer(line));
  else if ("error" in reply) waiting?.reject(errorOf(reply.error));
  else waiting?.resolve(reply.value);
}

function notAnAnswer(line: string): Error {
  return new FatalError("The prover's process answered with something that is no answer.", {
    code: "prover_answer_invalid",
    hint: "Run the same version of ngpu in the prover's container.",
    details: { line: line.slice(0, 200) },
  });
}

function errorOf({ retryable, message, code, hint, details }: Extract<Reply, { error: unknown }>["error"]) {
  return retryable
    ? new RetryableError(message, { code, hint, details })
    : new FatalError(message, { code, hint, details });
}

function parsed(line: string): Reply | undefined {
  try {
    const { data } = replySchema.safeParse(JSON.parse(line));
    return data;
  } catch {
    return undefined;
  }
}
