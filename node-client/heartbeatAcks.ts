import type { ChainClient } from "@ngpu/chain-reader/client";
import { readLogs } from "@ngpu/chain-reader/rpc";
import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { heartbeatEncodings } from "@ngpu/contracts-sdk/enumNames";
import { computeNodeAbi } from "@ngpu/contracts-sdk/generated/abi";
import { ackSignerOf, type NodeHeartbeatAck } from "@ngpu/protocol/heartbeatAck";
import { decodeHeartbeats } from "@ngpu/protocol/heartbeatBits";
import type { ServerMessage } from "@ngpu/protocol/wire";
import type { Logger } from "@ngpu/runtime/logger";
import { decodeEventLog, getAbiItem, type Hex, numberToHex, pad, toEventSelector } from "viem";
import { dropAcks, markAck, pendingAcks, putAck } from "./journal/heartbeatAcks.ts";
import { type Journal, readFact, writeFact } from "./journal/open.ts";
import { deadline, type Outbox } from "./outbox.ts";

type Ack = Extract<ServerMessage, { type: "ack" }>;

export type HeartbeatAckOptions = {
  client: ChainClient;
  deployment: Deployment;
  journal: Journal;
  outbox: Outbox;
  logger: Logger;
  nodeId: () => number | undefined;
};

const committed = getAbiItem({ abi: computeNodeAbi, name: "HeartbeatsCommitted" });
/** A slot is looked at so long after its end, in slots: by then it was posted, and a reorg of its posting is rare. */
const disputeDelaySlots = 4n;
/** Slots looked at in one question, and blocks in one answer. */
const slotsAtOnce = 64;
const blocksAtOnce = 5_000n;

/** Keeps the receipts of heartbeats, and disputes slots that were committed without the bit that one proves. */
export type HeartbeatAcks = {
  /** Takes match's acknowledgement. */
  take(ack: Ack): Promise<void>;
  /** Looks at the slots that have been committed since, and disputes where there is something to dispute. */
  check(now: number): Promise<void>;
};

export function createHeartbeatAcks(options: HeartbeatAckOptions): HeartbeatAcks {
  const window = windowOf(options);
  return {
    take: (ack) => keep(options, ack),
    check: async (now) => disputeMissing(options, now, await window()),
  };
}

async function keep(
  { deployment, journal, logger, nodeId: idOf }: HeartbeatAckOptions,
  { slot, receipt }: Ack,
) {
  const nodeId = idOf();
  if (receipt === undefined || nodeId === undefined) return;
  const own = { ...receipt, slot, nodeId };
  // One that proves nothing is no receipt; whether its signer may commit is for the contract to say.
  if ((await ackSignerOf(deployment, own)) === undefined) {
    logger.warn({ event: "heartbeat_ack_invalid", slot });
    return;
  }
  putAck(journal, own);
}

async function disputeMissing(options: HeartbeatAckOptions, now: number, windowSlots: bigint): Promise<void> {
  const { deployment, journal } = options;
  const present = BigInt(Math.floor(now / 1_000 / deployment.parameters.slotSeconds));
  dropAcks(journal, present - windowSlots);
  const held = pendingAcks(journal, present - disputeDelaySlots, slotsAtOnce);
  if (held.length === 0) return;
  const bits = await readCommitted(options, held);
  for (const receipt of held) {
    const nodes = bits.get(receipt.slot);
    // Not committed yet: it may still be.
    if (nodes === undefined) continue;
    if (nodes.has(receipt.nodeId)) markAck(journal, receipt.slot, "counted");
    else await dispute(options, receipt);
  }
}

async function dispute(
  { journal, logger, outbox }: HeartbeatAckOptions,
  receipt: NodeHeartbeatAck,
): Promise<void> {
  const { signature, ...message } = receipt;
  const { slot, nodeId } = receipt;
  logger.warn({ event: "heartbeat_missing", slot, nodeId });
  await outbox.forward("dispute", { ...message, deadline: deadline() }, signature, `slot ${slot}`);
  markAck(journal, slot, "disputed");
}

/** Reads how many slots a dispute may look back, once. */
function windowOf({ client, deployment }: HeartbeatAckOptions): () => Promise<bigint> {
  let slots: bigint | undefined;
  return async () => {
    slots ??= await client.readContract({
      address: deployment.contracts.ComputeNode,
      abi: computeNodeAbi,
      functionName: "heartbeatWindowSlots",
    });
    return slots;
  };
}

/** The nodes present in those of the slots that were committed. */
async function readCommitted(
  { client, deployment, journal }: HeartbeatAckOptions,
  receipts: readonly NodeHeartbeatAck[],
): Promise<Map<bigint, Set<number>>> {
  const topics: (Hex | Hex[])[] = [
    toEventSelector(committed),
    receipts.map(({ slot }) => pad(numberToHex(slot), { size: 32 })),
  ];
  const filter = { addresses: [deployment.contracts.ComputeNode], topics };
  const head = await client.getBlockNumber({ cacheTime: 0 });
  // From where the oldest slot that is still open was looked for first.
  const known = readFact(journal, "acks_checked_from");
  const first = known === undefined ? larger(deployment.startBlock, head - blocksAtOnce) : BigInt(known);
  const found = new Map<bigint, Set<number>>();
  for (let from = first; from <= head; from += blocksAtOnce) {
    const to = from + blocksAtOnce - 1n < head ? from + blocksAtOnce - 1n : head;
    for (const { topics: logTopics, data } of await readLogs(client, filter, {
      fromBlock: from,
      toBlock: to,
    })) {
      const { args } = decodeEventLog({ abi: [committed], topics: logTopics, data });
      const encoding = heartbeatEncodings[args.encoding] ?? "bitmap";
      found.set(args.slot, decodeHeartbeats({ encoding, nodeCount: args.nodeCount, bits: args.bits }));
    }
  }
  if (receipts.every(({ slot }) => found.has(slot))) writeFact(journal, "acks_checked_from", String(head));
  return found;
}

function larger(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
