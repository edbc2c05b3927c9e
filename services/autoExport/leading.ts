import { type FollowOptions, follow } from "@ngpu/chain-reader/followChain";
import type { FollowStep } from "@ngpu/chain-reader/followSteps";
import type { RpcClient } from "@ngpu/chain-reader/rpc";
import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import type { Connection, Database } from "@ngpu/db/pool";
import type { Logger } from "@ngpu/runtime/logger";
import { type Loop, startLoop } from "@ngpu/runtime/loop";
import { startAudit } from "./audit.ts";
import { type EventIndex, indexEvents, rowsOf, sourceAddresses } from "./decode.ts";
import type { Definitions } from "./definitions.ts";
import { followHeads } from "./heads.ts";
import type { Watch } from "./metrics.ts";
import { createMutex } from "./mutex.ts";
import type { ComparedParts } from "./omittedLogs.ts";
import { planBuild } from "./prepare.ts";
import type { LogSetAside } from "./setAside.ts";
import { chainSchema, prepareWriter, readBlocks } from "./store.ts";
import { type Proven, recoverStep, repair, type StepRows, storeStep, type Writing } from "./writing.ts";

export type ExportParts = {
  pool: Database;
  client: RpcClient;
  deployment: Pick<Deployment, "chainId" | "startBlock" | "contracts" | "previous">;
  definitions: Definitions;
  watch: Watch;
  logger: Logger;
  signal: AbortSignal;
  /** Maximum number of blocks audited in a round, default 2; milliseconds between rounds, default 1,000. */
  audit?: { blocks?: number; interval?: number };
  /** Options of `follow`. */
  following?: Pick<FollowOptions, "interval" | "maxRange">;
};

const headsInterval = 1_000;
const recentBlocks = 1_024;

/**
 * Follows the chain and stores its steps. Returns when the signal is aborted, when a reorg removes every stored block, or when
 * blocks must be read again.
 */
export async function lead(parts: ExportParts, db: Connection, proven: Proven): Promise<void> {
  const { client, definitions, deployment, logger, watch } = parts;
  const { isEmpty, build } = await planBuild(parts, db);
  const ended = new AbortController();
  const signal = AbortSignal.any([parts.signal, ended.signal]);
  const exclusively = createMutex();
  const find = indexEvents(definitions.tables, deployment);
  const compared = comparedOf(parts, find);
  const onSetAside = reportSetAside(parts);
  const writing: Writing = { db, definitions, compared, proven, exclusively, ended, logger, onSetAside };
  // The next step is read and decoded while one is stored, and the first step while the schema is built. `follow` keeps its
  // own record of the steps it has returned.
  const ready = exclusively(async () => {
    await build();
    await prepareWriter(db, definitions);
    watch.setRole("leader");
  });
  ready.catch(() => ended.abort());
  const heads = startLoop({ name: "heads", logger, signal, interval: headsInterval }, () =>
    followHeads(client, db, exclusively),
  );
  const audit = startLeaderAudit(parts, writing, { ready, signal });
  try {
    await storeSteps(writing, followFrom(parts, writing, { isEmpty, signal }), { find, watch, ready });
  } finally {
    watch.setRole("starting");
    await heads.done;
    await audit?.done;
  }
}

function comparedOf({ client, pool, definitions, watch }: ExportParts, find: EventIndex): ComparedParts {
  return { client, pool, schema: chainSchema, definitions, find, onResult: watch.audited };
}

function followFrom(
  parts: ExportParts,
  { db, exclusively, proven }: Writing,
  { isEmpty, signal }: { isEmpty: boolean; signal: AbortSignal },
): AsyncIterable<FollowStep> {
  const { client, definitions, deployment, logger, watch } = parts;
  return follow({
    ...parts.following,
    client,
    addresses: sourceAddresses(definitions.tables, deployment),
    from: deployment.startBlock,
    proven,
    cursor: {
      recent: async () => (isEmpty ? [] : exclusively(() => readBlocks(db, null, recentBlocks))),
      older: (below) => exclusively(() => readBlocks(db, below, recentBlocks)),
    },
    signal,
    logger,
    onError: watch.recordRpcError,
    onHead: watch.recordHead,
  });
}

/** Starts the audit; returns undefined when it is disabled. */
function startLeaderAudit(
  { audit, logger }: ExportParts,
  writing: Writing,
  { ready, signal }: { ready: Promise<void>; signal: AbortSignal },
): Loop | undefined {
  const { blocks = 2, interval = 1_000 } = audit ?? {};
  if (blocks === 0) return undefined;
  const parts = { ...writing.compared, blocks, ready };
  return startAudit({ ...parts, repair: (found) => repair(writing, found) }, { logger, signal, interval });
}

/** Names and counts each log that is set aside. */
function reportSetAside({ logger, watch }: ExportParts): (one: LogSetAside) => void {
  return ({ log, source, code, reason }) => {
    const { contract, event } = source.table;
    const place = { block: log.blockNumber, logIndex: log.logIndex };
    logger.error({ event: "log_set_aside", contract, name: event, ...place, code, reason });
    watch.setAside(event, code);
  };
}

function decodeStep(step: FollowStep, find: EventIndex): StepRows {
  if (step.type !== "blocks") return { rows: new Map(), aside: [] };
  const aside: LogSetAside[] = [];
  return { rows: rowsOf(step.blocks, find, { onSetAside: (one) => aside.push(one) }), aside };
}

/** Stores steps in order. Ends when the writing ends or a step cannot be stored. */
async function storeSteps(
  writing: Writing,
  steps: AsyncIterable<FollowStep>,
  { find, watch, ready }: { find: EventIndex; watch: Watch; ready: Promise<void> },
): Promise<void> {
  const { exclusively, ended } = writing;
  let storing = ready;
  try {
    for await (const step of steps) {
      const decoded = decodeStep(step, find);
      await storing;
      storing = exclusively(() => storeStep(writing, step, decoded))
        .catch((error) => recoverStep(writing, step, error))
        .then((events) => {
          if (events !== undefined) watch.stored(step, events);
        });
      storing.catch(() => ended.abort());
      if (step.type === "reorg" && step.ancestor === null) break;
    }
    await storing;
  } finally {
    ended.abort();
    await Promise.allSettled([storing]);
  }
}
