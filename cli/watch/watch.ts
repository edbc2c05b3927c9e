import { setTimeout as delay } from "node:timers/promises";
import { createHistoryReader, type HistoryReader } from "@ngpu/audit/wholeHistory";
import { createHistoryClient } from "@ngpu/chain-reader/client";
import { readHeader } from "@ngpu/chain-reader/rpc";
import { messageOf, NgpuError } from "@ngpu/runtime/errors";
import { accountIn } from "../audit/attest.ts";
import type { EpochRecord } from "../audit/epochRecords.ts";
import { createMarketAudit, type MarketAudit, marketEvents } from "../audit/marketRecords.ts";
import { epochNumber, type SourceOptions, sourceOf } from "../audit/recompute.ts";
import { differenceText, type MarketRecord } from "../audit/record.ts";
import { firstBlock } from "../audit/verifyMarket.ts";
import { endWith } from "../shared/exitCodes.ts";
import { json, note, print } from "../shared/output.ts";
import { untilInterrupted } from "../shared/signals.ts";
import { type Act, actOn, type Powers } from "./act.ts";
import { type Alerts, createAlerts } from "./alerts.ts";
import { createWatchMetrics, serveMetrics, type WatchMetrics } from "./metrics.ts";

type Options = SourceOptions & {
  json: boolean;
  receipts: boolean;
  exit: boolean;
  /** Seconds. */
  interval: number;
  fromEpoch?: string;
  webhook?: string;
  webhookSecret?: string;
  metrics?: string;
  attestWith?: string;
  guardianWith?: string;
};

type Watcher = {
  options: Options;
  powers: Powers;
  alerts: Alerts;
  metrics: WatchMetrics;
  client: ReturnType<typeof createHistoryClient>;
  /** Differences that were reported. They are found again after a reorganization. */
  reported: Set<string>;
};

/** A reading of the chain from its beginning. */
type Reading = { reader: HistoryReader; audit: MarketAudit; from: bigint | undefined };

/**
 * Follows the chain until Ctrl-C, recomputes every record that appears, and reports each that differs. With keys it attests epochs
 * and disables roots. With `--exit` the first difference ends it, with exit code 2.
 */
export async function watchMarket(options: Options): Promise<void> {
  const { deployment, rpcUrls } = await sourceOf(options);
  const { attestWith, guardianWith, webhook: url, webhookSecret: secret } = options;
  const metrics = createWatchMetrics();
  const watcher: Watcher = {
    options,
    powers: {
      deployment,
      rpcUrls,
      watcher: attestWith === undefined ? undefined : accountIn(attestWith, "watcher"),
      guardian: guardianWith === undefined ? undefined : accountIn(guardianWith, "guardian"),
    },
    alerts: createAlerts({ url, secret, chainId: deployment.chainId }),
    metrics,
    client: createHistoryClient({ chainId: deployment.chainId, rpcUrls }),
    reported: new Set(),
  };
  const served = options.metrics === undefined ? undefined : await serveMetrics(metrics, options.metrics);
  if (served !== undefined) note(`Metrics: ${served.url}`);
  try {
    await untilInterrupted((signal) => follow(watcher, signal));
  } finally {
    served?.close();
  }
}

async function follow(watcher: Watcher, signal: AbortSignal): Promise<void> {
  const { options, alerts } = watcher;
  let reading = begin(watcher);
  let differs = false;
  while (!signal.aborted) {
    try {
      if (await poll(watcher, reading)) differs = true;
      await alerts.send(signal);
      if (differs && options.exit) {
        endWith("no");
        return;
      }
    } catch (error) {
      signal.throwIfAborted();
      reportFailure(watcher, error);
      const isReorganized = error instanceof NgpuError && error.code === "rpc_blocks_unlinked";
      // What an audit had begun is not known after an error; what was read stays.
      reading = isReorganized ? begin(watcher) : { ...reading, audit: createMarketAudit() };
    }
    await delay(1_000 * options.interval, undefined, { signal });
  }
}

function begin({ client, powers, options: { receipts } }: Watcher): Reading {
  const reader = createHistoryReader(client, powers.deployment, { events: marketEvents(), receipts });
  return { reader, audit: createMarketAudit(), from: undefined };
}

/** Recomputes what the chain has beyond the last poll. @returns Whether a record differs that did not before. */
async function poll(watcher: Watcher, reading: Reading): Promise<boolean> {
  const { client, powers, metrics, options } = watcher;
  const { number: upTo } = await readHeader(client, "latest");
  if (reading.from !== undefined && upTo < reading.from) return false;
  const history = { ...(await reading.reader.readTo(upTo)), deployment: powers.deployment };
  const first = options.fromEpoch === undefined ? 1 : epochNumber(options.fromEpoch);
  const from = reading.from ?? (await firstBlock(history, first));
  const now = await history.clock.timeOf(upTo);
  let differs = false;
  for await (const record of reading.audit(history, from)) {
    if (report(watcher, record)) differs = true;
    await tryToAct(watcher, record, now);
  }
  reading.from = upTo + 1n;
  metrics.block.set(Number(upTo));
  return differs;
}

/** @returns Whether it differs, and did not before. */
function report(watcher: Watcher, record: MarketRecord): boolean {
  const { metrics, alerts, reported, options } = watcher;
  const key = json([record.kind, record.id, record.block, record.detail]);
  if (reported.has(key)) return false;
  reported.add(key);
  metrics.records.inc({ kind: record.kind });
  if (options.json) print(json(record));
  if (record.detail === undefined) return false;
  metrics.differences.inc({ kind: record.kind });
  alerts.add(record);
  if (!options.json) print(differenceText(record));
  return true;
}

/** What the chain refuses, such as an epoch that was attested already, holds nothing else up. */
async function tryToAct(watcher: Watcher, record: MarketRecord | EpochRecord, now: number): Promise<void> {
  const { powers, options } = watcher;
  try {
    const done = await actOn(record, now, powers);
    if (done !== undefined) print(options.json ? json(done) : actText(done));
  } catch (error) {
    reportFailure(watcher, error);
  }
}

function actText({ act, kind, id, txHash }: Act): string {
  const what = kind === "epoch" ? `epoch ${id}` : `the uptime root of day ${id}`;
  return `${act === "attested" ? "Attested" : "Disabled"} ${what} in transaction ${txHash}.`;
}

function reportFailure({ metrics }: Watcher, error: unknown): void {
  const code = error instanceof NgpuError ? error.code : "internal_error";
  metrics.failures.inc({ code });
  note(`${messageOf(error)} (${code})`);
}
