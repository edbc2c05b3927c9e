import { answerBytes, startOf } from "@ngpu/protocol/reasons/boundedText";
import { messageOf } from "@ngpu/runtime/errors";
import type { HealthFailure } from "./reconcileFacts.ts";

/** @deadline A container to answer a request for its health. The check counts as failed, and is repeated. */
const deadlineMs = 5_000;

/** Requests a health path. @returns undefined when it answers with 2xx, otherwise the start of the answer or why there is none. */
export async function checkHealth(port: number, path: string): Promise<HealthFailure | undefined> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      // A container must not send the client to services of its machine or network.
      redirect: "manual",
      signal: AbortSignal.timeout(deadlineMs),
    });
    if (response.ok) {
      await response.body?.cancel();
      return undefined;
    }
    return { status: response.status, answer: await startOfBody(response) };
  } catch (error) {
    // Not listening yet, or no longer.
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
    const code = (cause as { code?: unknown }).code;
    return { message: startOf(typeof code === "string" ? code : messageOf(cause), 200) };
  }
}

/** The start of an answer's body. Whatever more the container sends is not read. */
async function startOfBody(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const part of response.body ?? []) {
      parts.push(part);
      bytes += part.byteLength;
      if (bytes >= answerBytes) break;
    }
  } catch {
    // The body was cut: what arrived counts.
  }
  return startOf(Buffer.concat(parts).toString("utf8"), answerBytes);
}
