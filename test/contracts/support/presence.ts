import { heartbeatEncodings } from "@ngpu/contracts-sdk/enumNames";
import { signHeartbeats } from "@ngpu/protocol/heartbeatAck";
import type { HeartbeatBits } from "@ngpu/protocol/heartbeatBits";
import { cosignSlot, signOffline } from "@ngpu/protocol/heartbeatCosign";
import type { Hex, LocalAccount, TransactionReceipt } from "viem";
import { keyOf, later, type MarketFixture } from "./market.ts";

export const cosigner = keyOf("cosigner");
export const acknowledger = keyOf("acknowledger");

type Sent = { account?: Hex; signer?: LocalAccount };

/** Commits a slot with a cosigner's signature, as a committer. */
export async function commitCosigned(
  { computeNode, deployment, people }: Pick<MarketFixture, "computeNode" | "deployment" | "people">,
  slot: bigint,
  bits: HeartbeatBits,
  { account = people.committer, signer = cosigner }: Sent = {},
): Promise<Hex> {
  const signature = await cosignSlot(signer, deployment, slot, bits);
  const encoding = heartbeatEncodings.indexOf(bits.encoding);
  const args = [slot, encoding, bits.nodeCount, bits.bits, signature] as const;
  return computeNode.write.commitCosignedHeartbeats(args, { account });
}

/** Marks nodes offline, as a committer with a cosigner's statements. */
export async function markOffline(
  { computeNode, deployment, people, mined }: MarketFixture,
  nodeIds: readonly number[],
  { account = people.committer, signer = cosigner, deadline = later }: Sent & { deadline?: bigint } = {},
): Promise<TransactionReceipt> {
  const statements = await Promise.all(nodeIds.map((id) => signOffline(signer, deployment, id, deadline)));
  return mined(computeNode.write.markOffline([statements], { account }));
}

/** What disputes a node's slot, or all of an acknowledgement's words. */
export async function disputeOf(
  { deployment }: Pick<MarketFixture, "deployment">,
  slot: bigint,
  {
    nodeIds = [1, 2, 3],
    words,
    signer = acknowledger,
  }: {
    nodeIds?: readonly number[];
    /** Indexes of the words; default: all. */
    words?: readonly number[];
    signer?: LocalAccount;
  } = {},
) {
  const signed = await signHeartbeats(signer, deployment, slot, nodeIds);
  return {
    slot,
    ...signed.prove(words ?? signed.words.map(({ index }) => index)),
    signature: signed.signature,
  };
}
