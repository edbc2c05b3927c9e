import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { sessionDomainOf, sessionTypes } from "@ngpu/contracts-sdk/typedData";
import { type ClientMessage, type ServerMessage, serverMessage } from "@ngpu/protocol/wire";
import { FatalError, messageOf } from "@ngpu/runtime/errors";
import type { Logger } from "@ngpu/runtime/logger";
import type { Hex, LocalAccount } from "viem";

/** The machine that opens sessions. */
export type Greeter = {
  role: "node" | "measurer";
  account: LocalAccount;
  deployment: Deployment;
  version: string;
  /** Host name or address of this machine's ports; default: the address that match sees. */
  host: string | undefined;
};

/** Answers the challenge of a match instance with the signed greeting. @throws FatalError `audience_mismatch`. */
export async function answerChallenge(
  { account, deployment, role, version, host }: Greeter,
  url: string,
  challenge: Extract<ServerMessage, { type: "challenge" }>,
): Promise<ClientMessage> {
  // With a signature for another audience, this instance could open a session elsewhere in the node's name.
  if (new URL(challenge.audience).href !== new URL(url).href) {
    throw new FatalError(
      `The instance at ${url} requested a signature for another audience, ${challenge.audience}.`,
      {
        code: "audience_mismatch",
        hint: "Check the URLs of match in the market's GET /v1/network.",
      },
    );
  }
  const time = BigInt(Math.floor(Date.now() / 1000));
  const signature: Hex = await account.signTypedData({
    domain: sessionDomainOf(deployment),
    types: sessionTypes,
    primaryType: "Session",
    message: {
      key: account.address,
      role,
      audience: challenge.audience,
      challenge: challenge.challenge,
      time,
    },
  });
  return {
    type: "hello",
    role,
    key: account.address,
    time,
    signature,
    version,
    ...(host !== undefined && { host }),
  };
}

/** Parses a message of match; undefined if this release does not support it. */
export function parseMessage(text: string, logger: Logger): ServerMessage | undefined {
  try {
    return serverMessage.parse(JSON.parse(text));
  } catch (error) {
    // A newer match may send messages that this release does not support.
    logger.warn({ event: "session_message_unknown", reason: messageOf(error).slice(0, 300) });
    return undefined;
  }
}

/** The session endpoint of a match instance. */
export function sessionUrl(url: string): string {
  const full = new URL(url);
  if (!full.pathname.endsWith("/v1/session"))
    full.pathname = `${full.pathname.replace(/\/$/, "")}/v1/session`;
  return full.href;
}
