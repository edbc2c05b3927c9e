import type { Queryable } from "@ngpu/db/pool";
import { chainEvents } from "@ngpu/protocol/reasons/chainEvents";
import { reasonText } from "@ngpu/protocol/reasons/reasons";
import {
  blockFacts,
  type ChainEvent,
  chainHistory,
  type RecordedEvent,
  recordedHistory,
} from "./store/workspaceHistory.ts";

/**
 * A place in a workspace's history: the last log of the chain and the last recorded event before it. Each of the two is resumed by
 * itself, so that neither an export nor a commit that arrives late is skipped.
 */
export type Cursor = { block: bigint; log: number; hash: string; position: bigint };

export const start: Cursor = { block: -1n, log: 0, hash: "", position: 0n };

const noHash = "00000000";

export function cursorText({ block, log, hash, position }: Cursor): string {
  // Before the first event of the chain the block is 0, which has none of a workspace.
  const at = block < 0n ? 0n : block;
  return `${at}.${log}.${hash === "" ? noHash : hash.replace(/^0x/, "").slice(0, 8)}.${position}`;
}

/** @param text As `cursorText` writes it; the schema of the query checks it. */
export function parseCursor(text: string): Cursor {
  const [block = "0", log = "0", hash = noHash, position = "0"] = text.split(".");
  if (hash === noHash) return { ...start, position: BigInt(position) };
  return { block: BigInt(block), log: Number(log), hash, position: BigInt(position) };
}

/** An event with the cursor after it. */
export type HistoryEvent = { cursor: Cursor } & (
  | { chain: ChainEvent; recorded?: undefined }
  | { recorded: RecordedEvent; chain?: undefined }
);

/**
 * Merges two histories by time, each in its own order.
 *
 * @returns at most `limit` events, each with the cursor after it. Pure.
 */
export function merge(
  after: Cursor,
  chain: readonly ChainEvent[],
  recorded: readonly RecordedEvent[],
  limit: number,
): HistoryEvent[] {
  const merged: HistoryEvent[] = [];
  let cursor = after;
  for (let c = 0, r = 0; merged.length < limit; ) {
    const [onChain, stored] = [chain[c], recorded[r]];
    if (onChain !== undefined && (stored === undefined || onChain.at <= stored.at)) {
      c += 1;
      cursor = { ...cursor, block: onChain.block, log: onChain.log, hash: onChain.blockHash };
      merged.push({ cursor, chain: onChain });
    } else if (stored !== undefined) {
      r += 1;
      cursor = { ...cursor, position: stored.position };
      merged.push({ cursor, recorded: stored });
    } else break;
  }
  return merged;
}

export type HistoryPage = {
  events: HistoryEvent[];
  /** Whether more events follow. */
  more: boolean;
  /** The block after which the chain was replaced since the cursor; null: it was not. */
  replacedAfter: bigint | null;
  /** Where the page began: after a replaced block, an earlier place than asked for. */
  from: Cursor;
};

/** The events of a workspace after a cursor. When a reorg replaced the cursor's block, those after the safe head follow again. */
export async function readHistory(
  db: Queryable,
  workspaceId: string,
  after: Cursor,
  limit: number,
): Promise<HistoryPage> {
  const from = await onChain(db, after);
  const [chain, recorded] = await Promise.all([
    chainHistory(db, workspaceId, from, limit + 1),
    recordedHistory(db, workspaceId, from.position, limit + 1),
  ]);
  const events = merge(from, chain, recorded, limit);
  const more = chain.length + recorded.length > events.length;
  return { events, more, replacedAfter: from === after ? null : from.block, from };
}

const lastLog = 2 ** 31 - 1;

async function onChain(db: Queryable, after: Cursor): Promise<Cursor> {
  if (after.hash === "") return after;
  const { hash, safe } = await blockFacts(db, after.block);
  const known = after.hash.replace(/^0x/, "").slice(0, 8);
  if (hash?.replace(/^0x/, "").startsWith(known) === true) return after;
  // A cursor of the chain below the safe head that is not on it is of another market: its history begins again.
  const block = safe < after.block ? safe : -1n;
  return { ...after, block, log: lastLog, hash: "" };
}

/** An event as the API shows it. */
export function shownEvent(event: HistoryEvent) {
  const cursor = cursorText(event.cursor);
  if (event.chain !== undefined) {
    const { code, at, block, log, blockHash, txHash, replica, lease, nodeId, details, tier } = event.chain;
    const time = isoOf(at);
    return {
      id: `${block}-${blockHash.slice(2, 10)}-${log}`,
      cursor,
      time,
      source: "chain" as const,
      code,
      message: chainEvents[code],
      hint: null,
      replica,
      lease,
      nodeId,
      details,
      count: 1,
      firstTime: time,
      endedTime: null,
      block: String(block),
      txHash,
      tier,
    };
  }
  const { id, code, source, at, firstAt, endedAt, count, replica, lease, nodeId, details } = event.recorded;
  const { message, hint } = reasonText(code);
  return {
    id: `r${id}`,
    cursor,
    time: isoOf(at),
    source,
    code,
    message,
    hint,
    replica,
    nodeId,
    details,
    count,
    lease: lease === 0 ? null : lease,
    firstTime: isoOf(firstAt),
    endedTime: endedAt === null ? null : isoOf(endedAt),
    block: null,
    txHash: null,
    tier: null,
  };
}

const isoOf = (seconds: number) => new Date(seconds * 1000).toISOString();
