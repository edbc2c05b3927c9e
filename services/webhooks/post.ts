import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { isIP } from "node:net";
import { NgpuError } from "@ngpu/runtime/errors";
import { isPublicAddress, publicDnsLookup } from "@ngpu/runtime/publicAddress";
import { version } from "@ngpu/runtime/version";
import { type AttemptError, attemptErrors, type Outcome } from "./decide.ts";

/** @deadline A receiver of webhooks, until the status of its response. The attempt fails and is made again later. */
const answerDeadline = 15_000;
/** Bytes of a response that are read, and then ignored, so that its connection can be used again. */
const readBytes = 65_536;

export type Poster = {
  post(to: { url: string; headers: Record<string, string>; body: string }): Promise<Outcome>;
  close(): void;
};

/** Sends requests to receivers. Redirects are not followed, and the connection uses the address that was checked. */
export function createPoster(options: { privateAddresses: boolean; deadline?: number }): Poster {
  const { privateAddresses, deadline = answerDeadline } = options;
  const settings = {
    keepAlive: true,
    maxFreeSockets: 64,
    ...(privateAddresses ? {} : { lookup: publicDnsLookup }),
  };
  const agents = { "http:": new HttpAgent(settings), "https:": new HttpsAgent(settings) };
  return {
    post: async (to) => {
      const started = performance.now();
      const ended = await outcomeOf(async () => {
        if (!privateAddresses) requirePublicAddress(to.url);
        return statusOf(agents, to, AbortSignal.timeout(deadline));
      });
      return { ...ended, durationMs: Math.round(performance.now() - started) };
    },
    close: () => {
      for (const agent of Object.values(agents)) agent.destroy();
    },
  };
}

/** Node resolves only names, so the lookup does not see a host that is an address. */
function requirePublicAddress(url: string): void {
  const host = new URL(url).hostname.replace(/^\[|\]$/g, "");
  if (isIP(host) !== 0 && !isPublicAddress(host)) throw new NotPublic();
}

class NotPublic extends Error {}

async function outcomeOf(send: () => Promise<number>): Promise<Omit<Outcome, "durationMs">> {
  try {
    const httpStatus = await send();
    return { httpStatus, error: errorOfStatus(httpStatus) };
  } catch (error) {
    return { httpStatus: undefined, error: errorOf(error) };
  }
}

function errorOfStatus(status: number): AttemptError | undefined {
  if (status >= 200 && status < 300) return undefined;
  return status >= 300 && status < 400 ? "redirected" : "status_not_2xx";
}

function errorOf(error: unknown): AttemptError {
  if (error instanceof NotPublic) return "host_not_public";
  if (error instanceof NgpuError && error.code in attemptErrors) return error.code as AttemptError;
  const { name, code } = error as { name?: string; code?: string };
  if (name === "TimeoutError" || name === "AbortError") return "timeout";
  return code === "ENOTFOUND" ? "host_unresolved" : "connection_failed";
}

function statusOf(
  agents: { "http:": HttpAgent; "https:": HttpsAgent },
  { url, headers, body }: { url: string; headers: Record<string, string>; body: string },
  signal: AbortSignal,
): Promise<number> {
  const { protocol } = new URL(url);
  const bytes = Buffer.from(body);
  const all = {
    ...headers,
    "content-type": "application/json",
    "content-length": String(bytes.length),
    "user-agent": `ngpu-webhooks/${version}`,
  };
  const options = { method: "POST", headers: all, signal };
  const answered = Promise.withResolvers<number>();
  const onAnswer = (response: IncomingMessage) => {
    ignoreBody(response);
    answered.resolve(response.statusCode ?? 0);
  };
  const outgoing =
    protocol === "https:"
      ? httpsRequest(url, { ...options, agent: agents["https:"] }, onAnswer)
      : httpRequest(url, { ...options, agent: agents["http:"] }, onAnswer);
  outgoing.on("error", answered.reject);
  outgoing.end(bytes);
  return answered.promise;
}

function ignoreBody(response: IncomingMessage): void {
  let read = 0;
  response.on("data", (chunk: Buffer) => {
    read += chunk.length;
    if (read > readBytes) response.destroy();
  });
  // The attempt has its status; a body that breaks off changes nothing.
  response.on("error", () => undefined);
}
