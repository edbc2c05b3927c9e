import type { Queryable } from "@ngpu/db/pool";
import { candidatesOf, type MarketBefore, type NodeAccounts, operatorsOf } from "@ngpu/waves/marketLogs";
import { defaultRules, type Rules, unpackRules } from "@ngpu/waves/rules";
import { stages, type WaveTerms } from "@ngpu/waves/schedule";
import type { WaveLog } from "@ngpu/waves/types";
import { assembleWave, type Wave } from "@ngpu/waves/waveLogs";
import type { Hex } from "viem";
import { newestClaim } from "./claims.ts";

export type WaveRow = {
  waveId: number;
  fillBlock: number;
  fillHash: Hex;
  /** Null: not recorded. */
  chaseHash: Hex | null;
  workHash: Hex | null;
  auditHash: Hex | null;
};

/** The waves whose first block is at most `until`, newest first. */
export async function readWaves(
  db: Queryable,
  until: bigint,
  { before, limit }: { before: number | null; limit: number },
): Promise<WaveRow[]> {
  const { rows } = await db.query<WaveRow>(
    `select wave_id::float8 as "waveId", fill_block::float8 as "fillBlock", fill_hash as "fillHash",
       chase_hash as "chaseHash", work_hash as "workHash", audit_hash as "auditHash" from chain.wave
      where fill_block <= $1 and ($2::bigint is null or wave_id < $2) order by wave_id desc limit $3`,
    [until, before, limit],
  );
  return rows;
}

/** A wave as `waveOf` computes it from logs, from the exported chain. */
export async function readWave(db: Queryable, row: WaveRow, terms: WaveTerms): Promise<Wave> {
  const last = BigInt(row.fillBlock) - 1n;
  const market = await readMarketBefore(db, last);
  const rules = await readRules(db, last);
  const { waveId, fillBlock, fillHash, ...hashes } = row;
  const recorded = hashes.auditHash === null ? [] : [logOf(waveId, "WaveSeedsRecorded", hashes)];
  const own = [...recorded, ...(await readPosts(db, waveId))];
  return assembleWave({ waveId, fillBlock, fillHash, own, market, rules, terms });
}

/** The state of the market that a wave is judged by: that after the block before its first one. */
async function readMarketBefore(db: Queryable, block: bigint): Promise<MarketBefore> {
  const nodes = await readAccounts(db, block);
  const { rows: claims } = await db.query<{ nodeId: number; devices: Hex[] }>(
    `select distinct on (node_id) node_id::float8 as "nodeId", devices from chain.hardware_claim_at($1) as claim
      order by node_id, ${newestClaim("claim")}`,
    [block],
  );
  const { rows: leased } = await db.query<{ nodeId: number }>(
    `select distinct node_id::float8 as "nodeId" from chain.assignment_at($1) where release_reason is null`,
    [block],
  );
  const { rows: measurers } = await db.query<{ measurerId: number; account: string }>(
    `select measurer_id::float8 as "measurerId", lower(coalesce(wallet, key)) as account from chain.measurer_at($1)
      where admitted order by measurer_id`,
    [block],
  );
  return {
    claims: new Map(claims.map(({ nodeId, devices }) => [nodeId, devices])),
    operators: operatorsOf(nodes),
    leased: new Set(leased.map(({ nodeId }) => nodeId)),
    measurers: candidatesOf(measurers, nodes),
  };
}

async function readAccounts(db: Queryable, block: bigint): Promise<Map<number, NodeAccounts>> {
  const { rows } = await db.query<{ nodeId: number; wallet: string | null; keys: string[] }>(
    `select node.node_id::float8 as "nodeId", lower(node.wallet) as wallet,
       array(select lower(past.key) from chain.node_history as past
         where past.node_id = node.node_id and past.valid_from <= $1 order by past.valid_from) as keys
     from chain.node_at($1) as node order by node.node_id`,
    [block],
  );
  return new Map(rows.map(({ nodeId, wallet, keys }) => [nodeId, { keys, wallet: wallet ?? undefined }]));
}

async function readRules(db: Queryable, block: bigint): Promise<Rules> {
  const { rows } = await db.query<Parameters<typeof unpackRules>[0]>(
    `select rules_drawn::int4 as drawn, rules_quorum::int4 as quorum, rules_spare::int4 as spare,
       rules_least_memory::int4 as "leastMemory", rules_least_bandwidth::int4 as "leastBandwidth",
       rules_least_arithmetic::int4 as "leastArithmetic", rules_counted::int4 as counted, rules_passes::int4 as passes,
       rules_loss_permille::int4 as "lossPermille", rules_kept_waves::int4 as "keptWaves"
     from chain.event_wave_rules_set where block_number <= $1 order by block_number desc, log_index desc limit 1`,
    [block],
  );
  const [set] = rows;
  return set === undefined ? defaultRules : unpackRules(set);
}

type MeasurerRow = {
  measurerId: number;
  chase: Hex | null;
  answers: Hex | null;
  commitment: Hex | null;
  results: Hex | null;
  transcripts: Hex | null;
  exceptions: Hex | null;
};

/** What measurers posted, as logs. */
async function readPosts(db: Queryable, waveId: number): Promise<WaveLog[]> {
  const { rows } = await db.query<MeasurerRow>(
    `select measurer_id::float8 as "measurerId", chase_root as chase, answers_root as answers, commitment,
       results_root as results, transcripts_root as transcripts, exceptions
     from chain.wave_measurer where wave_id = $1 order by measurer_id`,
    [waveId],
  );
  const { rows: lists } = await db.query<{ exceptions: Hex; list: Hex; block: string }>(
    `select exceptions, list, block_number::text as block from chain.event_exceptions_published where wave_id = $1
      order by block_number, log_index`,
    [waveId],
  );
  return [
    ...lists.map(({ block, ...args }) => logOf(waveId, "ExceptionsPublished", args, BigInt(block))),
    ...rows.flatMap(({ measurerId, chase, answers, commitment, results, ...revealed }) =>
      [
        ...posted(stages.chase, chase),
        ...posted(stages.answers, answers),
        ...posted(stages.results, commitment),
        ...(results === null ? [] : [logOf(waveId, "WaveRevealed", { measurerId, results, ...revealed })]),
      ].map((one) => ({ ...one, args: { measurerId, ...one.args } })),
    ),
  ];

  function posted(stage: number, root: Hex | null): WaveLog[] {
    return root === null ? [] : [logOf(waveId, "WavePosted", { stage, root })];
  }
}

/** A log of a wave. Only lists need their block: the contract checks that of all others. */
function logOf(waveId: number, name: string, args: Record<string, unknown>, block = 0n): WaveLog {
  return { contract: "ProofWaves", name, args: { waveId, ...args }, block };
}
