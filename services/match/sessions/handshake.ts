import { randomBytes } from "node:crypto";
import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { sessionDomainOf, sessionTypes } from "@ngpu/contracts-sdk/typedData";
import { type ClientMessage, clientMessage } from "@ngpu/protocol/wire";
import { InputError, messageOf } from "@ngpu/runtime/errors";
import { type Resolve, requirePublicHost } from "@ngpu/runtime/publicAddress";
import { bytesToHex, type Hex, recoverTypedDataAddress } from "viem";

type Hello = Extract<ClientMessage, { type: "hello" }>;

/** Maximum difference between the clocks of a node and this instance, s. */
const clockTolerance = 60n;

export function newChallenge(): Hex {
  return bytesToHex(randomBytes(32));
}

/**
 * Verifies that the peer holds the key in its hello. The signature covers the audience, the time and a challenge that is used
 * once, so it cannot be replayed.
 *
 * @returns the key in lower case
 * @throws InputError `clock_skewed`, `signature_invalid` or `signer_mismatch`.
 */
export async function verifyHello(
  deployment: Deployment,
  expected: { audience: string; challenge: Hex; now: bigint },
  hello: Hello,
): Promise<Hex> {
  const difference = hello.time > expected.now ? hello.time - expected.now : expected.now - hello.time;
  if (difference > clockTolerance) {
    throw new InputError(`Your clock differs by ${difference} s.`, {
      code: "clock_skewed",
      hint: "Synchronize the clock with NTP.",
    });
  }
  const signer = await recover(deployment, expected, hello);
  if (signer.toLowerCase() !== hello.key.toLowerCase()) {
    throw new InputError(`The session was signed by ${signer}, not by ${hello.key}.`, {
      code: "signer_mismatch",
      hint: "Sign the hello with the key that it names.",
    });
  }
  return hello.key.toLowerCase() as Hex;
}

async function recover(
  deployment: Deployment,
  expected: { audience: string; challenge: Hex },
  hello: Hello,
): Promise<Hex> {
  try {
    return await recoverTypedDataAddress({
      domain: sessionDomainOf(deployment),
      types: sessionTypes,
      primaryType: "Session",
      message: {
        key: hello.key,
        role: hello.role,
        audience: expected.audience,
        challenge: expected.challenge,
        time: hello.time,
      },
      signature: hello.signature,
    });
  } catch (error) {
    throw new InputError(`The session's signature is not valid: ${messageOf(error).split("\n")[0]}`, {
      code: "signature_invalid",
      hint: "Send an EIP-712 signature of 65 bytes.",
      cause: error,
    });
  }
}

/**
 * The host at which a node's ports are reachable: the declared one, or the peer's address. Measurers connect to it, so it must be
 * public unless the market accepts private addresses.
 *
 * @throws InputError `host_invalid`, `host_not_public` or `host_unresolved`.
 */
export async function checkedHost(
  declared: string | undefined,
  peer: string | undefined,
  rule: { privateAddresses: boolean; resolve?: Resolve },
): Promise<string> {
  const host = hostOf(declared, peer);
  if (!rule.privateAddresses) await requirePublicHost(host, rule.resolve);
  return host;
}

/** @throws InputError `host_invalid`. */
function hostOf(declared: string | undefined, peer: string | undefined): string {
  if (declared === undefined || declared === "") return (peer ?? "127.0.0.1").replace(/^::ffff:/, "");
  if (!/^[A-Za-z0-9.:_-]+$/.test(declared)) {
    throw new InputError(`${declared} is neither a host name nor an address.`, {
      code: "host_invalid",
      hint: "Set NODE_HOST to a host name or an IP address, without port and scheme.",
    });
  }
  return declared;
}

/**
 * Parses a message of a client.
 *
 * @throws InputError `message_invalid`, which names the invalid field.
 */
export function parseMessage(text: string): ClientMessage {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new InputError(`The message is not JSON: ${messageOf(error)}`, {
      code: "message_invalid",
      hint: "Correct the named field, or update the client to the market's version.",
      cause: error,
    });
  }
  const parsed = clientMessage.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new InputError(`The message is not valid: ${issue?.path.join(".")} ${issue?.message}`, {
    code: "message_invalid",
    hint: "Correct the named field, or update the client to the market's version.",
  });
}
