import { type Agent, type ClientRequest, type IncomingMessage, request } from "node:http";
import { isIP } from "node:net";
import { FatalError, InputError, messageOf, RetryableError } from "@ngpu/runtime/errors";
import { isPublicAddress, publicLookup } from "@ngpu/runtime/publicAddress";
import { readWithin } from "@ngpu/runtime/readWithin";

/** A probe and the connections to it. */
export type Probe = {
  agent: Agent;
  url: string;
  token: string;
  signal: AbortSignal;
  privateAddresses: boolean;
};

const maxAnswerBytes = 64 * 1024;

/** A name is checked when it is resolved, at each connection. */
export function requirePublic({ url, privateAddresses }: Probe): void {
  const host = new URL(url).hostname.replace(/^\[|\]$/g, "");
  if (privateAddresses || isIP(host) === 0 || isPublicAddress(host)) return;
  throw new FatalError(`The node's address ${host} is not public.`, {
    code: "probe_not_public",
    hint: "Set MEASURER_PRIVATE_ADDRESSES=1 only for a market on one machine or one network.",
  });
}

/** Sends a request. @returns The response, once its headers have arrived. */
export async function open(
  { agent, url, token, signal, privateAddresses }: Probe,
  method: string,
  path: string,
  send?: (outgoing: ClientRequest) => Promise<void>,
): Promise<IncomingMessage> {
  const outgoing = request(new URL(path, url), {
    method,
    agent,
    signal,
    ...(privateAddresses ? {} : { lookup: publicLookup }),
    headers: { authorization: `Bearer ${token}` },
  });
  const begun = Promise.withResolvers<IncomingMessage>();
  outgoing.once("response", begun.resolve);
  outgoing.on("error", begun.reject);
  try {
    const sending = send?.(outgoing) ?? Promise.resolve();
    await Promise.race([sending, begun.promise]);
    outgoing.end();
    return await begun.promise;
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new RetryableError(`The probe does not respond at ${url}: ${messageOf(error)}`, {
      code: "probe_unreachable",
      hint: "Open the node's measured port in its firewall and router.",
      cause: error,
    });
  }
}

export async function answerOf(response: IncomingMessage): Promise<string> {
  const tooLong = (what: string) => failed(`answered with ${what}`);
  const body = (await readWithin(response, maxAnswerBytes, tooLong)).toString("utf8");
  if (response.statusCode === 200) return body;
  throw new RetryableError(`The probe responded with status ${response.statusCode}: ${body.slice(0, 200)}`, {
    code: "probe_failed",
    hint: "See the log of the node's probe container.",
  });
}

export function failed(what: string, cause?: unknown): RetryableError {
  return new RetryableError(`The probe ${what}.`, {
    code: "probe_failed",
    hint: "See the log of the node's probe container.",
    cause,
  });
}
