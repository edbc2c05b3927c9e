import { assignmentStates, codeOf, nodeStatuses, releaseReasons } from "@ngpu/contracts-sdk/enumNames";
import { expect } from "chai";
import { pad } from "viem";
import { verifyPlacement } from "../../cli/audit/verifyPlacement.ts";
import { workspaceSpec as anySpec } from "../services/autoExport/fixtures.ts";
import { at, type Placed } from "./recordedMarket.ts";
import { verified } from "./runVerify.ts";

const total = { gpus: 0, cpuMilli: 1_000, memoryMib: 4_096, diskGib: 40, ports: 4 };
const noGpu = {
  gpuModel: pad("0x", { size: 8 }),
  vramMib: 0,
  computeCapability: 0,
  region: "0x4445",
} as const;
const zero = pad("0x", { size: 20 });

const registered = (block: number, nodeId: number, pricePerSecond: bigint) =>
  at(block, "ComputeNode", "NodeRegistered", {
    ...{ nodeId, key: pad(`0x${nodeId}`, { size: 20 }), wallet: zero, isBound: false, pricePerSecond },
    ...{ spec: { ...noGpu, total }, gpuName: "", gpuUuids: [] },
  });
const content = {
  image: pad("0x1"),
  spec: {
    ...{ ...anySpec(1), maxPricePerSecond: 100n },
    resources: { gpus: 0, cpuMilli: 1_000, memoryMib: 1_024, diskGib: 10, ports: 1 },
  },
  config: JSON.stringify({ image: "chat", placement: { strategy: "cheapest" } }),
};
const published = (block: number, workspaceId: bigint) =>
  at(block, "DockerContract", "WorkspacePublished", {
    ...{ workspaceId, owner: zero, authorizationId: 1n, replicas: 3, ...content },
  });
type Lease = { workspaceId?: bigint; replica?: number; lease?: number; price?: bigint; decidedAt?: bigint };
const assigned = (block: number, nodeId: number, { price = 10n, decidedAt = 5n, ...ref }: Lease = {}) =>
  at(block, "DockerContract", "Assigned", {
    ...{ workspaceId: 1n, replica: 0, lease: 1, ...ref, nodeId },
    ...{ fence: pad("0x", { size: 8 }), pricePerSecond: price, start: true, decidedAt },
  });
const released = (block: number, nodeId: number, reason: (typeof releaseReasons)[number]) =>
  at(block, "DockerContract", "Released", {
    ...{ workspaceId: 1n, nodeId, replica: 0, lease: 1, reason: codeOf(releaseReasons, reason) },
  });

/** Node 1 is the cheapest, then nodes 2 and 3. Each has room for one replica. */
const market = [registered(1, 1, 10n), registered(1, 2, 20n), registered(1, 3, 30n), published(3, 1n)];
const check = (logs: Placed[], lease = "1/0/1") => verified([...market, ...logs], verifyPlacement, lease);

describe("verify placement of a lease, from an RPC endpoint alone", () => {
  it("recomputes an honest assignment", async () => {
    const { code, output, text } = await check([assigned(7, 1)]);
    expect(output).to.deep.include({ holds: true, nodeId: 1, ranking: [1, 2, 3], passedOver: [] });
    expect(code).to.equal(0);
    expect(text).to.include("Decided at block 5, position 0. Best nodes there: 1, 2, 3.");
  });

  it("finds an assignment to a node that the named block did not make best", async () => {
    const { code, output, text } = await check([assigned(7, 2, { price: 20n })]);
    expect(code).to.equal(2);
    expect(output.checks).to.deep.equal({ decided: true, price: true, fits: true, best: false });
    expect(text).to.include("Node 1 ranks higher. The chain has no reason to pass it over.");
  });

  it("finds a price above the one at the block of the decision, and one that the node does not have", async () => {
    for (const lie of [
      [
        at(6, "ComputeNode", "NodeSpecUpdated", {
          nodeId: 1,
          spec: { ...noGpu, total },
          pricePerSecond: 15n,
          gpuName: "",
        }),
      ],
      [],
    ]) {
      const { code, output } = await check([...lie, assigned(7, 1, { price: 15n })]);
      expect(code).to.equal(2);
      expect(output.checks).to.deep.equal({ decided: true, price: false, fits: true, best: true });
    }
  });

  it("finds a node that does not fit, and a block of decision that is not before the assignment", async () => {
    const full = [published(3, 2n), assigned(4, 1, { workspaceId: 2n }), assigned(7, 1)];
    expect((await check(full)).output.checks).to.deep.include({ fits: false, best: false });
    for (const decidedAt of [0n, 7n, 10n ** 9n]) {
      const { code, output } = await check([assigned(7, 1, { decidedAt })]);
      expect(code).to.equal(2);
      expect(output.checks).to.include({ decided: false });
    }
  });

  it("accepts that a better node was passed over after a lease of the replica failed on it, and only then", async () => {
    const again = assigned(9, 2, { lease: 2, price: 20n, decidedAt: 8n });
    const endedAs = (reason: (typeof releaseReasons)[number]) =>
      check([assigned(6, 1), released(7, 1, reason), again], "1/0/2");
    const lost = await endedAs("lost");
    expect(lost.code).to.equal(0);
    expect(lost.text).to.include("Node 1 ranks higher. Lease 1/0/1 ended on it as lost.");
    expect((await endedAs("deleted")).output.checks).to.deep.include({ best: false });
  });

  it("limits the price of a replacement as the contract does, unless the lease never ran or the workspace was updated", async () => {
    const dear = assigned(9, 3, { lease: 2, price: 30n, decidedAt: 8n });
    const running = at(6, "DockerContract", "StateChanged", {
      ...{ workspaceId: 1n, nodeId: 2, replica: 0, lease: 1, state: codeOf(assignmentStates, "running") },
      ...{ sequence: 1, detail: pad("0x") },
    });
    const before = [assigned(6, 2, { price: 20n })];
    const fits = async (logs: Placed[]) => {
      const { output } = await check([...before, ...logs, dear], "1/0/2");
      return (output.checks as { fits: boolean }).fits;
    };
    expect(await fits([released(7, 2, "lost")])).to.equal(true);
    expect(await fits([running, released(7, 2, "lost")])).to.equal(false);
    expect(await fits([running, released(7, 2, "unfunded")])).to.equal(true);
    const updated = at(7, "DockerContract", "WorkspaceUpdated", { workspaceId: 1n, ...content });
    expect(await fits([running, released(7, 2, "lost"), updated])).to.equal(true);
  });

  it("accepts that a better node was passed over because it no longer fitted in the block of the assignment", async () => {
    const offline = { nodeId: 1, status: codeOf(nodeStatuses, "offline") };
    const { code, text } = await check([
      at(6, "ComputeNode", "NodeStatusChanged", offline),
      assigned(7, 2, { price: 20n }),
    ]);
    expect(code).to.equal(0);
    expect(text).to.include("Node 1 ranks higher. It no longer fitted in block 7.");
  });

  it("counts the workspace's assignments that the block of the decision does not include", async () => {
    const second = assigned(7, 2, { replica: 1, price: 20n });
    const { code, output } = await check([assigned(6, 1), second], "1/1/1");
    expect(output).to.deep.include({ holds: true, position: 1 });
    expect(code).to.equal(0);
  });

  it("refuses a lease that was not assigned", async () => {
    const refused = await check([assigned(7, 1)], "1/0/2").catch((error) => error);
    expect(refused).to.include({ code: "lease_not_found" });
  });
});
