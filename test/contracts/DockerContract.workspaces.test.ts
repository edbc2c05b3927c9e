import { dockerContractAbi } from "@ngpu/contracts-sdk/generated/abi";
import { expect } from "chai";
import { type Hex, keccak256, parseEventLogs } from "viem";
import { noteGas, printGas } from "./support/gas.ts";
import { releaseLost } from "./support/losses.ts";
import { modelOf, nodeSpec } from "./support/nodes.ts";
import { markOffline } from "./support/presence.ts";
import { expectRefused, expectRevert, refusalsOf } from "./support/reverts.ts";
import {
  assign,
  authorize,
  config,
  loadPartner,
  partner,
  place,
  publish,
  state,
  workspaceSpec,
  workspaceState,
} from "./support/workspaces.ts";

describe("DockerContract: workspaces and assignments", () => {
  after(printGas);

  it("registers an image once", async () => {
    const { docker, people } = await loadPartner();
    const digest = keccak256("0x07");
    const root = keccak256("0x08");
    await docker.write.registerImage([digest, 5n, root, "chat"], { account: people.owner });
    expect(await docker.read.imageOwnerOf([digest])).to.equal(people.owner);
    await expectRevert(docker.write.registerImage([digest, 5n, root, "x"]), "ImageTaken", {
      digest,
      owner: people.owner,
    });
    await expectRevert(docker.write.registerImage([`0x${"0".repeat(64)}`, 5n, root, "x"]), "ImageInvalid");
  });

  it("is published by the owner's delegate, with the configuration in the log and the spec's hash in storage", async () => {
    const market = await loadPartner();
    const { workspaceId } = await publish(market);
    const [authorizationId, replicas, state, specHash] = await market.docker.read.workspaceOf([workspaceId]);
    expect([authorizationId, replicas, state]).to.deep.equal([1n, 2, workspaceState.open]);
    expect(specHash).to.not.equal(`0x${"0".repeat(42)}`);
  });

  it("is not published by others, with an authorization of others, or beyond one", async () => {
    const market = await loadPartner();
    const { docker, people } = market;
    const call = (account: Hex, owner: Hex, authorizationId = 1n, changes = {}) =>
      docker.write.publish([owner, authorizationId, 1, { ...workspaceSpec, ...changes }, config], {
        account,
      });
    await expectRevert(call(people.outsider, partner.address), "CallerNotSpender", {
      caller: people.outsider,
      authorizationId: 1n,
    });
    await expectRevert(call(people.owner, people.owner), "AuthorizationOwnerMismatch", {
      authorizationId: 1n,
      owner: people.owner,
    });
    await expectRevert(call(people.delegate, partner.address, 9n), "AuthorizationUnknown");
    const other = keccak256("0x99");
    const scoped = await authorize(market, { scope: other, nonce: 2n });
    await expectRevert(call(people.delegate, partner.address, scoped), "AuthorizationScopeMismatch", {
      scope: other,
      image: workspaceSpec.image,
    });
    await call(people.delegate, partner.address, scoped, { image: other });
    const config2 = keccak256("0x");
    await expectRevert(
      call(people.delegate, partner.address, 1n, { configHash: config2 }),
      "WorkspaceConfigMismatch",
      { expected: config2 },
    );
    await expectRevert(call(people.delegate, partner.address, 1n, { expiresAt: 5 }), "WorkspaceSpecInvalid");
    const imageless = { image: `0x${"0".repeat(64)}` as const };
    await expectRevert(call(people.delegate, partner.address, 1n, imageless), "WorkspaceSpecInvalid");
  });

  it("assigns a replica: reserves, opens the escrow lease and gives it a fence", async () => {
    const market = await loadPartner();
    const { workspaceId, spec } = await publish(market);
    const item = { workspaceId, replica: 0, nodeId: 1, start: true, spec };
    const receipt = await assign(market, [item]);
    const [log] = parseEventLogs({ abi: dockerContractAbi, eventName: "Assigned", logs: receipt.logs });
    const assignment = await market.docker.read.assignmentOf([workspaceId, 0]);
    expect(log?.args.fence).to.equal(assignment.fence);
    expect(assignment).to.deep.include({ nodeId: 1, lease: 1, state: state.assigned, desired: 1 });
    expect((await market.computeNode.read.freeOf([1])).cpuMilli).to.equal(14_000);
    expect(await market.escrow.read.isOpen([{ workspaceId, replica: 0, lease: 1 }])).to.equal(true);
    expectRefused(await assign(market, [item]), "ReplicaAssigned", { nodeId: 1, lease: 1 });
  });

  it("refuses a node that does not fit, naming the dimension", async () => {
    const market = await loadPartner();
    const cases = [
      [{ gpuModel: modelOf("other") }, "gpuModel"],
      [{ minVramMib: nodeSpec.vramMib + 1 }, "vramMib"],
      [{ minComputeCapability: 91 }, "computeCapability"],
      [{ region: "0x5553" as Hex }, "region"],
    ] as const;
    for (const [changes, dimension] of cases) {
      const { workspaceId, spec } = await publish(market, changes);
      const receipt = await assign(market, [{ workspaceId, replica: 0, nodeId: 1, start: false, spec }]);
      const padded = `0x${Buffer.from(dimension).toString("hex").padEnd(64, "0")}`;
      expectRefused(receipt, "NodeUnfit", { nodeId: 1, dimension: padded });
    }
  });

  it("refuses what the workspace, the price, the node or the escrow do not allow, and leaves nothing behind", async () => {
    const market = await loadPartner();
    const { computeNode, people } = market;
    const { workspaceId, spec } = await publish(market);
    const item = { workspaceId, replica: 0, nodeId: 1, start: false, spec };
    const refuse = async (changes: object, name: string, args = {}, account = people.keeper) =>
      expectRefused(await assign(market, [{ ...item, ...changes }], account), name, args);
    await refuse({ workspaceId: 9n }, "WorkspaceUnknown", { workspaceId: 9n });
    await refuse({ spec: { ...spec, maxPricePerSecond: 1n } }, "WorkspaceSpecMismatch", { workspaceId });
    await refuse({ replica: 2 }, "ReplicaOutOfRange", { replica: 2, replicas: 2 });
    await refuse({}, "CallerNotAuthorized", { caller: people.outsider }, people.outsider);
    const cheap = await publish(market, { maxPricePerSecond: 999n });
    await refuse(cheap, "PriceAboveLimit", { nodeId: 1, price: 1_000n, limit: 999n });
    const big = await publish(market, { resources: { ...spec.resources, cpuMilli: 16_001 } });
    await refuse(big, "NodeCapacityExceeded", { nodeId: 1, free: nodeSpec.total });
    await authorize(market, { maxRate: 999n, nonce: 2n });
    const poor = await publish(market, {}, { authorizationId: 2n });
    await refuse(poor, "AuthorizationRateExceeded", { wanted: 1_000n, available: 999n });
    await markOffline(market, [1]);
    await refuse({}, "NodeNotAccepting", { nodeId: 1, status: 2 });
    expect(await computeNode.read.freeOf([1])).to.deep.equal(nodeSpec.total);
    await market.docker.write.closeWorkspace([workspaceId], { account: people.delegate });
    await refuse({}, "WorkspaceNotOpen", { workspaceId });
  });

  it("refuses one item of a batch and does the others", async () => {
    const market = await loadPartner();
    const { workspaceId, spec } = await publish(market);
    const item = { workspaceId, replica: 0, nodeId: 1, start: false, spec };
    const receipt = await assign(market, [{ ...item, replica: 7 }, item, { ...item, replica: 1, nodeId: 2 }]);
    expect(refusalsOf(receipt).map(({ index, name }) => [index, name])).to.deep.equal([
      [0, "ReplicaOutOfRange"],
    ]);
    expect((await market.docker.read.assignmentOf([workspaceId, 1])).nodeId).to.equal(2);
  });

  it("refuses an unknown policy as an item, not the batch", async () => {
    const market = await loadPartner();
    const { workspaceId, spec } = await publish(market);
    const item = { workspaceId, replica: 0, nodeId: 1, start: true, spec };
    const receipt = await assign(market, [{ ...item, spec: { ...spec, policy: 7 } }, item]);
    expectRefused(receipt, "ValueUnknown", { value: 7n, highest: 1n });
    expect((await market.docker.read.assignmentOf([workspaceId, 0])).state).to.equal(state.assigned);
    const publication = { owner: partner.address, authorizationId: 1n, replicas: 1, spec, config };
    const published = await market.mined(
      market.docker.write.publishBatch([[{ ...publication, spec: { ...spec, policy: 2 } }, publication]], {
        account: market.people.delegate,
      }),
    );
    expectRefused(published, "ValueUnknown", { value: 2n, highest: 1n });
    expect(await market.docker.read.workspaceCount()).to.equal(workspaceId + 1n);
  });

  it("is assigned by a delegate while its authorization is valid", async () => {
    const market = await loadPartner();
    const { escrow, people } = market;
    const { workspaceId, spec } = await publish(market);
    const item = { workspaceId, replica: 0, nodeId: 1, start: false, spec };
    expect(refusalsOf(await assign(market, [item], people.delegate))).to.deep.equal([]);
    const revoker = await authorize(market, { nonce: 9n });
    await expectRevert(escrow.write.revoke([revoker, false]), "CallerNotOwner", { owner: partner.address });
  });

  it("orders start, stop and delete only as in the table", async () => {
    const market = await loadPartner();
    const { docker, people, mined } = market;
    const { workspaceId, spec } = await publish(market);
    await assign(market, [{ workspaceId, replica: 0, nodeId: 1, start: false, spec }]);
    const ref = { workspaceId, replica: 0, lease: 1 };
    const order = {
      start: () => mined(docker.write.requestStart([[ref]], { account: people.keeper })),
      stop: () => mined(docker.write.stopWorkspace([workspaceId, [ref]], { account: people.delegate })),
      restart: () => mined(docker.write.startWorkspace([workspaceId, [ref]], { account: people.delegate })),
      delete: () => mined(docker.write.requestDelete([[ref]], { account: people.delegate })),
    };
    expectRefused(await order.stop(), "DesiredStateInvalid", { from: 0, to: 2 });
    expect(refusalsOf(await order.restart())).to.deep.equal([]);
    expectRefused(await order.start(), "DesiredStateInvalid", { from: 1, to: 1 });
    expect(refusalsOf(await order.stop())).to.deep.equal([]);
    expect(refusalsOf(await order.restart())).to.deep.equal([]);
    expect(refusalsOf(await order.delete())).to.deep.equal([]);
    expectRefused(await order.start(), "DesiredStateInvalid", { from: 3, to: 1 });
    expectRefused(await order.delete(), "DesiredStateInvalid", { from: 3, to: 3 });
    const stale = await mined(
      docker.write.requestDelete([[{ ...ref, lease: 2 }]], { account: people.keeper }),
    );
    expectRefused(stale, "LeaseStale", { lease: 2, current: 1 });
    const stranger = await mined(docker.write.requestStop([[ref]], { account: people.outsider }));
    expectRefused(stranger, "CallerNotAuthorized", { caller: people.outsider });
  });

  it("assigns and starts nothing of a stopped workspace, and stops nothing of an open one", async () => {
    const market = await loadPartner();
    const { docker, people, mined } = market;
    const { workspaceId, spec } = await publish(market);
    const item = { workspaceId, nodeId: 1, start: true, spec };
    const refs = [0, 1].map((replica) => ({ workspaceId, replica, lease: 1 }));
    const [first, second] = refs;
    if (first === undefined || second === undefined) throw new Error("Two leases are expected.");
    const by = { account: people.delegate };
    const desiredOf = async (replica: number) =>
      (await docker.read.assignmentOf([workspaceId, replica])).desired;
    expect(
      refusalsOf(
        await assign(
          market,
          [0, 1].map((replica) => ({ ...item, replica })),
        ),
      ),
    ).to.deep.equal([]);
    const early = await mined(docker.write.requestStop([[first]], { account: people.keeper }));
    expectRefused(early, "WorkspaceNotStopped", { workspaceId });
    expect(refusalsOf(await mined(docker.write.stopWorkspace([workspaceId, [first]], by)))).to.deep.equal([]);
    expect((await docker.read.workspaceOf([workspaceId]))[2]).to.equal(workspaceState.stopped);
    expect([await desiredOf(0), await desiredOf(1)]).to.deep.equal([2, 1]);
    for (const account of [people.keeper, people.delegate]) {
      const start = await mined(docker.write.requestStart([[first]], { account }));
      expectRefused(start, "WorkspaceIsStopped", { workspaceId });
      expectRefused(await assign(market, [{ ...item, replica: 0 }], account), "WorkspaceIsStopped", {
        workspaceId,
      });
    }
    expect(
      refusalsOf(await mined(docker.write.requestStop([[second]], { account: people.keeper }))),
    ).to.deep.equal([]);
    // An update and a number of replicas apply to later assignments.
    await docker.write.setReplicas([workspaceId, 3], by);
    const again = await mined(docker.write.stopWorkspace([workspaceId, []], by));
    expect(again.logs).to.deep.equal([]);
    expectRefused(await assign(market, [{ ...item, replica: 2 }]), "WorkspaceIsStopped", { workspaceId });
    expect(refusalsOf(await mined(docker.write.startWorkspace([workspaceId, refs], by)))).to.deep.equal([]);
    expect([await desiredOf(0), await desiredOf(1)]).to.deep.equal([1, 1]);
    expect(refusalsOf(await assign(market, [{ ...item, replica: 2 }]))).to.deep.equal([]);
  });

  it("is stopped and started by owner or delegate, until it is closed", async () => {
    const market = await loadPartner();
    const { docker, people, time, mined } = market;
    const expiresAt = (await time.latest()) + 500;
    const { workspaceId, spec } = await publish(market, { expiresAt });
    await assign(market, [{ workspaceId, replica: 0, nodeId: 1, start: true, spec }]);
    const ref = { workspaceId, replica: 0, lease: 1 };
    for (const order of [docker.write.stopWorkspace, docker.write.startWorkspace]) {
      for (const caller of [people.keeper, people.outsider]) {
        await expectRevert(order([workspaceId, []], { account: caller }), "CallerNotAuthorized", { caller });
      }
      await expectRevert(order([9n, []], { account: people.delegate }), "WorkspaceUnknown", {
        workspaceId: 9n,
      });
    }
    await docker.write.stopWorkspace([workspaceId, []], { account: people.delegate });
    await time.increase(501);
    await docker.write.closeExpired([workspaceId, spec], { account: people.outsider });
    for (const order of [docker.write.stopWorkspace, docker.write.startWorkspace]) {
      await expectRevert(order([workspaceId, []], { account: people.delegate }), "WorkspaceNotOpen");
    }
    // A closed workspace's leases can still be stopped and deleted.
    for (const order of [docker.write.requestStop, docker.write.requestDelete]) {
      expect(refusalsOf(await mined(order([[ref]], { account: people.keeper })))).to.deep.equal([]);
    }
  });

  it("sets replicas and closes by owner or delegate, and by anyone once expired", async () => {
    const market = await loadPartner();
    const { docker, people, time } = market;
    const expiresAt = (await time.latest()) + 500;
    const { workspaceId, spec } = await publish(market, { expiresAt });
    await expectRevert(
      docker.write.setReplicas([workspaceId, 3], { account: people.keeper }),
      "CallerNotAuthorized",
      { caller: people.keeper },
    );
    await docker.write.setReplicas([workspaceId, 3], { account: people.delegate });
    expect((await docker.read.workspaceOf([workspaceId]))[1]).to.equal(3);
    await expectRevert(docker.write.closeExpired([workspaceId, spec]), "WorkspaceNotExpired", { expiresAt });
    await time.increase(501);
    const late = await assign(market, [{ workspaceId, replica: 0, nodeId: 1, start: true, spec }]);
    expectRefused(late, "WorkspaceExpired", { workspaceId, expiresAt });
    await docker.write.closeExpired([workspaceId, spec], { account: people.outsider });
    await expectRevert(docker.write.closeExpired([workspaceId, spec]), "WorkspaceNotOpen");
  });

  it("changes image and configuration by owner or delegate, for later assignments, and no other terms", async () => {
    const market = await loadPartner();
    const { docker, people } = market;
    const { workspaceId, spec } = await publish(market);
    const image = keccak256("0x55");
    const next = { ...spec, image };
    const update = (account: Hex, changes = {}, from = spec) =>
      docker.write.updateWorkspace([workspaceId, from, { ...next, ...changes }, config], { account });
    await expectRevert(update(people.keeper), "CallerNotAuthorized", { caller: people.keeper });
    await expectRevert(update(people.delegate, {}, next), "WorkspaceSpecMismatch");
    await expectRevert(update(people.delegate, { policy: 1 - spec.policy }), "WorkspaceTermsFixed");
    await expectRevert(
      update(people.delegate, { graceSeconds: spec.graceSeconds + 1 }),
      "WorkspaceTermsFixed",
    );
    const tomorrow = (await market.time.latest()) + 86_400;
    await expectRevert(update(people.delegate, { expiresAt: tomorrow }), "WorkspaceTermsFixed");
    const resources = { ...spec.resources, cpuMilli: spec.resources.cpuMilli + 1 };
    await expectRevert(update(people.delegate, { resources }), "WorkspaceTermsFixed");
    await expectRevert(update(people.delegate, { configHash: image }), "WorkspaceConfigMismatch");
    await update(people.delegate);
    const stale = await assign(market, [{ workspaceId, replica: 0, nodeId: 1, start: true, spec }]);
    expectRefused(stale, "WorkspaceSpecMismatch");
    await update(people.delegate, { image: spec.image }, next);
    await docker.write.closeWorkspace([workspaceId], { account: people.delegate });
    await expectRevert(update(people.delegate), "WorkspaceNotOpen");
  });

  it("publishes, assigns and starts a batch", async () => {
    const market = await loadPartner();
    const units = 8;
    const items = [];
    let published = 0n;
    for (let count = 0; count < units; count++) {
      const { docker, people, mined } = market;
      const receipt = await mined(
        docker.write.publish([partner.address, 1n, 1, workspaceSpec, config], { account: people.delegate }),
      );
      published += receipt.gasUsed;
      const workspaceId = await docker.read.workspaceCount();
      items.push({ workspaceId, replica: 0, nodeId: 1, start: true, spec: workspaceSpec });
    }
    const receipt = await assign(market, items);
    expect(refusalsOf(receipt)).to.deep.equal([]);
    noteGas("publish, one a transaction", { ...receipt, gasUsed: published }, units);
    noteGas("assign and start, a batch of 8", receipt, units);
  });

  it("gives each lease of a replica a new number and another fence", async () => {
    const market = await loadPartner();
    const placed = await place(market);
    const { workspaceId, spec } = placed;
    await releaseLost(market, [placed]);
    await assign(market, [{ workspaceId, replica: 0, nodeId: 1, start: true, spec }]);
    const next = await market.docker.read.assignmentOf([workspaceId, 0]);
    expect(next.lease).to.equal(2);
    expect(next.fence).to.not.equal(placed.fence);
  });
});
