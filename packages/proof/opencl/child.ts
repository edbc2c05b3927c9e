import { createInterface } from "node:readline";
import { messageOf, NgpuError } from "@ngpu/runtime/errors";
import { type Reply, requestSchema } from "./messages.ts";
import { answer, type Session } from "./session.ts";

/*
 * The prover's process. Drivers may crash or hang a process, so nothing else runs in it. It reads requests from stdin,
 * one line each, and writes one line for each to stdout. It ends with its input.
 */

const session: Session = { parts: {} };

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(reply(line), (_, value) => textOf(value))}\n`);
}

function reply(line: string): Reply {
  try {
    return { value: answer(session, requestSchema.parse(JSON.parse(line))) };
  } catch (error) {
    return { error: described(error) };
  }
}

function described(error: unknown) {
  if (error instanceof NgpuError) {
    const { retryable, code, message, hint, details } = error;
    return { retryable, code, message, hint, details };
  }
  const hint = "Report this: the prover has no other words for it.";
  return { retryable: false, code: "proof_failed", message: messageOf(error), hint, details: {} };
}

function textOf(value: unknown): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}
