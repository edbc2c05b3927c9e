import type { WantedEvents } from "@ngpu/audit/chainHistory";
import { placementEvents } from "@ngpu/audit/fleetLogs";
import { receiptEvents } from "@ngpu/audit/receiptAudit";
import { readWholeHistory } from "@ngpu/audit/wholeHistory";
import { createHistoryClient } from "@ngpu/chain-reader/client";
import { readHeader } from "@ngpu/chain-reader/rpc";
import { rewardEvents } from "@ngpu/rewards/chainLogs";
import { windowOf } from "@ngpu/rewards/epochs";
import { uptimeEvents } from "@ngpu/rewards/uptimeLogs";
import { waveEvents } from "@ngpu/waves/waveLogs";
import {
  type MarketHistory,
  type MarketRecord,
  marketRecords,
  type RecordKind,
  recordKinds,
} from "./marketRecords.ts";
import { epochNumber, type SourceOptions, sourceOf } from "./recompute.ts";
import { printVerdict } from "./verdict.ts";

type Options = SourceOptions & { json: boolean; fromEpoch?: string; receipts: boolean };

/** Differences that text for people lists. */
const mostShown = 20;

/**
 * Recomputes every record of the market from an RPC endpoint alone, and prints the first one that differs, and the others. The exit
 * code is 0 if none does, else 2.
 */
export async function verifyMarket(options: Options): Promise<void> {
  const first = options.fromEpoch === undefined ? 1 : epochNumber(options.fromEpoch);
  const started = performance.now();
  const history = await readMarket(options);
  const from = await firstBlock(history, first);
  const counts = Object.fromEntries(recordKinds.map((kind) => [kind, 0])) as Record<RecordKind, number>;
  const differences: MarketRecord[] = [];
  for await (const record of marketRecords(history, from)) {
    counts[record.kind] += 1;
    if (record.detail !== undefined) differences.push(record);
  }
  differences.sort((a, b) => (a.block < b.block ? -1 : a.block > b.block ? 1 : 0));
  const checks = Object.fromEntries(
    recordKinds.map((kind) => [kind, !differences.some((record) => record.kind === kind)]),
  );
  const { deployment, upTo, logs } = history;
  const seconds = Math.round((performance.now() - started) / 100) / 10;
  const blocks = { first: deployment.startBlock, from, last: upTo };
  printVerdict(options, checks, { blocks, logs: logs.length, records: counts, seconds, differences }, [
    `Read ${logs.length} logs of blocks ${deployment.startBlock} to ${upTo}` +
      `${options.receipts ? ", proven by the receipts of their blocks" : ""}.`,
    `Recomputed ${recordKinds.map((kind) => `${counts[kind]} ${names[kind]}`).join(", ")} in ${seconds} s.`,
    ...differences.slice(0, mostShown).map(differenceText),
    ...(differences.length > mostShown
      ? [`and ${differences.length - mostShown} more (--json lists all)`]
      : []),
  ]);
}

const names: Record<RecordKind, string> = {
  placement: "placements",
  receipts: "batches of receipts",
  uptime: "days of uptime",
  refund: "refunds",
  wave: "waves",
  epoch: "epochs",
};

function differenceText({ kind, id, block, checks, detail }: MarketRecord): string {
  const failed = Object.entries(checks).flatMap(([name, passed]) => (passed ? [] : [name]));
  return `Block ${block}: ${kind} ${id} differs in ${failed.join(", ")}. ${detail}`;
}

async function readMarket(options: Options): Promise<MarketHistory> {
  const { deployment, rpcUrls } = await sourceOf(options);
  const client = createHistoryClient({ chainId: deployment.chainId, rpcUrls });
  const { number: upTo } = await readHeader(client, "latest");
  const history = await readWholeHistory(client, deployment, {
    events: allEvents(),
    upTo,
    receipts: options.receipts,
    onProgress: showProgress,
  });
  return { ...history, deployment };
}

/** One line that is written over, where somebody watches. */
function showProgress(read: bigint, all: bigint): void {
  if (!process.stderr.isTTY) return;
  process.stderr.write(`\r${(100n * read) / all}% of ${all} blocks read${read < all ? "" : "\n"}`);
}

/** The events that any record depends on. */
function allEvents(): WantedEvents {
  const all: Record<string, string[]> = {};
  for (const events of [placementEvents, rewardEvents, uptimeEvents, waveEvents, receiptEvents]) {
    for (const [contract, names] of Object.entries(events)) {
      all[contract] = [...new Set([...(all[contract] ?? []), ...names])];
    }
  }
  return all as WantedEvents;
}

/** The first block of an epoch. */
async function firstBlock({ deployment, clock }: MarketHistory, epoch: number): Promise<bigint> {
  if (epoch === 1) return deployment.startBlock;
  const { startsAt } = windowOf(epoch, deployment.parameters);
  return (await clock.lastBefore(startsAt)).block + 1n;
}
