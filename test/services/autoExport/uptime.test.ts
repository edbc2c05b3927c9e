import { loadDefinitions } from "@ngpu/auto-export/definitions";
import type { FollowedBlock } from "@ngpu/chain-reader/blocks";
import type { ChainLog } from "@ngpu/chain-reader/rpc";
import { heartbeatEncodings } from "@ngpu/contracts-sdk/enumNames";
import type { Connection } from "@ngpu/db/pool";
import { absenteesOf, encodeHeartbeats, type HeartbeatBits } from "@ngpu/protocol/heartbeatBits";
import { nodesOfWord, wordsOf } from "@ngpu/protocol/heartbeatWords";
import { countPresence } from "@ngpu/protocol/presence";
import { readPresence } from "@ngpu/queries/presence";
import { expect } from "chai";
import fc from "fast-check";
import { type Hex, numberToHex, pad } from "viem";
import { buildSchema } from "../../../services/autoExport/build.ts";
import { indexEvents, rowsOf } from "../../../services/autoExport/decode.ts";
import { prepareWriter, revertBlocks, saveBlocks } from "../../../services/autoExport/store.ts";
import { eventLog, type ScriptedLog, testGenerations } from "../../packages/chain-reader/scriptedChain.ts";
import { runs } from "../../support/runs.ts";
import { emptyChain, setup } from "./setup.ts";

const definitions = loadDefinitions();
const find = indexEvents(definitions.tables, testGenerations);
const lastSlot = 12;
const nodeId = fc.integer({ min: 1, max: 20 });
const slot = fc.nat(lastSlot);

const commit = fc
  .record({ slot, nodeCount: fc.integer({ min: 0, max: 18 }), absent: fc.array(nodeId, { maxLength: 6 }) })
  .map(({ slot, nodeCount, absent }) => {
    const ids = Array.from({ length: nodeCount }, (_, index) => index + 1);
    return {
      type: "commit" as const,
      slot,
      ...encodeHeartbeats(nodeCount, new Set(ids.filter((id) => !absent.includes(id)))),
    };
  });
const dispute = fc.record({
  type: fc.constant("dispute" as const),
  slot,
  nodeIds: fc.uniqueArray(fc.oneof({ weight: 4, arbitrary: nodeId }, fc.integer({ min: 250, max: 260 })), {
    minLength: 1,
    maxLength: 6,
  }),
});
const challenge = fc.record({ type: fc.constant("challenge" as const), nodeId, slot, length: fc.nat(4) });
type Event = typeof commit | typeof dispute | typeof challenge extends fc.Arbitrary<infer One> ? One : never;

/** Blocks that are stored together, after a reorg of the newest `reorg` blocks. */
const acts = fc.array(
  fc.record({
    reorg: fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, fc.nat(6)),
    blocks: fc.array(
      fc.array(fc.oneof({ weight: 3, arbitrary: commit }, dispute, challenge), { maxLength: 4 }),
      { minLength: 1, maxLength: 5 },
    ),
  }),
  { minLength: 1, maxLength: 6 },
);

describe("the uptime of nodes", function () {
  this.timeout(240_000);
  let market: Awaited<ReturnType<typeof setup>>;
  let db: Connection;

  before(async () => {
    market = await setup();
    db = await market.db.connect();
    await build();
  });
  after(async () => {
    db.release(true);
    await market.drop();
  });

  const build = async () => {
    await db.query("set search_path to chain");
    const origin = {
      chainId: 31337,
      startBlock: 1n,
      startHash: "0x",
      contracts: {},
      definitions: "test",
      version: 1,
    };
    await buildSchema(db, definitions, origin);
    await prepareWriter(db, definitions);
  };
  const begin = () => emptyChain(db);
  const save = (blocks: FollowedBlock[]) =>
    saveBlocks(db, definitions, blocks, rowsOf(blocks, find), { silent: true });
  const versions = async () =>
    (await db.query("select * from node_uptime_history order by node_id, valid_from")).rows;

  it("equals countPresence over all slots, at every block and for any order of slots and corrections", async () => {
    await fc.assert(
      fc.asyncProperty(acts, async (given) => {
        await begin();
        let chain: FollowedBlock[] = [];
        for (const [fork, { reorg, blocks }] of given.entries()) {
          if (reorg > 0 && chain.length > 0) {
            chain = chain.slice(0, -reorg);
            await revertBlocks(db, definitions, chain.at(-1) ?? null);
          }
          const next = follow(chain, blocks, fork);
          await save(next);
          chain.push(...next);
        }
        for (const { number } of chain)
          expect(await storedCounts(db, number)).to.deep.equal(await expectedCounts(db, number));
        const stored = await versions();
        // The rows are the same when the blocks are stored one by one.
        await begin();
        for (const block of chain) await save([block]);
        expect(await versions()).to.deep.equal(stored);
      }),
      { numRuns: runs(10) },
    );
  });

  it("adds no version for a node that stays present or stays absent", async () => {
    await begin();
    const present = new Set([1, 2, 4]);
    const blocks = Array.from({ length: 50 }, (_, slot): Event[] => [
      { type: "commit", slot, ...encodeHeartbeats(4, present) },
    ]);
    await save(follow([], blocks, 0));
    const { rows } = await db.query(
      "select node_id::int, count(*)::int as versions from node_uptime_history group by 1 order by 1",
    );
    expect(rows.map(({ node_id, versions }) => [node_id, versions])).to.deep.equal([
      [0, 50],
      [1, 1],
      [2, 1],
      [3, 1],
      [4, 1],
    ]);
    expect((await storedCounts(db, 20n))[3]).to.deep.equal({ presentSlots: 0, totalSlots: 20 });
  });

  it("decodes both encodings as the node client does", async () => {
    await begin();
    const bits = fc.oneof(
      fc
        .nat(70)
        .chain((nodeCount) =>
          fc
            .uint8Array({ minLength: Math.ceil(nodeCount / 8), maxLength: Math.ceil(nodeCount / 8) })
            .map((bytes) => ({ encoding: "bitmap" as const, nodeCount, bytes })),
        ),
      fc.record({
        encoding: fc.constant("absentees" as const),
        nodeCount: fc.nat(100_000),
        bytes: fc
          .tuple(
            fc.array(fc.array(fc.integer({ min: 0x80, max: 0xff }), { maxLength: 2 })),
            fc.array(fc.nat(0x7f)),
          )
          .map(([longs, ends]) =>
            Uint8Array.from(ends.flatMap((end, place) => [...(longs[place] ?? []), end])),
          ),
      }),
    );
    await fc.assert(
      fc.asyncProperty(bits, async ({ encoding, nodeCount, bytes }) => {
        const hex: Hex = `0x${Buffer.from(bytes).toString("hex")}`;
        const { rows } = await db.query<{ ids: bigint[] }>("select absentees($1, $2, $3)::int[] as ids", [
          encoding,
          nodeCount,
          hex,
        ]);
        expect(rows[0]?.ids).to.deep.equal(absenteesOf({ encoding, nodeCount, bits: hex }));
      }),
    );
  });
});

/** The blocks of a fork on top of a chain. No slot is committed twice, as the contract requires. */
function follow(chain: readonly FollowedBlock[], blocks: Event[][], fork: number): FollowedBlock[] {
  const committed = new Set(
    chain.flatMap(({ logs }) =>
      logs.flatMap(({ topics }) => (topics[0] === commitTopic ? [BigInt(topics[1] as Hex)] : [])),
    ),
  );
  const set = new Set(
    chain.flatMap(({ logs }) =>
      logs.flatMap(({ topics, data }) =>
        topics[0] === disputeTopic
          ? nodesOfWord({ index: Number(topics[2]), bits: data }).map(
              (id) => `${BigInt(topics[1] as Hex)}/${id}`,
            )
          : [],
      ),
    ),
  );
  let parentHash = chain.at(-1)?.hash ?? pad("0x");
  return blocks.map((events, index) => {
    const number = BigInt(chain.length + index + 1);
    const hash = pad(numberToHex(number * 100n + BigInt(fork)));
    const place = { blockNumber: number, blockHash: hash, transactionHash: hash };
    const taken = events.filter((event) => {
      if (event.type !== "commit") return true;
      if (committed.has(BigInt(event.slot))) return false;
      committed.add(BigInt(event.slot));
      return true;
    });
    const scripted = taken.flatMap((event) =>
      event.type === "dispute" ? disputed(event, set) : [logOf(event)],
    );
    const logs = scripted.map((log, logIndex) => ({ ...log, ...place, logIndex }) as ChainLog);
    const block = { number, hash, parentHash, timestamp: 1_800_000_000n + number, logs };
    parentHash = hash;
    return block;
  });
}

function logOf(event: Exclude<Event, { type: "dispute" }>): ScriptedLog {
  if (event.type === "challenge") {
    const { nodeId, slot, length } = event;
    return eventLog("ComputeNode", "PresenceChallenged", {
      nodeId,
      firstSlot: BigInt(slot),
      lastSlot: BigInt(slot + length),
    });
  }
  return committedLog(event);
}

function committedLog({ slot, encoding, nodeCount, bits }: HeartbeatBits & { slot: number }): ScriptedLog {
  return eventLog("ComputeNode", "HeartbeatsCommitted", {
    slot: BigInt(slot),
    encoding: heartbeatEncodings.indexOf(encoding),
    nodeCount,
    bits,
  });
}

const [commitTopic] = committedLog({ slot: 0, encoding: "bitmap", nodeCount: 0, bits: "0x" }).topics;

/** The logs of a dispute: each bit is set once, as the contract does. */
function disputed({ slot, nodeIds }: { slot: number; nodeIds: number[] }, set: Set<string>): ScriptedLog[] {
  const fresh = nodeIds.filter((id) => !set.has(`${slot}/${id}`));
  for (const id of fresh) set.add(`${slot}/${id}`);
  return wordsOf(fresh).map(({ index, bits }) =>
    eventLog("ComputeNode", "HeartbeatsDisputed", { slot: BigInt(slot), word: index, bits }),
  );
}

const [disputeTopic] = eventLog("ComputeNode", "HeartbeatsDisputed", {
  slot: 0n,
  word: 0,
  bits: `0x${"0".repeat(64)}`,
}).topics;

type Counts = Record<number, { presentSlots: number; totalSlots: number }>;

async function storedCounts(db: Connection, block: bigint): Promise<Counts> {
  const { rows } = await db.query(
    `select node_id::int, present_slots::int as "presentSlots", total_slots::int as "totalSlots" from uptime_at($1) where total_slots > 0 or present_slots <> 0`,
    [block],
  );
  return Object.fromEntries(rows.map(({ node_id, ...counts }) => [node_id, counts]));
}

async function expectedCounts(db: Connection, block: bigint): Promise<Counts> {
  const facts = await readPresence(db, block, { firstSlot: 0, endSlot: 2 ** 20 });
  return Object.fromEntries([...countPresence(facts)].filter(([, { totalSlots }]) => totalSlots > 0));
}
