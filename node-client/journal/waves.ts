import type { WaveReveal } from "@ngpu/waves/reveal";
import type { DeviceRef } from "@ngpu/waves/types";
import type { Hex } from "viem";
import type { WaveState } from "../measure/waves/measureWave.ts";
import { atomically, type Journal, readFact, writeFact } from "./open.ts";

/** How far a measurer is in a wave. `committed`: it may have posted the commitment to these results. */
export type WaveProgress = {
  state?: WaveState;
  /** With the hashes of the transcripts that were received. */
  committed?: { reveal: WaveReveal; list: Hex; transcripts: (DeviceRef & { hash: Hex })[] };
};

/** Waves that are kept: those that may still be live, and some more. */
const keptWaves = 8;

export function readWaveProgress(journal: Journal, waveId: number): WaveProgress {
  const row = journal.prepare("select state from wave where wave_id = ?").get(waveId);
  return row === undefined ? {} : (JSON.parse(String(row.state)) as WaveProgress);
}

export function writeWaveProgress(journal: Journal, waveId: number, progress: WaveProgress): void {
  journal
    .prepare("insert into wave values (?, ?) on conflict (wave_id) do update set state = excluded.state")
    .run(waveId, JSON.stringify(progress));
  journal.prepare("delete from wave where wave_id <= ?").run(waveId - keptWaves);
}

/** Words of the devices that each node's key claims. */
export type Claims = Map<number, readonly Hex[]>;

const untilFact = "claims_until";

/** The claims up to a block; undefined before the first were read. */
export function readClaims(journal: Journal): { until: bigint; claims: Claims } | undefined {
  const until = readFact(journal, untilFact);
  if (until === undefined) return undefined;
  const rows = journal.prepare("select node_id, devices from hardware_claim").all();
  const claims: Claims = new Map(
    rows.map((row) => [Number(row.node_id), JSON.parse(String(row.devices)) as Hex[]]),
  );
  return { until: BigInt(until), claims };
}

/** Adds later claims. */
export function writeClaims(journal: Journal, until: bigint, changed: Claims): void {
  atomically(journal, () => {
    const put = journal.prepare(
      "insert into hardware_claim values (?, ?) on conflict (node_id) do update set devices = excluded.devices",
    );
    for (const [nodeId, devices] of changed) put.run(nodeId, JSON.stringify(devices));
    writeFact(journal, untilFact, String(until));
  });
}
