import type { Database } from "@ngpu/db/pool";
import type { Hex } from "viem";

/** What a measurer handed over: IProofWaves.WaveReveal, and the list that it names. */
export type StoredReveal = {
  measurerId: number;
  results: Hex;
  transcripts: Hex;
  exceptions: Hex;
  salt: Hex;
  list: Hex;
};

/** Stores a reveal for the wave's leader. A repeated one changes nothing. */
export async function putReveal(pool: Database, waveId: number, reveal: StoredReveal): Promise<void> {
  const { measurerId, results, transcripts, exceptions, salt, list } = reveal;
  await pool.query(
    `with stored as (
       insert into app.wave_reveal (wave_id, measurer_id, results, transcripts, exceptions, salt, list)
       values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing returning 1
     )
     select pg_notify('app_changed', 'wave') from stored`,
    [waveId, measurerId, results, transcripts, exceptions, salt, list],
  );
}

/** Where a measurer is in a wave. */
export type WaveProgress = {
  /** The first block of the wave. */
  fillBlock: number;
  /** What it committed to; null: nothing, or not exported yet. */
  commitment: Hex | null;
  isRevealed: boolean;
};

/** Undefined for a wave that the chain does not have. */
export async function readProgress(
  pool: Database,
  waveId: number,
  measurerId: number,
): Promise<WaveProgress | undefined> {
  const { rows } = await pool.query<WaveProgress>(
    `select wave.fill_block::float8 as "fillBlock", own.commitment,
       own.results_root is not null as "isRevealed"
     from chain.wave left join chain.wave_measurer as own
       on own.wave_id = wave.wave_id and own.measurer_id = $2
     where wave.wave_id = $1`,
    [waveId, measurerId],
  );
  return rows[0];
}

/** The reveals of a wave that were not sent, and that are not on the chain. */
export async function readUnsent(pool: Database, waveId: number): Promise<StoredReveal[]> {
  const { rows } = await pool.query<StoredReveal>(
    `select given.measurer_id as "measurerId", given.results, given.transcripts, given.exceptions, given.salt, given.list
     from app.wave_reveal as given join chain.wave_measurer as own using (wave_id, measurer_id)
     where given.wave_id = $1 and given.sent_at is null and own.results_root is null order by given.measurer_id`,
    [waveId],
  );
  return rows;
}

export async function recordSent(
  pool: Database,
  waveId: number,
  measurerIds: readonly number[],
): Promise<void> {
  await pool.query(
    "update app.wave_reveal set sent_at = now() where wave_id = $1 and measurer_id = any($2)",
    [waveId, measurerIds],
  );
}
