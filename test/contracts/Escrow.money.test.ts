import { expect } from "chai";
import fc from "fast-check";
import { parseEther } from "viem";
import { runs } from "../support/runs.ts";
import { keyOf } from "./support/market.ts";
import {
  assign,
  authorizationOf,
  deposit,
  leaseClock,
  loadPartner,
  type PartnerFixture,
  partner,
  publish,
  report,
  signAuthorization,
  state,
} from "./support/workspaces.ts";

const workspaces = 3;

type Step =
  | { type: "deposit" | "withdraw"; amount: bigint }
  | { type: "wait"; seconds: number }
  | { type: "settle" | "collect" }
  | { type: "assign" | "run" | "stop" | "delete" | "lose"; workspace: number; node: 1 | 2 };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    type: fc.constantFrom("deposit" as const, "withdraw" as const),
    amount: fc.bigInt({ min: 1n, max: 300_000n }),
  }),
  fc.record({ type: fc.constant("wait" as const), seconds: fc.integer({ min: 1, max: 120 }) }),
  fc.record({ type: fc.constant("wait" as const), seconds: fc.constantFrom(20_000, 86_400, 200_000) }),
  fc.record({ type: fc.constantFrom("settle" as const, "collect" as const) }),
  ...["assign", "run", "run", "stop", "delete", "lose"].map((type) =>
    fc.record({
      type: fc.constant(type as "run"),
      workspace: fc.integer({ min: 1, max: workspaces }),
      node: fc.constantFrom(1 as const, 2 as const),
    }),
  ),
);

/** All deposits and all payments out. */
type Books = { deposited: bigint; withdrawn: bigint };

async function setUp() {
  const market = await loadPartner();
  const helpers = market.connection.networkHelpers;
  await helpers.impersonateAccount(partner.address);
  await helpers.setBalance(partner.address, parseEther("10"));
  // The total is spent within a sequence, and the deposit may be too.
  const message = { ...authorizationOf(market), total: 400_000n, nonce: 5n };
  await market.escrow.write.authorize([message, await signAuthorization(market, message)]);
  const published = [];
  for (let count = 0; count < workspaces; count++) {
    published.push(await publish(market, {}, { authorizationId: count === 0 ? 1n : 2n }));
  }
  return { ...market, published };
}

type Setting = Awaited<ReturnType<typeof setUp>>;

/** Does a step; a refused call changes nothing and is no failure here. */
async function act(market: Setting, books: Books, todo: Step): Promise<void> {
  const { escrow, docker, people, time } = market;
  if (todo.type === "deposit") {
    await deposit(market, partner.address, todo.amount);
    books.deposited += todo.amount;
  } else if (todo.type === "withdraw") {
    await withdraw(market, books, todo.amount);
  } else if (todo.type === "wait") {
    await time.increase(todo.seconds);
  } else if (todo.type === "settle") {
    await escrow.write.settle([await currentRefs(market)]);
  } else if (todo.type === "collect") {
    await escrow.write.collect([[1, 2]]);
  } else if ("workspace" in todo) {
    const placed = market.published[todo.workspace - 1];
    if (placed === undefined) return;
    const { workspaceId, spec } = placed;
    const { lease, fence, nodeId, sequence } = await docker.read.assignmentOf([workspaceId, 0]);
    const ref = { workspaceId, replica: 0, lease };
    const signer = nodeId === 2 ? market.nodes.second.key : market.nodes.first.key;
    const say = (to: number, later = 1) => report(market, { ref, fence }, to, sequence + later, {}, signer);
    if (todo.type === "assign") {
      await assign(market, [{ workspaceId, replica: 0, nodeId: todo.node, start: true, spec }]);
    } else if (todo.type === "run") {
      await say(state.running);
    } else if (todo.type === "stop") {
      await say(state.stopped);
    } else if (todo.type === "delete") {
      await docker.write.requestDelete([[ref]], { account: people.keeper });
      await say(state.deleted);
    } else {
      await docker.write.releaseLost([[ref], [spec]], { account: people.keeper });
    }
  }
}

async function withdraw(market: Setting, books: Books, amount: bigint): Promise<void> {
  const own = { account: partner.address };
  const destination = keyOf("withdrawn").address;
  const before = await market.token.read.balanceOf([destination]);
  await market.escrow.write.withdraw([amount, destination], own).catch(async (error: unknown) => {
    // A second passes before the next block, so the free balance may be lower then.
    if (amount <= (await market.escrow.read.withdrawableOf([partner.address]))) throw error;
  });
  books.withdrawn += (await market.token.read.balanceOf([destination])) - before;
}

async function currentRefs(market: Setting) {
  return Promise.all(
    market.published.map(async ({ workspaceId }) => {
      const { lease } = await market.docker.read.assignmentOf([workspaceId, 0]);
      return { workspaceId, replica: 0, lease };
    }),
  );
}

async function checkBooks(market: Setting, books: Books): Promise<void> {
  const { escrow, token, time, nodes } = market;
  const balance = await escrow.read.balanceOf([partner.address]);
  const earned = (await escrow.read.earnedBy([1])) + (await escrow.read.earnedBy([2]));
  const paid =
    (await token.read.balanceOf([nodes.first.key.address])) +
    (await token.read.balanceOf([nodes.second.key.address])) +
    (await burned(market));
  expect(books.deposited - books.withdrawn).to.equal(balance + earned + paid);
  expect(await token.read.balanceOf([escrow.address])).to.equal(balance + earned);
  const now = BigInt(await time.latest());
  let owed = 0n;
  const inUse = new Map<bigint, bigint>();
  for (const { workspaceId } of market.published) {
    const lease = await escrow.read.leaseOf([workspaceId, 0]);
    const [, authorizationId, , rate, since, rested, clock] = lease;
    if (clock === leaseClock.closed) continue;
    const { running, stopping, ending } = leaseClock;
    if ([running, stopping, ending].some((charged) => charged === clock))
      owed += rate * (now - BigInt(since));
    owed += (await escrow.read.lockOf([rate])) - ((rate + 9n) / 10n) * BigInt(rested);
    inUse.set(authorizationId, (inUse.get(authorizationId) ?? 0n) + rate);
  }
  const free = balance > owed ? balance - owed : 0n;
  expect(await escrow.read.withdrawableOf([partner.address])).to.equal(free);
  for (const id of [1n, 2n]) {
    const grant = await escrow.read.authorizationOf([id]);
    expect(grant[4]).to.equal(inUse.get(id) ?? 0n);
  }
}

/** The fees burned from the supply; nothing is minted here. */
async function burned({ token, deployment }: Setting): Promise<bigint> {
  return deployment.parameters.genesisSupply - (await token.read.totalSupply());
}

async function checkCapacity(market: PartnerFixture & Setting): Promise<void> {
  const { computeNode, docker } = market;
  for (const nodeId of [1, 2]) {
    const [spec] = await computeNode.read.specOf([nodeId]);
    let reserved = 0;
    for (const { workspaceId } of market.published) {
      const assignment = await docker.read.assignmentOf([workspaceId, 0]);
      const isLive = assignment.state >= state.assigned && assignment.state <= state.failed;
      if (isLive && assignment.nodeId === nodeId) reserved += 2_000;
    }
    const free = await computeNode.read.freeOf([nodeId]);
    expect(free.cpuMilli + reserved).to.equal(spec.total.cpuMilli);
  }
}

describe("Escrow: money", () => {
  const sequences = runs(5, 12);

  it("is conserved, and capacity with it, through random sequences", async function () {
    this.timeout(120_000);
    const fault = await fc.check(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 40 }), async (steps) => {
        const market = await setUp();
        const books: Books = { deposited: 1_000_000n, withdrawn: 0n };
        for (const todo of steps) {
          await act(market, books, todo);
          await checkBooks(market, books);
          await checkCapacity(market);
        }
      }),
      { numRuns: sequences },
    );
    process.stdout.write(`      fast-check seed ${fault.seed}, ${fault.numRuns} sequences\n`);
    expect(fault.failed, fc.defaultReportMessage(fault)).to.equal(false);
  });
});
