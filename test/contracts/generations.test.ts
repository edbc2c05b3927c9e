import { replaceNgpu } from "@ngpu/contracts/ignition/replace";
import { pausesAbi } from "@ngpu/contracts-sdk/generated/abi";
import { relayArgs, relayGroups, signRelay } from "@ngpu/protocol/signedMessages";
import { expect } from "chai";
import { encodeFunctionData, getAbiItem, parseEther, toFunctionSelector } from "viem";
import { replace, retire } from "./support/generations.ts";
import { later, loadMarket } from "./support/market.ts";
import { nodeSpec } from "./support/nodes.ts";
import { expectRefused, expectRevert, refusalsOf, zeroHash } from "./support/reverts.ts";
import { commitDowntime, goToDay, today } from "./support/uptime.ts";
import {
  assign,
  authorizationOf,
  authorize,
  deposit,
  loadPartner,
  type PartnerFixture,
  partner,
  place,
  publish,
  report,
  signAuthorization,
  state,
  workspaceSpec,
} from "./support/workspaces.ts";

const generation = 2n ** 40n;
const rate = 1_000n;
const { resources } = workspaceSpec;
type Resources = typeof resources;

async function expectFault(call: Promise<unknown>, code: string): Promise<void> {
  const fault = await call.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(fault).to.include({ code });
}

/** The rest of a node's spec without these. */
function beside(...held: Resources[]): Resources {
  const free = { ...nodeSpec.total };
  for (const one of held) {
    for (const lane of Object.keys(free) as (keyof Resources)[]) free[lane] -= one[lane];
  }
  return free;
}

/** A lease that runs on node 1 since the middle of a day, and one on node 2 that was never started. */
async function running() {
  const market = await loadPartner();
  const { networkHelpers } = market.connection;
  await networkHelpers.impersonateAccount(partner.address);
  await networkHelpers.setBalance(partner.address, parseEther("1"));
  await deposit(market, partner.address, 500_000_000n);
  const day = (await today(market)) + 1n;
  await goToDay(market, day, 43_000);
  const placed = await place(market);
  await report(market, placed, state.running, 1);
  const since = BigInt(await market.time.latest());
  const waiting = await place(market, {}, 2);
  return { market, placed, waiting, day, since };
}

/** A deposit, an authorization and a workspace of the successors. */
async function settleIn(market: PartnerFixture, changes: Partial<typeof workspaceSpec> = {}) {
  await deposit(market, partner.address, 100_000_000n);
  const authorizationId = await authorize(market);
  return { authorizationId, ...(await publish(market, changes, { authorizationId })) };
}

/** An escrow's deposits are still there, were paid, or were burned for waits: nothing else ever leaves it. */
async function expectBalanced(market: PartnerFixture, deposited: bigint, withdrawn = 0n) {
  const { escrow, token } = market;
  const spent = await escrow.read.totalSpentBy([partner.address]);
  const balance = await escrow.read.balanceOf([partner.address]);
  const waits = await escrow.getEvents.WaitCharged({}, { fromBlock: 0n });
  const burned = waits.reduce((sum, { args }) => sum + (args.amount ?? 0n), 0n);
  expect(balance + spent + burned).to.equal(deposited - withdrawn);
  const owed = (await escrow.read.earnedBy([1])) + (await escrow.read.earnedBy([2]));
  expect(await token.read.balanceOf([escrow.address])).to.equal(balance + owed);
}

describe("Generations of the market", () => {
  it("reserve side by side on the same nodes, within their free capacity", async () => {
    const { market: old } = await running();
    const market = await replace(old, "market");
    const { computeNode } = market;
    expect(market.docker.address).to.not.equal(old.docker.address);
    expect(await computeNode.read.freeOf([1])).to.deep.equal(beside(resources));
    const wanted = { ...resources, memoryMib: nodeSpec.total.memoryMib - resources.memoryMib };
    const more = { ...wanted, memoryMib: wanted.memoryMib + 1 };
    const { workspaceId, spec, authorizationId } = await settleIn(market, { resources: wanted });
    const tooLarge = await publish(market, { resources: more }, { authorizationId });
    const item = { workspaceId, replica: 0, nodeId: 1, start: true, spec };
    expectRefused(await assign(market, [{ ...item, ...tooLarge }]), "NodeCapacityExceeded", {
      nodeId: 1,
      free: beside(resources),
    });
    expect(refusalsOf(await assign(market, [item]))).to.deep.equal([]);
    expect(await computeNode.read.freeOf([1])).to.deep.equal(beside(resources, wanted));
    expect(await computeNode.read.dockerOf([old.docker.address])).to.deep.equal([true, false, 2n]);
    expect(await computeNode.read.dockerOf([market.docker.address])).to.deep.equal([true, false, 1n]);
    expectRefused(
      await assign(old, [{ ...item, ...(await publish(old, { resources: more })) }]),
      "NodeCapacityExceeded",
    );
  });

  it("issue no id that previous ones issued or may issue", async () => {
    const { market: old, placed } = await running();
    const second = await replace(old, "market");
    const inSecond = await settleIn(second);
    expect([inSecond.workspaceId, inSecond.authorizationId]).to.deep.equal([
      generation + 1n,
      generation + 1n,
    ]);
    const third = await replace(second, "market");
    const inThird = await settleIn(third);
    expect([inThird.workspaceId, inThird.authorizationId]).to.deep.equal([
      2n * generation + 1n,
      2n * generation + 1n,
    ]);
    expect((await publish(old)).workspaceId).to.equal(3n);
    expect(await second.escrow.read.isOpen([placed.ref])).to.equal(false);
    expect(await old.escrow.read.isOpen([placed.ref])).to.equal(true);
  });

  it("end leases, pay debts and return the rest after their entries were paused", async () => {
    const { market: old, placed, waiting, since } = await running();
    const market = await replace(old, "market");
    await retire(old, "market");
    const { people, computeNode, escrow, docker, time, token } = old;
    const as = { account: people.delegate };
    await time.increase(1_000);
    await report(old, placed, state.stopped, 2);
    const owed = rate * (BigInt(await time.latest()) - since);
    expect(await escrow.read.totalSpentBy([partner.address])).to.equal(owed);
    await expectBalanced(old, 501_000_000n);
    for (const order of [docker.write.stopWorkspace, docker.write.startWorkspace]) {
      const { workspaceId } = placed;
      expect(refusalsOf(await old.mined(order([workspaceId, [placed.ref]], as)))).to.deep.equal([]);
    }
    await report(old, placed, state.running, 3);
    await time.increase(500);
    await escrow.write.settle([[placed.ref]]);
    await expectBalanced(old, 501_000_000n);
    for (const { ref } of [placed, waiting]) {
      expect(refusalsOf(await old.mined(docker.write.requestDelete([[ref]], as)))).to.deep.equal([]);
    }
    await report(old, placed, state.deleted, 4);
    await report(old, waiting, state.deleted, 1, {}, old.nodes.second.key);
    for (const id of [1, 2]) expect(await computeNode.read.freeOf([id])).to.deep.equal(nodeSpec.total);
    expect(await computeNode.read.dockerOf([docker.address])).to.deep.equal([false, true, 0n]);
    const rest = await escrow.read.withdrawableOf([partner.address]);
    await escrow.write.withdraw([rest, partner.address], { account: partner.address });
    await expectBalanced(old, 501_000_000n, rest);
    await goToDay(old, (await today(old)) + 3n);
    await escrow.write.collect([[1, 2]]);
    expect(await escrow.read.balanceOf([partner.address])).to.equal(0n);
    expect(await token.read.balanceOf([escrow.address])).to.equal(0n);
    const { workspaceId, spec } = await settleIn(market);
    const item = { workspaceId, replica: 0, nodeId: 1, start: true, spec };
    expect(refusalsOf(await assign(market, [item]))).to.deep.equal([]);
  });

  it("refund a day's downtime of their own leases only", async () => {
    const { market: old, placed, day } = await running();
    await goToDay(old, day + 1n, 100);
    await old.escrow.write.settle([[placed.ref]]);
    const market = await replace(old, "market");
    await retire(old, "market");
    await settleIn(market);
    const down = { day, workspaceId: placed.workspaceId, replica: 0, lease: 1, nodeId: 1 };
    const proven = await commitDowntime(old, day, [{ ...down, authorizationId: 1n, rate, downSeconds: 600 }]);
    const refund = ({ escrow, mined }: PartnerFixture) =>
      mined(escrow.write.refundDowntime([proven.items, proven.proofs]));
    expectRefused(await refund(market), "LeaseUnknown", { workspaceId: placed.workspaceId });
    await old.escrow.write.settle([[placed.ref]]);
    const before = await old.escrow.read.totalSpentBy([partner.address]);
    const settledAt = BigInt(await old.time.latest());
    expect(refusalsOf(await refund(old))).to.deep.equal([]);
    const paid = rate * (BigInt(await old.time.latest()) - settledAt);
    expect(await old.escrow.read.totalSpentBy([partner.address])).to.equal(before + paid - 600n * rate);
    expectRefused(await refund(old), "DowntimeRefunded");
    await expectBalanced(old, 501_000_000n);
    await expectBalanced(market, 100_000_000n);
  });

  it("place nothing on nodes once they are retired, whatever is unpaused, and stay retired", async () => {
    const { market: old } = await running();
    const { people, docker, escrow, computeNode } = old;
    const { workspaceId, spec } = await publish(old);
    const item = { workspaceId, replica: 0, nodeId: 1, start: true, spec };
    await replace(old, "market");
    await retire(old, "market");
    await expectRevert(assign(old, [item]), "FunctionPaused");
    await expectRevert(publish(old), "FunctionPaused");
    await expectRevert(deposit(old, partner.address, 1n), "FunctionPaused");
    await expectRevert(authorize(old, { nonce: 7n }), "FunctionPaused");
    const selector = toFunctionSelector(getAbiItem({ abi: docker.abi, name: "assign" }));
    const unpause = encodeFunctionData({ abi: pausesAbi, functionName: "unpause", args: [[selector]] });
    await old.manager.write.schedule([docker.address, unpause, 0], { account: people.unpauser });
    await old.time.increase(3_600);
    await old.manager.write.execute([docker.address, unpause], { account: people.unpauser });
    expectRefused(await assign(old, [item]), "CallerNotDocker", { caller: docker.address });
    expect(await escrow.read.leaseOf([workspaceId, 0])).to.deep.equal([0, 0n, 0, 0n, 0, 0, 0]);
    await expectRevert(computeNode.write.addDocker([docker.address]), "DockerAlreadyAdded");
    await expectRevert(computeNode.write.retireDocker([docker.address]), "DockerNotReserving");
  });

  it("accept no signature for another generation", async () => {
    const { market: old, placed } = await running();
    const market = await replace(old, "market");
    const message = { ...authorizationOf(old), nonce: 9n };
    const signature = await signAuthorization(old, message);
    await expectRevert(market.escrow.write.authorize([message, signature]), "SignatureInvalid");
    const { workspaceId, spec } = await settleIn(market);
    await assign(market, [{ workspaceId, replica: 0, nodeId: 1, start: true, spec }]);
    const { fence } = await market.docker.read.assignmentOf([workspaceId, 0]);
    const reported = { ref: { workspaceId, replica: 0, lease: 1 }, fence };
    expectRefused(
      await report({ ...market, deployment: old.deployment }, reported, state.running, 1),
      "SignatureInvalid",
    );
    expect(refusalsOf(await report(market, reported, state.running, 1))).to.deep.equal([]);
    expectRefused(await report(old, placed, state.running, 1), "SequenceStale");
  });

  it("each accept the messages about their own workspaces that nodes sign and match relays, with one deployment file", async () => {
    const { market: old, placed } = await running();
    const market = await replace(old, "market");
    const { workspaceId, spec } = await settleIn(market);
    await assign(market, [{ workspaceId, replica: 0, nodeId: 1, start: true, spec }]);
    const { fence } = await market.docker.read.assignmentOf([workspaceId, 0]);
    const { deployment, nodes, mined } = market;
    const items = [
      { ...placed.ref, fence: placed.fence, state: state.stopped, sequence: 2 },
      { workspaceId, replica: 0, lease: 1, fence, state: state.running, sequence: 1 },
    ].map((message) => ({ message: { ...message, detail: zeroHash, deadline: later } }));
    const signed = await Promise.all(
      items.map(async ({ message }) => ({
        message,
        signature: await signRelay(nodes.first.key, deployment, "report", message),
      })),
    );
    const groups = relayGroups(deployment, "report", signed);
    expect([...groups.keys()]).to.deep.equal([old.docker.address, market.docker.address]);
    for (const [at, group] of groups) {
      const { docker } = at === old.docker.address ? old : market;
      const [reports] = relayArgs("report", group) as Parameters<typeof docker.write.reportBatch>[0];
      expect(refusalsOf(await mined(docker.write.reportBatch([reports])))).to.deep.equal([]);
    }
    expect((await old.docker.read.assignmentOf([placed.workspaceId, 0])).state).to.equal(state.stopped);
    expect((await market.docker.read.assignmentOf([workspaceId, 0])).state).to.equal(state.running);
  });

  it("have escrows that accept only their one DockerContract", async () => {
    const { market: old } = await running();
    const { escrow, docker, people } = await replace(old, "market");
    await expectRevert(escrow.write.setDocker([people.outsider]), "DockerIsSet", { docker: docker.address });
    await expectRevert(old.escrow.write.setDocker([docker.address]), "DockerIsSet", {
      docker: old.docker.address,
    });
  });

  it("are deployed one at a time, once the previous epochs have ended, and a second run changes nothing", async () => {
    const market = await loadMarket();
    const { connection, deployment } = market;
    const run = (of: typeof deployment, generation: number) =>
      replaceNgpu({ connection, deployment: of, succession: "market", generation, pollMs: 5 });
    await expectFault(run(deployment, 3), "generation_invalid");
    await expectFault(run(deployment, 2), "pomc_not_paused");
    const second = await replace(market, "market", 2);
    expect(await run(second.deployment, 2)).to.deep.equal({
      deployment: second.deployment,
      introduction: [],
    });
    expect(second.deployment.previous.map(({ contracts }) => contracts)).to.deep.equal([
      {
        Escrow: market.escrow.address,
        Pomc: market.pomc.address,
        DockerContract: market.docker.address,
        Progress: market.progress.address,
      },
    ]);
    expect(second.deployment.contracts.ComputeNode).to.equal(deployment.contracts.ComputeNode);
  });
});
