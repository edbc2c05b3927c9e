import type { ChainClient } from "@ngpu/chain-reader/client";
import { readLogRange } from "@ngpu/chain-reader/logRange";
import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { heartbeatEncodings } from "@ngpu/contracts-sdk/enumNames";
import { computeNodeAbi } from "@ngpu/contracts-sdk/generated/abi";
import { ackSignerOf, type NodeHeartbeatAck } from "@ngpu/protocol/heartbeatAck";
import { decodeHeartbeats, isReadable } from "@ngpu/protocol/heartbeatBits";
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
/** Slots between a slot's end and its check: by then it was committed, and a reorg of the commit is rare. */
const disputeDelaySlots = 4n;
/** Most slots of one check. */
const maxSlots = 64;
/** Blocks of one log query. */
const blocksPerQuery = 5_000n;

/** Stores heartbeat acknowledgements, and disputes slots that were committed without the bit that one proves. */
export type HeartbeatAcks = {
  /** Verifies an acknowledgement of match and stores it. An invalid one is dropped. */
  store(ack: Ack): Promise<void>;
  /** Checks the acknowledged slots that were committed, and disputes those without the node's bit. @param now Milliseconds. */
  check(now: number): Promise<void>;
};

export function createHeartbeatAcks(options: HeartbeatAckOptions): HeartbeatAcks {
  const window = windowOf(options);
  return {
    store: (ack) => store(options, ack),
    check: async (now) => disputeMissing(options, now, await window()),
  };
}

async function store(
  { deployment, journal, logger, nodeId: idOf }: HeartbeatAckOptions,
  { slot, signed }: Ack,
) {
  const nodeId = idOf();
  if (signed === undefined || nodeId === undefined) return;
  const ack = { ...signed, slot, nodeId };
  // Drop one that proves nothing. The contract decides whether its signer may commit.
  if ((await ackSignerOf(deployment, ack)) === undefined) {
    logger.warn({ event: "heartbeat_ack_invalid", slot });
    return;
  }
  putAck(journal, ack);
}

async function disputeMissing(options: HeartbeatAckOptions, now: number, windowSlots: bigint): Promise<void> {
  const { deployment, journal } = options;
  const present = BigInt(Math.floor(now / 1_000 / deployment.parameters.slotSeconds));
  dropAcks(journal, present - windowSlots);
  const pending = pendingAcks(journal, present - disputeDelaySlots, maxSlots);
  if (pending.length === 0) return;
  const committedNodes = await readCommitted(options, pending);
  for (const ack of pending) {
    const nodes = committedNodes.get(ack.slot);
    // Not committed yet.
    if (nodes === undefined) continue;
    if (nodes.has(ack.nodeId)) markAck(journal, ack.slot, "counted");
    else await dispute(options, ack);
  }
}

async function dispute(
  { journal, logger, outbox }: HeartbeatAckOptions,
  ack: NodeHeartbeatAck,
): Promise<void> {
  const { signature, ...message } = ack;
  const { slot, nodeId } = ack;
  logger.warn({ event: "heartbeat_missing", slot, nodeId });
  await outbox.forward("dispute", { ...message, deadline: deadline() }, signature, `slot ${slot}`);
  markAck(journal, slot, "disputed");
}

/** Reads once how many slots back a dispute may reach. */
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

/** Reads the nodes present in each of the slots that was committed. */
async function readCommitted(
  { client, deployment, journal }: HeartbeatAckOptions,
  acks: readonly NodeHeartbeatAck[],
): Promise<Map<bigint, Set<number>>> {
  const topics: (Hex | Hex[])[] = [
    toEventSelector(committed),
    acks.map(({ slot }) => pad(numberToHex(slot), { size: 32 })),
  ];
  const filter = { addresses: [deployment.contracts.ComputeNode], topics };
  const head = await client.getBlockNumber({ cacheTime: 0 });
  // Start where the last check that found all of its slots ended.
  const stored = readFact(journal, "acks_checked_from");
  const first = stored === undefined ? larger(deployment.startBlock, head - blocksPerQuery) : BigInt(stored);
  const found = new Map<bigint, Set<number>>();
  for (let from = first; from <= head; from += blocksPerQuery) {
    const to = from + blocksPerQuery - 1n < head ? from + blocksPerQuery - 1n : head;
    for (const { topics: logTopics, data } of await readLogRange(client, filter, {
      fromBlock: from,
      toBlock: to,
    })) {
      const { args } = decodeEventLog({ abi: [committed], topics: logTopics, data });
      const encoding = heartbeatEncodings[args.encoding] ?? "bitmap";
      const bits = { encoding, nodeCount: args.nodeCount, bits: args.bits };
      // A slot whose bits cannot be read counts for no node, so it is disputed like one without this node.
      found.set(args.slot, isReadable(bits) ? decodeHeartbeats(bits) : new Set());
    }
  }
  if (acks.every(({ slot }) => found.has(slot))) writeFact(journal, "acks_checked_from", String(head));
  return found;
}

function larger(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
