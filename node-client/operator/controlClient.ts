import { request as httpRequest } from "node:http";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { FatalError, InputError, messageOf, RetryableError } from "@ngpu/runtime/errors";
import { z } from "zod";

/** @deadline The running client to answer a command of its operator. The command fails. */
const deadlineMs = 10_000;

/** The socket on which the client of a directory takes commands. */
export function socketPath(dir: string): string {
  return join(dir, "control.sock");
}

const problem = z.object({
  error: z.object({ code: z.string(), message: z.string(), hint: z.string().default("") }),
});

/**
 * Sends a command to the client that runs in a directory.
 *
 * @param body Sent as JSON where given.
 * @returns The parsed answer.
 * @throws RetryableError `client_not_running`; FatalError `control_denied`, or the client's own error with its code.
 */
export async function requestClient(
  dir: string,
  method: "GET" | "POST" | "PATCH",
  path: string,
  body?: unknown,
): Promise<unknown> {
  const { status, answer } = await send(dir, method, path, body).catch((error: unknown) => {
    throw explained(error, dir);
  });
  if (status < 400) return answer;
  const parsed = problem.safeParse(answer);
  if (!parsed.success) throw answeredBadly(status);
  const { code, message, hint } = parsed.data.error;
  throw status < 500
    ? new InputError(message, { code, hint, status })
    : new FatalError(message, { code, hint });
}

function answeredBadly(status: number): FatalError {
  return new FatalError(`The client answered with status ${status} and no description.`, {
    code: "control_answer_invalid",
    hint: "Use the ngpu-node that was installed with the running client.",
  });
}

async function send(dir: string, method: string, path: string, body: unknown) {
  const signal = AbortSignal.timeout(deadlineMs);
  const { promise, resolve, reject } = Promise.withResolvers<import("node:http").IncomingMessage>();
  const request = httpRequest({ socketPath: socketPath(dir), method, path, signal }, resolve);
  request.on("error", reject);
  if (body !== undefined) request.setHeader("content-type", "application/json");
  request.end(body === undefined ? undefined : JSON.stringify(body));
  const response = await promise;
  return { status: response.statusCode ?? 0, answer: await json(response) };
}

function explained(error: unknown, dir: string): Error {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === "EACCES" || code === "EPERM") {
    return new FatalError(`This user may not control the client in ${dir}.`, {
      code: "control_denied",
      hint: "Run the command with sudo.",
      cause: error,
    });
  }
  const isAbsent = code === "ENOENT" || code === "ECONNREFUSED";
  return new RetryableError(
    isAbsent ? `No client runs in ${dir}.` : `The client in ${dir} does not answer: ${messageOf(error)}.`,
    {
      code: "client_not_running",
      hint: "Start it: systemctl start ngpu-node. ngpu-node doctor shows why it does not run.",
      cause: error,
    },
  );
}
