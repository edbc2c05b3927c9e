import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { implausiblePart } from "@ngpu/protocol/measurementBounds";
import { PackingError } from "@ngpu/protocol/packedReports";
import { type RelayKind, relayKinds } from "@ngpu/protocol/relayKinds";
import { recoverRelay, relayArgs, relayDigest } from "@ngpu/protocol/signedMessages";
import type { ClientMessage } from "@ngpu/protocol/wire";
import { InputError } from "@ngpu/runtime/errors";
import type { Hex } from "viem";
import type { Session } from "../sessions/session.ts";
import type { Role } from "../sessions/sessionStore.ts";
import type { putRelay } from "./relayBatchStore.ts";

export type RelayRequest = Extract<ClientMessage, { type: "relay" }>;

const kindsOf: Record<Role, readonly RelayKind[]> = {
  node: [
    "register",
    "updateSpec",
    "setStatus",
    "setWallet",
    "setKey",
    "acceptNode",
    "report",
    "progress",
    "dispute",
    "claimHardware",
  ],
  measurer: ["registerMeasurer", "reveal", "postWave"],
};

/** Kinds that a session relays for another signer: the node's wallet, or who acknowledged its heartbeats. */
const signedByOthers: ReadonlySet<RelayKind> = new Set(["setWallet", "setKey", "acceptNode", "dispute"]);

/**
 * Checks everything that does not need the chain: schema, deadline and signature.
 *
 * @returns the message to queue, or the reason for which it is rejected
 * @throws InputError `message_forbidden` or `message_invalid`.
 */
export async function checkRelay(
  deployment: Deployment,
  session: Session,
  request: RelayRequest,
): Promise<Parameters<typeof putRelay>[1] | { reason: string }> {
  const { kind, signature } = request;
  const message = readMessage(session, request);
  const excess = "result" in message ? implausiblePart(message.result) : undefined;
  if (excess !== undefined) {
    const { name, value, highest } = excess;
    return { reason: `MeasurementImplausible(${name} ${value}, highest ${highest})` };
  }
  const now = BigInt(Math.floor(Date.now() / 1_000));
  if (message.deadline < now) {
    return { reason: `SignatureExpired(deadline ${message.deadline}, time ${now})` };
  }
  try {
    relayArgs(kind, [{ message, signature }]);
  } catch (error) {
    if (!(error instanceof PackingError)) throw error;
    return { reason: `SignatureInvalid(signer ${session.key}): ${error.message}` };
  }
  const signer = await signerOf(deployment, kind, message, signature);
  const named = "key" in message && kind !== "setKey" ? (message.key.toLowerCase() as Hex) : session.key;
  const isForeign = !signedByOthers.has(kind) && signer !== session.key;
  if (signer === undefined || isForeign || named !== session.key) {
    return { reason: `SignatureInvalid(signer ${named})` };
  }
  const digest = relayDigest(deployment, kind, message as never);
  return { kind, signer, message, signature, digest, deadline: message.deadline };
}

/** @throws InputError `message_forbidden` or `message_invalid`. */
function readMessage(session: Session, { kind, message }: RelayRequest) {
  if (!kindsOf[session.role].includes(kind)) {
    throw new InputError(`A ${session.role} must not relay ${kind}.`, {
      code: "message_forbidden",
      hint: "Update the client, or connect with the role that sends this message.",
    });
  }
  const parsed = relayKinds[kind].message.safeParse(message);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new InputError(`The ${kind} message is not valid: ${issue?.path.join(".")} ${issue?.message}`, {
    code: "message_invalid",
    hint: "Correct the named field, or update the client to the market's version.",
  });
}

async function signerOf(
  deployment: Deployment,
  kind: RelayKind,
  message: unknown,
  signature: Hex,
): Promise<Hex | undefined> {
  try {
    return (await recoverRelay(deployment, kind, message as never, signature)).toLowerCase() as Hex;
  } catch {
    // Not a valid signature.
    return undefined;
  }
}
