import { createHistoryReader } from "@ngpu/audit/wholeHistory";
import { createHistoryClient } from "@ngpu/chain-reader/client";
import { readHeader } from "@ngpu/chain-reader/rpc";
import { windowOf } from "@ngpu/rewards/epochs";
import { createMarketAudit, marketEvents } from "./marketRecords.ts";
import { epochNumber, type SourceOptions, sourceOf } from "./recompute.ts";
import {
  differenceText,
  type MarketHistory,
  type MarketRecord,
  type RecordKind,
  recordKinds,
} from "./record.ts";
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
  for await (const record of createMarketAudit()(history, from)) {
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

async function readMarket(options: Options): Promise<MarketHistory> {
  const { deployment, rpcUrls } = await sourceOf(options);
  const client = createHistoryClient({ chainId: deployment.chainId, rpcUrls });
  const { number: upTo } = await readHeader(client, "latest");
  const { receipts } = options;
  const reader = createHistoryReader(client, deployment, { events: marketEvents(), receipts });
  return { ...(await reader.readTo(upTo, showProgress)), deployment };
}

/** One line that is written over, where somebody watches. */
function showProgress(read: bigint, all: bigint): void {
  if (!process.stderr.isTTY) return;
  process.stderr.write(`\r${(100n * read) / all}% of ${all} blocks read${read < all ? "" : "\n"}`);
}

/** The first block of an epoch. */
export async function firstBlock({ deployment, clock }: MarketHistory, epoch: number): Promise<bigint> {
  if (epoch === 1) return deployment.startBlock;
  const { startsAt } = windowOf(epoch, deployment.parameters);
  return (await clock.lastBefore(startsAt)).block + 1n;
}
