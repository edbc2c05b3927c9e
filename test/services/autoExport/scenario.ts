import fc from "fast-check";
import {
  createScriptedChain,
  eventLog,
  type Faults,
  randomFrom,
  type ScriptedLog,
} from "../../packages/chain-reader/scriptedChain.ts";
import { spec, word } from "./fixtures.ts";
import { createMarket } from "./market.ts";
import { mineNext, setup, silent, startExporter, tipOf, until, untilStored } from "./setup.ts";

const someFaults: fc.Arbitrary<Faults> = fc.record(
  {
    timeout: fc.constant(0.05),
    busy: fc.constant(0.05),
    broken: fc.constant(0.05),
    nullBlock: fc.constant(0.05),
    cut: fc.constant(0.1),
    otherFork: fc.constant(0.3),
    hidden: fc.constant(0.3),
    missing: fc.constant(0.2),
    lag: fc.constant(0.2),
    rangeLimit: fc.constantFrom(5n, 20n),
  },
  { requiredKeys: [] },
);

const act = <Type extends string, Fields>(
  type: Type,
  fields: { [Key in keyof Fields]: fc.Arbitrary<Fields[Key]> },
) => fc.record({ type: fc.constant(type), ...fields }) as fc.Arbitrary<{ type: Type } & Fields>;
const count = (min: number, max: number) => fc.integer({ min, max });

/** Kinds of reorg, each with its numbers of blocks. */
const kinds = {
  deepReorg: act("deepReorg", { depth: count(500, 1_000), blocks: count(1, 60) }),
  reorgInBackfill: act("reorgInBackfill", {
    ahead: count(200, 400),
    depth: count(100, 300),
    blocks: count(1, 60),
  }),
  reorgOfReorg: act("reorgOfReorg", { depth: count(5, 60), blocks: count(5, 60), second: count(1, 120) }),
  emptyReplacement: act("emptyReplacement", { depth: count(1, 60), blocks: count(0, 70) }),
  otherOrder: act("otherOrder", { logs: count(2, 6) }),
};

const others = fc.oneof(
  // The exporter reaches the head, so that the next reorg removes rows.
  act("catchUp", {}),
  act("mine", { blocks: count(1, 40) }),
  act("reorg", { depth: count(1, 60), blocks: count(0, 60) }),
  act("faults", { faults: someFaults }),
  // Number of requests before the kill: during a backfill, during a reorg, or while idle.
  act("kill", { after: count(1, 60) }),
);

/** Every kind of reorg at least once, among other acts, in any order. */
export const anyActs = fc
  .tuple(fc.tuple(...Object.values(kinds)), fc.array(others, { minLength: 2, maxLength: 8 }))
  .chain(([reorgs, rest]) =>
    fc.shuffledSubarray([...reorgs, ...rest], { minLength: reorgs.length + rest.length }),
  );

export type Act = typeof anyActs extends fc.Arbitrary<(infer One)[]> ? One : never;

/** What scenarios covered: the depths of the reorgs that removed stored rows, and the number of each kind of reorg. */
export type Coverage = Record<keyof typeof kinds, number> & { depths: bigint[] };

export const emptyCoverage = (): Coverage => ({
  deepReorg: 0,
  reorgInBackfill: 0,
  reorgOfReorg: 0,
  emptyReplacement: 0,
  otherOrder: 0,
  depths: [],
});

/** A chain of a market, and an exporter that follows it and is killed, while acts are played. */
export async function createScenario(seed: number, coverage: Coverage) {
  const random = randomFrom(seed);
  const chain = createScriptedChain(random);
  const market = createMarket(random);
  const exported = await setup();
  const logger = {
    ...silent,
    warn: (fields: { event: string; depth?: bigint }) => {
      if (fields.event === "chain_reorg") coverage.depths.push(fields.depth ?? 0n);
    },
  };
  const starting = () =>
    startExporter(exported.database, chain.client, { following: { interval: 2, maxRange: 30n }, logger });
  const mine = (blocks: number, most = 6) => {
    for (let block = 0; block < blocks; block++) mineNext(chain, market, Math.floor(random() * most));
  };
  const mineLogs = (logs: ScriptedLog[]) => mineNext(chain, market, 0, logs);
  mine(20);
  let exporter = starting();
  const tip = async () => (await tipOf(exported.db))?.number ?? 0n;
  const catchUp = async () => {
    chain.misbehave({});
    mine(Math.max(0, Number((await tip()) - chain.head().number)) + 1);
    await untilStored(exported.db, chain);
  };
  const requests = (more: number) => {
    const enough = chain.requests() + more;
    return until("requests", async () => chain.requests() > enough);
  };
  const kill = async () => {
    // Terminates its connection at any point, as the death of its process does.
    await exported.db.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'autoExport' and datname = current_database()",
    );
    await exporter.stop();
    exporter = starting();
  };

  const play: { [Type in Act["type"]]: (step: Extract<Act, { type: Type }>) => Promise<void> } = {
    catchUp,
    mine: async ({ blocks }) => mine(blocks),
    faults: async ({ faults }) => chain.misbehave(faults),
    kill: async ({ after }) => {
      await requests(after);
      await kill();
    },
    reorg: async ({ depth, blocks }) => {
      chain.rewind(depth);
      mine(blocks);
    },
    deepReorg: async ({ depth, blocks }) => {
      mine(Math.max(0, depth + 1 - Number(chain.head().number)), 2);
      await catchUp();
      chain.rewind(depth);
      mine(blocks);
      // The stored blocks are reverted only once the new chain is longer.
      await catchUp();
      coverage.deepReorg += 1;
    },
    reorgInBackfill: async ({ ahead, depth, blocks }) => {
      await catchUp();
      mine(ahead, 2);
      await requests(10);
      const behind = (await tip()) < chain.head().number;
      chain.rewind(depth);
      mine(blocks);
      if (behind) coverage.reorgInBackfill += 1;
    },
    reorgOfReorg: async ({ depth, blocks, second }) => {
      await catchUp();
      chain.rewind(depth);
      mine(blocks);
      await requests(second);
      // Replaces blocks of the first reorg, or also blocks below them.
      chain.rewind(Math.min(blocks, 1 + second));
      mine(blocks);
      coverage.reorgOfReorg += 1;
    },
    emptyReplacement: async ({ depth, blocks }) => {
      await catchUp();
      chain.rewind(depth);
      mine(blocks, 0);
      coverage.emptyReplacement += 1;
    },
    otherOrder: async ({ logs }) => {
      const priced = Array.from({ length: logs }, (_, index) => repriced(BigInt(index)));
      mineLogs([registered]);
      mineLogs(priced);
      await catchUp();
      chain.rewind(2);
      mineLogs(priced.toReversed());
      coverage.otherOrder += 1;
    },
  };

  return {
    chain,
    exported,
    mine,
    catchUp,
    play: async (step: Act) => {
      await (play[step.type] as (step: Act) => Promise<void>)(step);
      await requests(5);
    },
    stop: () => exporter.stop(),
    drop: async () => {
      await exporter.stop();
      await exported.drop();
    },
  };
}

const nodeId = 9_000;
const registered = eventLog("ComputeNode", "NodeRegistered", {
  nodeId,
  key: word(nodeId, 20),
  wallet: word(0, 20),
  isBound: false,
  spec: spec(1),
  pricePerSecond: 1n,
  gpuName: "",
  gpuUuids: [],
});
const repriced = (pricePerSecond: bigint) =>
  eventLog("ComputeNode", "NodeSpecUpdated", { nodeId, spec: spec(1), pricePerSecond, gpuName: "" });
