import type { FollowedBlock } from "@ngpu/chain-reader/blocks";
import { type FollowOptions, follow } from "@ngpu/chain-reader/followChain";
import type { FollowStep } from "@ngpu/chain-reader/followSteps";
import type { BlockRef } from "@ngpu/chain-reader/reconcile";
import { FatalError } from "@ngpu/runtime/errors";
import { createLogger } from "@ngpu/runtime/logger";
import { expect } from "chai";
import fc from "fast-check";
import { HttpRequestError, numberToHex, pad } from "viem";
import { runs } from "../../support/runs.ts";
import {
  createScriptedChain,
  eventLog,
  type Faults,
  randomFrom,
  type ScriptedChain,
  type ScriptedLog,
  testContracts,
} from "./scriptedChain.ts";

const silent = createLogger("test", "silent");
const log = (nodeId: number): ScriptedLog =>
  eventLog("ComputeNode", "NodeWalletSet", { nodeId, wallet: testContracts.Token });

/** A consumer that stores blocks in memory and checks that each step extends them. */
function createConsumer(chain: ScriptedChain, options: Partial<FollowOptions> = {}) {
  let stored: FollowedBlock[] = [];
  const steps: FollowStep[] = [];
  const from = options.from ?? 1n;
  const refs = (): BlockRef[] => stored.map(({ number, hash }) => ({ number, hash }));

  function apply(step: FollowStep): void {
    steps.push(step);
    if (step.type === "reorg") {
      const last = step.ancestor?.number ?? -1n;
      stored = stored.filter(({ number }) => number <= last);
      expect(stored.at(-1)?.hash).to.equal(step.ancestor?.hash);
      return;
    }
    for (const block of step.blocks) {
      const tip = stored.at(-1);
      if (options.headers !== "logged") {
        expect(block.number).to.equal(tip === undefined ? from : tip.number + 1n);
        if (tip !== undefined) expect(block.parentHash).to.equal(tip.hash);
      }
      stored.push(block);
    }
  }

  /** Follows until `done`, or until `dies` before a step is stored. */
  async function run(done: () => boolean, dies: () => boolean = () => false): Promise<void> {
    const abort = new AbortController();
    const cursor = {
      recent: async () => refs().slice(-5),
      older: async (below: bigint) =>
        refs()
          .filter(({ number }) => number < below)
          .slice(-7),
    };
    const steps = follow({
      client: chain.client,
      addresses: [testContracts.ComputeNode],
      from,
      cursor,
      signal: abort.signal,
      logger: silent,
      interval: 0,
      onHead: () => {
        if (done()) abort.abort();
      },
      ...options,
    });
    for await (const step of steps) {
      if (dies()) return;
      apply(step);
    }
  }

  const upToDate = () => stored.at(-1)?.hash === chain.head().hash;
  return { run, steps, stored: () => stored, upToDate };
}

/** The blocks that the consumer must hold: those of the chain, with the logs of the one contract. */
function expected(chain: ScriptedChain, from = 1n) {
  return chain
    .blocks()
    .filter(({ number }) => number >= from)
    .map(({ number, hash, logs }) => ({
      number,
      hash,
      logs: logs.flatMap(({ address, topics }, index) =>
        address === testContracts.ComputeNode ? [{ index, topics }] : [],
      ),
    }));
}

function held(blocks: FollowedBlock[]) {
  return blocks.map(({ number, hash, logs }) => ({
    number,
    hash,
    logs: logs.map(({ logIndex, topics }) => ({ index: logIndex, topics })),
  }));
}

describe("following the chain", () => {
  it("yields every block with the requested logs, in order", async () => {
    const chain = createScriptedChain();
    const other = eventLog("Token", "MinterSet", { minter: testContracts.Pomc, limit: 1n });
    chain.mine([log(1), other, log(2)], [], [other], [log(3)]);
    const consumer = createConsumer(chain);
    await consumer.run(consumer.upToDate);
    expect(held(consumer.stored())).to.deep.equal(expected(chain));
  });

  it("starts at the given block", async () => {
    const chain = createScriptedChain();
    chain.mine(...Array.from({ length: 100 }, (_, index) => [log(index)]));
    const consumer = createConsumer(chain, { from: 40n });
    await consumer.run(consumer.upToDate);
    expect(held(consumer.stored())).to.deep.equal(expected(chain, 40n));
  });

  it("stays behind the head by the given confirmations", async () => {
    const chain = createScriptedChain();
    chain.mine([], [], [], [], []);
    const consumer = createConsumer(chain, { confirmations: 2n });
    await consumer.run(() => consumer.stored().length >= 3);
    expect(consumer.stored().at(-1)?.number).to.equal(3n);
  });

  it("reads smaller ranges from an endpoint that rejects large ones", async () => {
    const chain = createScriptedChain();
    chain.mine(...Array.from({ length: 400 }, (_, index) => (index % 3 === 0 ? [log(index)] : [])));
    chain.misbehave({ rangeLimit: 20n });
    const consumer = createConsumer(chain);
    await consumer.run(consumer.upToDate);
    expect(held(consumer.stored())).to.deep.equal(expected(chain));
  });

  it("detects an endpoint that returns no logs for blocks that it lacks", async () => {
    const chain = createScriptedChain();
    chain.mine(...Array.from({ length: 300 }, (_, index) => (index % 7 === 0 ? [log(index)] : [])));
    chain.misbehave({ hidden: 1 });
    const consumer = createConsumer(chain);
    await consumer.run(consumer.upToDate);
    expect(held(consumer.stored())).to.deep.equal(expected(chain));
  });

  it("rejects a block whose bloom filter contains omitted logs, and uses another endpoint", async () => {
    const chain = createScriptedChain(randomFrom(3));
    const other = eventLog("Token", "MinterSet", { minter: testContracts.Pomc, limit: 1n });
    chain.mine(
      ...Array.from({ length: 200 }, (_, index) => (index % 3 === 0 ? [log(index), other] : [other])),
    );
    chain.misbehave({ missing: 1 });
    const errors: string[] = [];
    const onError = (code: string) => void errors.push(code);
    const alone = createConsumer(chain, { onError, maxRange: 10n });
    await alone.run(() => errors.length > 20);
    expect(new Set(errors)).to.deep.equal(new Set(["rpc_logs_missing"]));
    // The stored blocks are complete: those before the first rejected one.
    expect(held(alone.stored())).to.deep.equal(expected(chain).slice(0, alone.stored().length));
    const honest = createScriptedChain();
    honest.copy(chain);
    const helped = createConsumer(chain, {
      client: { ...chain.client, otherEndpoints: honest.client } as FollowOptions["client"],
      onError,
    });
    await helped.run(helped.upToDate);
    expect(held(helped.stored())).to.deep.equal(expected(chain));
  });

  for (const [what, missing] of Object.entries({
    "no logs": [],
    "an error": new HttpRequestError({ url: "scripted", status: 400 }),
  })) {
    it(`follows an endpoint that returns ${what} for its newest 5 blocks, as far behind its head`, async () => {
      const chain = createScriptedChain();
      const mine = (count: number) =>
        chain.mine(...Array.from({ length: count }, (_, index) => [log(index)]));
      mine(120);
      const request = async (call: {
        method: string;
        params: [{ blockHash?: string; fromBlock?: string }];
      }) => {
        const [query] = call.params;
        const number =
          call.method !== "eth_getLogs"
            ? 0n
            : (chain.blocks().find(({ hash }) => hash === query.blockHash)?.number ??
              BigInt(query.fromBlock ?? 0));
        if (number <= chain.head().number - 5n) return chain.client.request(call as never);
        if (missing instanceof Error) throw missing;
        return missing;
      };
      const errors = new Set<string>();
      const consumer = createConsumer(chain, {
        client: { request } as unknown as FollowOptions["client"],
        onError: (code) => errors.add(code),
      });
      const behind = (blocks: bigint) => consumer.stored().at(-1)?.number === chain.head().number - blocks;
      await consumer.run(() => behind(5n));
      mine(3);
      await consumer.run(() => behind(5n));
      expect(held(consumer.stored())).to.deep.equal(expected(chain).slice(0, -5));
      expect([...errors]).to.deep.equal([missing instanceof Error ? "rpc_failed" : "rpc_logs_missing"]);
    });
  }

  it("accepts a false positive of a bloom filter", async () => {
    const chain = createScriptedChain();
    const other = eventLog("Token", "MinterSet", { minter: testContracts.Pomc, limit: 1n });
    // So many logs of another contract that they set the bits of the followed contract.
    const many = Array.from({ length: 3_000 }, (_, index) => ({
      ...other,
      topics: [other.topics[0] as `0x${string}`, pad(numberToHex(index), { size: 32 })],
    }));
    chain.mine([other], many, many.slice(0, 900), [log(1)]);
    const consumer = createConsumer(chain);
    await consumer.run(consumer.upToDate);
    expect(held(consumer.stored())).to.deep.equal(expected(chain));
  });

  it("rejects logs of a fork that the endpoint has left", async () => {
    const chain = createScriptedChain(randomFrom(1));
    const filled = (base: number) => Array.from({ length: 150 }, (_, index) => [log(base + index)]);
    chain.mine(...filled(0));
    chain.rewind(150);
    chain.mine(...filled(1_000));
    chain.misbehave({ otherFork: 0.5 });
    const consumer = createConsumer(chain, { maxRange: 10n });
    await consumer.run(consumer.upToDate);
    expect(held(consumer.stored())).to.deep.equal(expected(chain));
  });

  it("rejects a block that is not linked to the one before it", async () => {
    const chain = createScriptedChain(randomFrom(1));
    chain.mine(...Array.from({ length: 20 }, (_, index) => [log(index)]));
    chain.rewind(15);
    chain.mine(...Array.from({ length: 20 }, (_, index) => [log(1_000 + index)]));
    chain.misbehave({ lag: 0.2 });
    const errors: string[] = [];
    const consumer = createConsumer(chain, { onError: (code) => errors.push(code) });
    await consumer.run(consumer.upToDate);
    expect(errors).to.include("rpc_blocks_unlinked");
    expect(held(consumer.stored())).to.deep.equal(expected(chain));
  });

  it("splits busy ranges into steps of bounded size", async () => {
    const chain = createScriptedChain();
    const busy = Array.from({ length: 900 }, (_, index) => log(index));
    chain.mine(...Array.from({ length: 30 }, () => busy));
    const consumer = createConsumer(chain);
    await consumer.run(consumer.upToDate);
    const sizes = consumer.steps.map((step) =>
      step.type === "blocks" ? step.blocks.reduce((sum, { logs }) => sum + logs.length, 0) : 0,
    );
    expect(sizes).to.deep.equal([9_900, 9_900, 7_200]);
  });

  it("discards every block when none is on the chain any more", async () => {
    const chain = createScriptedChain();
    chain.mine([log(1)], [log(2)]);
    const consumer = createConsumer(chain);
    await consumer.run(consumer.upToDate);
    chain.rewind(2);
    chain.mine([log(3)], [log(4)], [log(5)]);
    await consumer.run(consumer.upToDate);
    expect(consumer.steps).to.deep.include({ type: "reorg", ancestor: null, depth: 2n });
    expect(held(consumer.stored())).to.deep.equal(expected(chain));
  });

  it("keeps every block while the endpoint serves another chain, and goes on when it is back", async () => {
    for (const blocks of [1, 5]) {
      const chain = createScriptedChain();
      chain.mine([log(1)], [log(2)], [log(3)]);
      let served = 10;
      let asked = 0;
      const request: FollowOptions["client"]["request"] = (async (given: { method: string }) => {
        if (given.method !== "eth_chainId") return chain.client.request(given as never);
        asked += 1;
        return numberToHex(served);
      }) as never;
      const consumer = createConsumer(chain, { client: { ...chain.client, request, chain: { id: 10 } } });
      await consumer.run(consumer.upToDate);
      const before = held(consumer.stored());
      served = 11;
      chain.rewind(3);
      chain.mine(...Array.from({ length: blocks }, (_none, index) => [log(10 + index)]));
      await consumer.run(() => asked > 3);
      expect(held(consumer.stored())).to.deep.equal(before);
      served = 10;
      await consumer.run(consumer.upToDate);
      expect(held(consumer.stored())).to.deep.equal(expected(chain));
    }
  });

  it("waits while an endpoint lags", async () => {
    const chain = createScriptedChain();
    chain.mine(...Array.from({ length: 10 }, (_, index) => [log(index)]));
    const consumer = createConsumer(chain);
    await consumer.run(consumer.upToDate);
    const all = chain.blocks();
    chain.rewind(4);
    let polls = 0;
    await consumer.run(() => ++polls > 5);
    expect(consumer.stored().length).to.equal(all.length - 1);
    expect(consumer.steps.map(({ type }) => type)).to.not.include("reorg");
  });

  it("throws a FatalError when the endpoint lacks a method", async () => {
    const chain = createScriptedChain();
    const { MethodNotFoundRpcError } = await import("viem");
    const broken = {
      request: () =>
        Promise.reject(new MethodNotFoundRpcError(new Error("no such method"), { method: "eth_getLogs" })),
    } as unknown as FollowOptions["client"];
    const consumer = createConsumer(chain, { client: broken });
    const thrown = await consumer.run(() => false).catch((error: unknown) => error);
    expect(thrown).to.be.instanceOf(FatalError);
    expect((thrown as FatalError).code).to.equal("rpc_method_unsupported");
  });

  const someFaults: fc.Arbitrary<Faults> = fc.record(
    {
      timeout: fc.constant(0.1),
      busy: fc.constant(0.1),
      broken: fc.constant(0.1),
      nullBlock: fc.constant(0.1),
      cut: fc.constant(0.2),
      otherFork: fc.constant(0.5),
      hidden: fc.constant(0.3),
      missing: fc.constant(0.3),
      lag: fc.constant(0.3),
      rangeLimit: fc.constantFrom(1n, 3n, 10n),
    },
    { requiredKeys: [] },
  );
  const act = fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({ type: fc.constant("mine" as const), count: fc.integer({ min: 1, max: 60 }) }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        type: fc.constant("reorg" as const),
        depth: fc.integer({ min: 1, max: 80 }),
        count: fc.integer({ min: 0, max: 90 }),
        empty: fc.boolean(),
      }),
    },
    { weight: 2, arbitrary: fc.record({ type: fc.constant("faults" as const), faults: someFaults }) },
    { weight: 2, arbitrary: fc.record({ type: fc.constant("catchUp" as const) }) },
    {
      weight: 2,
      arbitrary: fc.record({ type: fc.constant("kill" as const), after: fc.integer({ min: 0, max: 3 }) }),
    },
  );

  // Without headers, omitted logs of a range cannot be detected: `logged` trusts the endpoint.
  const bearable = { all: {}, logged: { hidden: 0, missing: 0, otherFork: 0, lag: 0 } };

  for (const headers of ["all", "logged"] as const) {
    it(`ends with the chain's own blocks after any reorgs, faults and kills (headers: ${headers})`, async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(act, { maxLength: 12 }), fc.nat(), async (acts, seed) => {
          const random = randomFrom(seed);
          const chain = createScriptedChain(random);
          const consumer = createConsumer(chain, { headers, maxRange: 25n });
          const contents = (count: number, empty: boolean) =>
            Array.from({ length: count }, () =>
              empty
                ? []
                : Array.from({ length: Math.floor(random() * 3) }, () => log(Math.floor(random() * 1e6))),
            );
          const catchUp = async () => {
            chain.misbehave({});
            const missing = Number((consumer.stored().at(-1)?.number ?? 0n) - chain.head().number);
            chain.mine(...contents(Math.max(0, missing) + 1, false));
            await consumer.run(consumer.upToDate);
          };
          for (const action of acts) {
            if (action.type === "catchUp") {
              await catchUp();
              continue;
            }
            if (action.type === "mine") chain.mine(...contents(action.count, false));
            if (action.type === "faults") chain.misbehave({ ...action.faults, ...bearable[headers] });
            if (action.type === "reorg") {
              chain.rewind(action.depth);
              chain.mine(...contents(action.count, action.empty));
            }
            // A few polls, ending before or in the middle of a step.
            const deadline = chain.requests() + 30;
            let left = action.type === "kill" ? action.after : Number.POSITIVE_INFINITY;
            await consumer.run(
              () => chain.requests() > deadline,
              () => left-- <= 0,
            );
          }
          await catchUp();
          const wanted = expected(chain);
          const got = held(consumer.stored());
          if (headers === "all") expect(got).to.deep.equal(wanted);
          else {
            const numbers = new Set(got.map(({ number }) => number));
            expect(got).to.deep.equal(wanted.filter(({ number }) => numbers.has(number)));
            expect(
              wanted.filter(({ number, logs }) => logs.length > 0 && !numbers.has(number)),
            ).to.deep.equal([]);
          }
        }),
        { numRuns: runs(20) },
      );
    });
  }
});
