import { expect } from "chai";
import fc from "fast-check";
import { parseEther } from "viem";
import { replace, retire } from "./support/generations.ts";
import { releaseLost, stateLoss } from "./support/losses.ts";
import { faultsOf } from "./support/reverts.ts";
import {
  assign,
  authorize,
  deposit,
  loadPartner,
  type PartnerFixture,
  partner,
  publish,
  report,
  state,
} from "./support/workspaces.ts";

type Step = { older: boolean } & (
  | { type: "deposit" | "withdraw" | "wait"; amount: number }
  | { type: "settle" | "collect" }
  | { type: "assign" | "run" | "stop" | "delete" | "lose"; workspace: 0 | 1; node: 1 | 2 }
);

const older = fc.boolean();
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    older,
    type: fc.constantFrom("deposit" as const, "withdraw" as const, "wait" as const),
    amount: fc.integer({ min: 1, max: 100_000 }),
  }),
  fc.record({ older, type: fc.constantFrom("settle" as const, "collect" as const) }),
  ...["assign", "assign", "run", "run", "stop", "delete", "lose"].map((type) =>
    fc.record({
      older,
      type: fc.constant(type as "run"),
      workspace: fc.constantFrom(0 as const, 1 as const),
      node: fc.constantFrom(1 as const, 2 as const),
    }),
  ),
);

/** One of several markets, with its workspaces and its escrow's deposits. */
type Generation = {
  market: PartnerFixture;
  published: Awaited<ReturnType<typeof publish>>[];
  deposited: bigint;
  withdrawn: bigint;
};

async function settleIn(market: PartnerFixture): Promise<Generation> {
  await deposit(market, partner.address, 1_000_000n);
  const authorizationId = await authorize(market, { nonce: 21n });
  const published = [
    await publish(market, {}, { authorizationId }),
    await publish(market, {}, { authorizationId }),
  ];
  return { market, published, deposited: 1_000_000n, withdrawn: 0n };
}

/** Does a step; a refused call changes nothing and is no failure here. */
async function act(generation: Generation, todo: Step): Promise<void> {
  const { market } = generation;
  const { escrow, docker, people, mined, time } = market;
  if (todo.type === "wait") {
    await time.increase(todo.amount);
  } else if (todo.type === "deposit") {
    const before = await escrow.read.balanceOf([partner.address]);
    await deposit(market, partner.address, BigInt(todo.amount)).catch(() => undefined);
    generation.deposited += (await escrow.read.balanceOf([partner.address])) - before;
  } else if (todo.type === "withdraw") {
    const before = await escrow.read.balanceOf([partner.address]);
    const own = { account: partner.address };
    await faultsOf(mined(escrow.write.withdraw([BigInt(todo.amount), people.outsider], own)));
    generation.withdrawn += before - (await escrow.read.balanceOf([partner.address]));
  } else if (todo.type === "settle") {
    const refs = await Promise.all(generation.published.map(({ workspaceId }) => refOf(market, workspaceId)));
    await escrow.write.settle([refs.map(({ ref }) => ref)]);
  } else if (todo.type === "collect") {
    await escrow.write.collect([[1, 2]]);
  } else if ("workspace" in todo) {
    const { workspaceId, spec } = generation.published[todo.workspace] as Generation["published"][number];
    const { ref, fence, nodeId, sequence } = await refOf(market, workspaceId);
    const signer = nodeId === 2 ? market.nodes.second.key : market.nodes.first.key;
    const say = (to: number) => report(market, { ref, fence }, to, sequence + 1, {}, signer);
    if (todo.type === "assign") {
      const item = { workspaceId, replica: 0, nodeId: todo.node, start: true, spec };
      await faultsOf(assign(market, [item]));
    } else if (todo.type === "run") await say(state.running);
    else if (todo.type === "stop") await say(state.stopped);
    else if (todo.type === "delete") {
      await docker.write.requestDelete([[ref]], { account: people.delegate });
      await say(state.deleted);
    } else await releaseLost(market, [{ ref, spec }], [await stateLoss(market, nodeId)]);
  }
}

async function refOf({ docker }: PartnerFixture, workspaceId: bigint) {
  const { lease, ...assignment } = await docker.read.assignmentOf([workspaceId, 0]);
  return { ref: { workspaceId, replica: 0, lease }, ...assignment };
}

/** deposits = balances + owed + paid + burned for waits, in each. */
async function checkBooks({ market, deposited, withdrawn }: Generation): Promise<void> {
  const { escrow, token } = market;
  const balance = await escrow.read.balanceOf([partner.address]);
  const waits = await escrow.getEvents.WaitCharged({}, { fromBlock: 0n });
  const burned = waits.reduce((sum, { args }) => sum + (args.amount ?? 0n), 0n);
  const spent = burned + (await escrow.read.totalSpentBy([partner.address]));
  expect(balance + spent).to.equal(deposited - withdrawn);
  const owed = (await escrow.read.earnedBy([1])) + (await escrow.read.earnedBy([2]));
  expect(await token.read.balanceOf([escrow.address])).to.equal(balance + owed);
}

/** reserved + free = spec over all of them, and each holds as many reservations as it has live leases. */
async function checkCapacity(generations: readonly Generation[]): Promise<void> {
  const reserved = new Map([1, 2].map((nodeId) => [nodeId, 0]));
  for (const { market, published } of generations) {
    let live = 0n;
    for (const { workspaceId } of published) {
      const { nodeId, state: is } = await refOf(market, workspaceId);
      if (is < state.assigned || is > state.failed) continue;
      live += 1n;
      reserved.set(nodeId, (reserved.get(nodeId) ?? 0) + 2_000);
    }
    expect((await market.computeNode.read.dockerOf([market.docker.address]))[2]).to.equal(live);
  }
  for (const [nodeId, amount] of reserved) {
    const { computeNode } = (generations[0] as Generation).market;
    const [spec] = await computeNode.read.specOf([nodeId]);
    expect((await computeNode.read.freeOf([nodeId])).cpuMilli + amount).to.equal(spec.total.cpuMilli);
  }
}

/** Ends every lease as its owner and node do, and withdraws everything. */
async function leave(generation: Generation): Promise<void> {
  const { market, published } = generation;
  const { escrow, computeNode, docker, time, token } = market;
  for (const workspace of [0, 1] as const) {
    await act(generation, { older: false, type: "delete", workspace, node: 1 });
  }
  expect(published.length).to.equal(2);
  expect((await computeNode.read.dockerOf([docker.address]))[2]).to.equal(0n);
  const rest = await escrow.read.withdrawableOf([partner.address]);
  if (rest > 0n) await escrow.write.withdraw([rest, partner.address], { account: partner.address });
  await time.increase(3 * 86_400);
  await escrow.write.collect([[1, 2]]);
  expect(await token.read.balanceOf([escrow.address])).to.equal(0n);
}

describe("Generations: money and capacity", () => {
  it("are conserved in each, and over all, through random sequences in which the market is replaced", async function () {
    this.timeout(120_000);
    const paid = [0n, 0n];
    const steps = fc.array(step, { minLength: 8, maxLength: 20 });
    const fault = await fc.check(
      fc.asyncProperty(steps, steps, steps, async (alone, together, retired) => {
        const market = await loadPartner();
        const { networkHelpers } = market.connection;
        await networkHelpers.impersonateAccount(partner.address);
        await networkHelpers.setBalance(partner.address, parseEther("10"));
        const old = await settleIn(market);
        old.deposited += 1_000_000n;
        const generations = [old];
        const run = async (todos: Step[]) => {
          for (const todo of todos) {
            await act((todo.older ? old : generations.at(-1)) as Generation, todo);
            for (const generation of generations) await checkBooks(generation);
            await checkCapacity(generations);
          }
        };
        await run(alone);
        generations.push(await settleIn(await replace(market, "market")));
        await run(together);
        await retire(market, "market");
        await run(retired);
        for (const [place, generation] of generations.entries()) {
          await leave(generation);
          paid[place] =
            (paid[place] ?? 0n) + (await generation.market.escrow.read.totalSpentBy([partner.address]));
        }
      }),
      { numRuns: 8 },
    );
    process.stdout.write(`      fast-check seed ${fault.seed}, ${fault.numRuns} sequences\n`);
    expect(paid.every((amount) => amount > 0n) || fault.failed, "nothing was paid").to.equal(true);
    expect(fault.failed, fc.defaultReportMessage(fault)).to.equal(false);
  });
});
