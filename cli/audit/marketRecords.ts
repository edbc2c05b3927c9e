import type { WantedEvents } from "@ngpu/audit/chainHistory";
import { placementEvents } from "@ngpu/audit/fleetLogs";
import { receiptEvents } from "@ngpu/audit/receiptAudit";
import { auditBatches, type BatchAudit } from "@ngpu/audit/receiptTotals";
import { type ChainLog, rewardEvents } from "@ngpu/rewards/chainLogs";
import { uptimeEvents } from "@ngpu/rewards/uptimeLogs";
import { type JudgedWave, judgedWaves } from "@ngpu/waves/history";
import { type Wave, waveEvents } from "@ngpu/waves/waveLogs";
import { dayRecords } from "./dayRecords.ts";
import { createEpochAudit, type EpochRecord } from "./epochRecords.ts";
import { createPlacementAudit } from "./placementRecords.ts";
import { type IsNew, type MarketHistory, type MarketRecord, recordOf } from "./record.ts";
import { checkWave, type WaveHeaders } from "./waveAudit.ts";

/** Recomputes the records of a market, and later those that were added. */
export type MarketAudit = (
  history: MarketHistory,
  /** The first block whose records are compared. All logs before it count. */
  from: bigint,
) => AsyncGenerator<MarketRecord | EpochRecord>;

export function createMarketAudit(): MarketAudit {
  const placementRecords = createPlacementAudit();
  const epochRecords = createEpochAudit();
  return async function* marketRecords(history, from) {
    const { logs, deployment, upTo } = history;
    const isNew: IsNew = ({ block }) => block >= from;
    const waves = judgedWaves(logs, deployment.parameters.waves, upTo);
    for await (const record of placementRecords(history, waves, isNew)) yield record;
    for (const batch of auditBatches(logs).filter(isNew)) yield batchRecord(batch);
    for await (const record of dayRecords(history, isNew)) yield record;
    for await (const record of waveRecords(history, waves, isNew)) yield record;
    for await (const record of epochRecords(history, waves, isNew)) yield record;
  };
}

/** The events that any record depends on. */
export function marketEvents(): WantedEvents {
  const all: Record<string, string[]> = {};
  for (const events of [placementEvents, rewardEvents, uptimeEvents, waveEvents, receiptEvents]) {
    for (const [contract, names] of Object.entries(events)) {
      all[contract] = [...new Set([...(all[contract] ?? []), ...names])];
    }
  }
  return all as WantedEvents;
}

async function* waveRecords(
  history: MarketHistory,
  waves: readonly JudgedWave[],
  isNew: IsNew,
): AsyncGenerator<MarketRecord> {
  const byWave = Map.groupBy(history.logs, ({ args }) =>
    args.waveId === undefined ? undefined : Number(args.waveId),
  );
  for (const wave of waves.filter(({ blocks }) => isNew({ block: BigInt(blocks.revealed) }))) {
    yield waveRecord(wave, byWave.get(wave.waveId) ?? [], history, await waveHeaders(wave, history));
  }
}

/** The headers of a wave's blocks. */
export async function waveHeaders({ blocks }: Wave, { clock, upTo }: MarketHistory): Promise<WaveHeaders> {
  const headers: WaveHeaders = {};
  for (const name of ["fill", "chase", "work", "answered", "audit"] as const) {
    const block = BigInt(blocks[name]);
    if (block <= upTo) headers[name] = await clock.at(block);
  }
  return headers;
}

/**
 * The record of a wave. Its verdict is compared by the epochs that follow from it.
 *
 * @param own The wave's logs.
 */
export function waveRecord(
  wave: Wave,
  own: readonly ChainLog[],
  { deployment }: Pick<MarketHistory, "deployment">,
  headers: WaveHeaders,
): MarketRecord {
  const { waveId, blocks } = wave;
  const checks = checkWave({ wave, logs: own, terms: deployment.parameters.waves, headers });
  return recordOf(
    { kind: "wave", id: String(waveId), block: BigInt(blocks.revealed), checks },
    () => `Wave ${waveId} began at block ${blocks.fill}.`,
  );
}

/** The record of a batch of receipts. */
export function batchRecord({ number, block, total, checks }: BatchAudit): MarketRecord {
  return recordOf(
    { kind: "receipts", id: String(number), block, checks },
    () => `The batch states a total of ${total} token units.`,
  );
}
