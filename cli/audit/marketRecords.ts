import type { WantedEvents } from "@ngpu/audit/chainHistory";
import { placementEvents } from "@ngpu/audit/fleetLogs";
import { receiptEvents } from "@ngpu/audit/receiptAudit";
import { auditBatches } from "@ngpu/audit/receiptTotals";
import { rewardEvents } from "@ngpu/rewards/chainLogs";
import { uptimeEvents } from "@ngpu/rewards/uptimeLogs";
import { type JudgedWave, judgedWaves } from "@ngpu/waves/history";
import { waveEvents } from "@ngpu/waves/waveLogs";
import { dayRecords } from "./dayRecords.ts";
import { createEpochAudit, type EpochRecord } from "./epochRecords.ts";
import { createPlacementAudit } from "./placementRecords.ts";
import { type IsNew, type MarketHistory, type MarketRecord, recordOf } from "./record.ts";
import { auditWave, type WaveHeaders } from "./waveAudit.ts";

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
    for (const { number, block, total, checks } of auditBatches(logs).filter(isNew)) {
      const detail = `The batch states a total of ${total} token units.`;
      yield recordOf({ kind: "receipts", id: String(number), block, checks }, () => detail);
    }
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
  { logs, clock, deployment, upTo }: MarketHistory,
  waves: readonly JudgedWave[],
  isNew: IsNew,
): AsyncGenerator<MarketRecord> {
  for (const wave of waves.filter(({ blocks }) => isNew({ block: BigInt(blocks.revealed) }))) {
    const headers: WaveHeaders = {};
    for (const name of ["fill", "chase", "work", "answered", "audit"] as const) {
      const block = BigInt(wave.blocks[name]);
      if (block <= upTo) headers[name] = await clock.at(block);
    }
    const { checks } = auditWave({
      wave,
      logs,
      terms: deployment.parameters.waves,
      headers,
      evidence: [],
    });
    yield recordOf(
      { kind: "wave", id: String(wave.waveId), block: BigInt(wave.blocks.revealed), checks },
      () => `Wave ${wave.waveId} began at block ${wave.blocks.fill}.`,
    );
  }
}
