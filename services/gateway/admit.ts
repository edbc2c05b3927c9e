import type { IncomingHttpHeaders } from "node:http";
import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { sessionDomainOf, sessionTypes } from "@ngpu/contracts-sdk/typedData";
import type { Queryable } from "@ngpu/db/pool";
import { InputError } from "@ngpu/runtime/errors";
import { type Hex, isAddressEqual, recoverTypedDataAddress } from "viem";
import { z } from "zod";
import { findNodeId, takeChallenge } from "./store.ts";

/** Maximum difference between the clocks of node and gateway, in seconds. */
const clockTolerance = 60;

const hex = (bytes: number) =>
  z
    .string()
    .regex(new RegExp(`^0x[0-9a-fA-F]{${2 * bytes}}$`), `is not ${bytes} bytes of hex`)
    .transform((value) => value as Hex);

const handshake = z.object({
  "x-ngpu-key": hex(20),
  "x-ngpu-time": z.string().regex(/^\d{1,15}$/, "is not a time in Unix seconds"),
  "x-ngpu-challenge": hex(32),
  "x-ngpu-signature": hex(65),
});

export type AdmitDependencies = {
  db: Queryable;
  deployment: Deployment;
  /** The gateway URL that the signature must cover. */
  audience: string;
  now: () => Date;
};

/**
 * Authenticates a tunnel request: the key of a registered node, signed for this gateway with the current time and an unused
 * challenge.
 *
 * @returns The node's id.
 * @throws InputError `handshake_invalid`, `clock_skewed`, `signer_mismatch`, `node_not_found` or `challenge_used`.
 */
export async function admit(deps: AdmitDependencies, headers: IncomingHttpHeaders): Promise<number> {
  const { key, time, challenge, signature } = read(headers);
  const now = deps.now();
  if (Math.abs(now.getTime() / 1000 - time) > clockTolerance) {
    throw refusal(
      401,
      "clock_skewed",
      "The clocks of the node and the gateway differ by more than a minute.",
      "Synchronize the clock with NTP.",
    );
  }
  if (!(await isSignedBy(deps, { key, time, challenge, signature }))) {
    throw refusal(
      401,
      "signer_mismatch",
      "The signature does not match the key for this gateway.",
      "Sign with the node's key, for the gateway's URL as GET /v1/network lists it.",
    );
  }
  const nodeId = await findNodeId(deps.db, key);
  if (nodeId === undefined) {
    throw refusal(
      403,
      "node_not_found",
      `No node is registered with the key ${key}.`,
      "Wait until the node's registration is on the chain.",
    );
  }
  const validUntil = new Date(now.getTime() + 2 * clockTolerance * 1000);
  if (!(await takeChallenge(deps.db, challenge, validUntil))) {
    throw refusal(
      401,
      "challenge_used",
      "This challenge was already used to open a tunnel.",
      "Sign a new random challenge.",
    );
  }
  return nodeId;
}

type Handshake = { key: Hex; time: number; challenge: Hex; signature: Hex };

/** @throws InputError `handshake_invalid`. */
function read(headers: IncomingHttpHeaders): Handshake {
  const parsed = handshake.safeParse(headers);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw refusal(
      400,
      "handshake_invalid",
      `The header ${String(issue?.path[0])} ${issue?.message}.`,
      "Update the client to the market's version.",
    );
  }
  const { "x-ngpu-key": key, "x-ngpu-challenge": challenge, "x-ngpu-signature": signature } = parsed.data;
  return { key, time: Number(parsed.data["x-ngpu-time"]), challenge, signature };
}

async function isSignedBy(deps: AdmitDependencies, signed: Handshake): Promise<boolean> {
  try {
    const signer = await recoverTypedDataAddress({
      domain: sessionDomainOf(deps.deployment),
      types: sessionTypes,
      primaryType: "Session",
      message: {
        key: signed.key,
        role: "tunnel",
        audience: deps.audience,
        challenge: signed.challenge,
        time: BigInt(signed.time),
      },
      signature: signed.signature,
    });
    return isAddressEqual(signer, signed.key);
  } catch {
    // 65 bytes that are not a valid signature of any key.
    return false;
  }
}

function refusal(status: number, code: string, message: string, hint: string): InputError {
  return new InputError(message, { status, code, hint });
}
