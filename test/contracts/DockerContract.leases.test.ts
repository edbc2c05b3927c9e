import { dockerContractAbi, escrowAbi } from "@ngpu/contracts-sdk/generated/abi";
import { packReport } from "@ngpu/protocol/packedReports";
import { expect } from "chai";
import { parseEventLogs } from "viem";
import { noteGas, printGas } from "./support/gas.ts";
import { keyOf, later } from "./support/market.ts";
import { addNodes, nodeSpec } from "./support/nodes.ts";
import { expectRefused, expectRevert, refusalsOf, zeroHash } from "./support/reverts.ts";
import { othersThan } from "./support/twins.ts";
import {
  assign,
  leaseClock,
  loadPartner,
  type PartnerFixture,
  partner,
  place,
  publish,
  report,
  signReport,
  state,
} from "./support/workspaces.ts";

const names = ["none", "assigned", "ready", "running", "stopped", "failed", "deleted", "released"] as const;
/** The table of AssignmentStates, restated: R needs the order to run, D the order to delete. */
const table: Record<string, Record<string, "y" | "R" | "D">> = {
  assigned: { ready: "y", running: "R", stopped: "y", failed: "y", deleted: "D" },
  ready: { ready: "y", running: "R", stopped: "y", failed: "y", deleted: "D" },
  running: { running: "R", stopped: "y", failed: "y", deleted: "D" },
  stopped: { ready: "y", running: "R", stopped: "y", failed: "y", deleted: "D" },
  failed: { ready: "y", running: "R", stopped: "y", failed: "y", deleted: "D" },
};

describe("DockerContract: reports and releases", () => {
  after(printGas);

  it("accepts exactly the transitions of the table, under every order", async () => {
    const market = await loadPartner();
    const { docker, people, connection } = market;
    const placed = await place(market);
    const orders = {
      run: async () => {},
      stop: () =>
        docker.write.stopWorkspace([placed.workspaceId, [placed.ref]], { account: people.delegate }),
      delete: () => docker.write.requestDelete([[placed.ref]], { account: people.keeper }),
    };
    for (const [from, row] of Object.entries(table)) {
      for (const [order, give] of Object.entries(orders)) {
        const snapshot = await connection.networkHelpers.takeSnapshot();
        if (from !== "assigned") await report(market, placed, names.indexOf(from as "ready"), 1);
        await give();
        const before = await connection.networkHelpers.takeSnapshot();
        for (const [to, name] of names.entries()) {
          const rule = row[name];
          const legal =
            rule === "y" || (rule === "R" && order === "run") || (rule === "D" && order === "delete");
          const receipt = await report(market, placed, to, 2);
          if (legal) expect(refusalsOf(receipt), `${from} to ${name}, ${order}`).to.deep.equal([]);
          else expectRefused(receipt, "TransitionInvalid", { from: names.indexOf(from as "ready"), to });
          await before.restore();
        }
        await snapshot.restore();
      }
    }
  });

  it("refuses an old lease, another fence, an old sequence, another node and an unknown state", async () => {
    const market = await loadPartner();
    const placed = await place(market);
    const { first, second } = market.nodes;
    expectRefused(await report(market, placed, state.ready, 1, { lease: 2 }), "LeaseStale", {
      lease: 2,
      current: 1,
    });
    expectRefused(
      await report(market, placed, state.ready, 1, { fence: "0x0000000000000000" }),
      "FenceMismatch",
      {
        current: placed.fence,
      },
    );
    expectRefused(await report(market, placed, state.ready, 1, {}, second.key), "SignatureInvalid", {
      signer: first.key.address,
    });
    expectRefused(await report(market, placed, 200, 1), "ValueUnknown", { value: 200n, highest: 7n });
    const deadline = BigInt(await market.time.latest()) - 1n;
    expectRefused(await report(market, placed, state.ready, 1, { deadline }), "SignatureExpired");
    expectRefused(await report(market, placed, state.ready, 0), "SequenceStale", { given: 0, last: 0 });
    await report(market, placed, state.ready, 5);
    expectRefused(await report(market, placed, state.failed, 5), "SequenceStale", { given: 5, last: 5 });
  });

  it("accepts a signature only in the form that was signed", async () => {
    const market = await loadPartner();
    const { ref, fence } = await place(market);
    const message = { ...ref, fence, state: state.ready, detail: zeroHash, sequence: 1, deadline: later };
    const good = packReport(message, await signReport(market, market.nodes.first.key, message));
    for (const form of othersThan(good)) {
      const receipt = await market.mined(market.docker.write.reportBatch([[{ ...good, ...form }]]));
      expectRefused(receipt, "SignatureInvalid", { signer: market.nodes.first.key.address });
    }
    const receipt = await market.mined(market.docker.write.reportBatch([[good]]));
    expect(refusalsOf(receipt)).to.deep.equal([]);
  });

  it("accepts reports in any order of relayers only as their sequence rises", async () => {
    const market = await loadPartner();
    const placed = await place(market);
    await report(market, placed, state.failed, 3);
    expectRefused(await report(market, placed, state.running, 2), "SequenceStale", { given: 2, last: 3 });
    expect((await market.docker.read.assignmentOf([placed.workspaceId, 0])).state).to.equal(state.failed);
  });

  it("starts the clock on Running, stops it when that ends, and reports new ports without changing it", async () => {
    const market = await loadPartner();
    const { workspaceId, ref, fence } = await place(market);
    const running = async () =>
      (await market.escrow.read.leaseOf([workspaceId, 0]))[6] === leaseClock.running;
    const placed = { ref, fence };
    await report(market, placed, state.running, 1);
    expect(await running()).to.equal(true);
    const detail = `0x1f90${"0".repeat(60)}` as const;
    const again = await report(market, placed, state.running, 2, { detail });
    expect(parseEventLogs({ abi: escrowAbi, logs: again.logs, eventName: "LeaseClockSet" })).to.deep.equal(
      [],
    );
    const [log] = parseEventLogs({ abi: dockerContractAbi, logs: again.logs, eventName: "StateChanged" });
    expect(log?.args.detail).to.equal(detail);
    await report(market, placed, state.stopped, 3);
    expect(await running()).to.equal(false);
  });

  it("frees the capacity and closes the escrow lease when a node reports Deleted", async () => {
    const market = await loadPartner();
    const placed = await place(market);
    await report(market, placed, state.running, 1);
    await market.docker.write.requestDelete([[placed.ref]], { account: market.people.delegate });
    const receipt = await report(market, placed, state.deleted, 2);
    const [log] = parseEventLogs({ abi: dockerContractAbi, logs: receipt.logs, eventName: "Released" });
    expect(log?.args.reason).to.equal(0);
    expect(await market.computeNode.read.freeOf([1])).to.deep.equal(nodeSpec.total);
    expect(await market.escrow.read.isOpen([placed.ref])).to.equal(false);
    expectRefused(await report(market, placed, state.running, 3), "TransitionInvalid", {
      from: state.deleted,
      to: state.running,
    });
  });

  it("costs little to report a state in a batch of 50", async () => {
    const market = await loadPartner();
    const { docker, mined } = market;
    await addNodes(market, ["big"]);
    const small = { cpuMilli: 100, memoryMib: 100, diskGib: 1, ports: 0, gpus: 0 };
    const { workspaceId, spec } = await publish(market, { resources: small }, { replicas: 50 });
    const replicas = Array.from({ length: 50 }, (_, replica) => replica);
    await assign(
      market,
      replicas.map((replica) => ({ workspaceId, replica, nodeId: 3, start: true, spec })),
    );
    const send = async (to: number, sequence: number) => {
      const messages = await Promise.all(
        replicas.map(async (replica) => {
          const { fence } = await docker.read.assignmentOf([workspaceId, replica]);
          const ref = { workspaceId, replica, lease: 1, fence };
          return { ...ref, state: to, detail: zeroHash, sequence, deadline: later };
        }),
      );
      const packed = await Promise.all(
        messages.map(async (message) => packReport(message, await signReport(market, keyOf("big"), message))),
      );
      const receipt = await mined(docker.write.reportBatch([packed]));
      expect(refusalsOf(receipt)).to.deep.equal([]);
      return receipt;
    };
    noteGas("report-state-50: ready", await send(state.ready, 1), 50);
    noteGas("report-state-50: running, the clock starts", await send(state.running, 2), 50);
    noteGas("report-state-50: stopped, settled", await send(state.stopped, 3), 50);
  });
});

describe("DockerContract: leases that end", () => {
  async function lose(market: PartnerFixture, placed: Awaited<ReturnType<typeof place>>) {
    const { ref, spec } = placed;
    const { people, docker } = market;
    return market.mined(docker.write.releaseLost([[ref], [spec]], { account: people.keeper }));
  }
  const reasonIn = (receipt: Awaited<ReturnType<typeof lose>>) =>
    parseEventLogs({ abi: dockerContractAbi, logs: receipt.logs, eventName: "Released" })[0]?.args.reason;

  it("releases an available lease immediately, as lost, or as replaced when it had failed", async () => {
    const market = await loadPartner();
    const lost = await place(market);
    const receipt = await lose(market, lost);
    expect(reasonIn(receipt)).to.equal(1);
    expect(await market.computeNode.read.freeOf([1])).to.deep.equal(nodeSpec.total);
    expectRefused(await lose(market, lost), "LeaseEnded", { lease: 1 });
    const failed = await place(market);
    await report(market, failed, state.failed, 1);
    expect(reasonIn(await lose(market, failed))).to.equal(4);
  });

  it("releases an exclusive lease only after grace and clock margin; a report in between clears the mark", async () => {
    const market = await loadPartner();
    const placed = await place(market, { policy: 1 });
    const marked = await lose(market, placed);
    const time = await market.time.latest();
    const [log] = parseEventLogs({ abi: dockerContractAbi, logs: marked.logs, eventName: "LeaseLost" });
    expect(log?.args.releasableAt).to.equal(time + 60 + 120);
    await market.time.increaseTo(time + 178);
    expectRefused(await lose(market, placed), "NotReleasable", { releasableAt: time + 180 });
    await report(market, placed, state.ready, 1);
    expect((await market.docker.read.assignmentOf([placed.workspaceId, 0])).lostAt).to.equal(0);
    await lose(market, placed);
    await market.time.increase(181);
    expect(reasonIn(await lose(market, placed))).to.equal(1);
  });

  it("lets only keepers release", async () => {
    const market = await loadPartner();
    const { ref, spec } = await place(market);
    const call = market.docker.write.releaseLost([[ref], [spec]], { account: market.people.delegate });
    await expectRevert(call, "CallerNotKeeper", { caller: market.people.delegate });
  });

  it("ends unfunded or expired leases by anyone's call, and no others", async () => {
    const market = await loadPartner();
    const { docker, escrow, people, mined, time } = market;
    const expiresAt = (await time.latest()) + 100_000;
    const placed = await place(market, { expiresAt });
    const { ref, spec } = placed;
    const end = () => mined(docker.write.releaseEnded([[ref], [spec]], { account: people.outsider }));
    expectRefused(await end(), "NotReleasable", { lease: 1, releasableAt: expiresAt });
    await report(market, placed, state.running, 1);
    await time.increase(2_000);
    await escrow.write.settle([[ref]]);
    expect(await escrow.read.balanceOf([partner.address])).to.equal(0n);
    expect(reasonIn(await end())).to.equal(2);
    expect(await market.computeNode.read.freeOf([1])).to.deep.equal(nodeSpec.total);
    await time.increase(100_000);
  });

  it("ends expired leases", async () => {
    const market = await loadPartner();
    const expiresAt = (await market.time.latest()) + 50;
    const { ref, spec } = await place(market, { expiresAt });
    await market.time.increase(60);
    const receipt = await market.mined(market.docker.write.releaseEnded([[ref], [spec]]));
    expect(reasonIn(receipt)).to.equal(3);
  });

  it("ends only the current lease, under its own spec", async () => {
    const market = await loadPartner();
    const { docker, mined, people } = market;
    const { ref, spec, workspaceId } = await place(market);
    const keeper = { account: people.keeper };
    const other = { ...spec, graceSeconds: 61 };
    for (const end of [docker.write.releaseLost, docker.write.releaseEnded]) {
      expectRefused(await mined(end([[{ ...ref, lease: 2 }], [spec]], keeper)), "LeaseStale", { current: 1 });
      expectRefused(await mined(end([[ref], [other]], keeper)), "WorkspaceSpecMismatch", { workspaceId });
    }
    const close = () => docker.write.closeWorkspace([workspaceId], { account: people.delegate });
    await close();
    await expectRevert(close(), "WorkspaceNotOpen", { workspaceId });
    await expectRevert(docker.write.closeExpired([workspaceId, spec]), "WorkspaceNotOpen", { workspaceId });
  });

  it("releases an unfunded exclusive lease only after its grace", async () => {
    const market = await loadPartner();
    const { docker, escrow, mined, time } = market;
    const placed = await place(market, { policy: 1 });
    const { ref, spec } = placed;
    await report(market, placed, state.running, 1);
    await time.increase(2_000);
    await escrow.write.settle([[ref]]);
    const end = () => mined(docker.write.releaseEnded([[ref], [spec]]));
    expect(reasonIn(await end())).to.equal(undefined);
    await time.increase(181);
    expect(reasonIn(await end())).to.equal(2);
  });
});
