import { codeOf, nodeStatuses } from "@ngpu/contracts-sdk/enumNames";
import { computeNodeAbi, dockerContractAbi } from "@ngpu/contracts-sdk/generated/abi";
import { encodeHeartbeats } from "@ngpu/protocol/heartbeatBits";
import { expect } from "chai";
import { encodeErrorResult, type Hex } from "viem";
import { verifyPlacement } from "../../cli/audit/verifyPlacement.ts";
import { at, genesis, type Placed, slotSeconds } from "./recordedMarket.ts";
import { assigned, content, ids, market, noGpu, published, released, total } from "./recordedPlacements.ts";
import { verified } from "./runVerify.ts";

/** The checks that did not pass. */
const failedOf = ({ checks }: Record<string, unknown>) =>
  Object.entries(checks as Record<string, boolean>).flatMap(([name, passed]) => (passed ? [] : [name]));
const check = (logs: Placed[], lease = "1/0/1") => verified([...market, ...logs], verifyPlacement, lease);

describe("verify placement of a lease, from an RPC endpoint alone", () => {
  it("recomputes an honest assignment", async () => {
    const { code, output, text } = await check([assigned(7, 1)]);
    expect(output).to.deep.include({ holds: true, nodeId: 1, ranking: [1, 2, 3], excluded: [] });
    expect(code).to.equal(0);
    expect(text).to.include("Decided at block 5, position 0. Best nodes there: 1, 2, 3.");
  });

  it("finds an assignment to a node that the named block did not make best", async () => {
    const { code, output, text } = await check([assigned(7, 2, { price: 20n })]);
    expect(code).to.equal(2);
    expect(failedOf(output)).to.deep.equal(["best"]);
    expect(text).to.include("Best nodes there: 1, 2, 3.");
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
      expect(failedOf(output)).to.deep.equal(["price"]);
    }
  });

  it("finds a node that does not fit, and a block of decision that is not before the assignment", async () => {
    const full = [published(3, 2n), assigned(4, 1, { workspaceId: 2n }), assigned(7, 1)];
    expect((await check(full)).output.checks).to.deep.include({ fits: false, best: false });
    for (const decidedAt of [0n, 7n, 10n ** 9n]) {
      const { code, output } = await check([assigned(7, 1, { decidedAt })]);
      expect(code).to.equal(2);
      expect(failedOf(output)).to.include("block");
    }
  });

  it("finds a block of decision that is too old, so that a keeper cannot look for one that suits it", async () => {
    const at = async (block: number) => failedOf((await check([assigned(block, 1)])).output);
    expect(await at(5 + 1_800)).to.deep.equal([]);
    expect(await at(5 + 1_801)).to.deep.equal(["block"]);
  });

  it("finds an excluded node that the chain has no reason to exclude, and a list that is not in order", async () => {
    const lie = await check([assigned(7, 2, { price: 20n, excluded: [1] })]);
    expect(lie.code).to.equal(2);
    expect(failedOf(lie.output)).to.deep.equal(["excluded"]);
    expect(lie.text).to.include("Node 1 was excluded. The chain has no reason for it.");
    for (const list of ["0x0000000200000001", "0x000001", "0x0000000100000001"] as const) {
      const { output } = await check([assigned(7, 3, { price: 30n }, list)]);
      expect(failedOf(output)).to.include("excluded");
    }
  });

  it("accepts that a node was excluded after a lease of the replica failed on it, and only then", async () => {
    const again = assigned(9, 2, { lease: 2, price: 20n, decidedAt: 8n, excluded: [1] });
    const ended = (...logs: Placed[]) => check([assigned(6, 1), ...logs, again], "1/0/2");
    const lost = await ended(released(7, 1, "lost"));
    expect(lost.code).to.equal(0);
    expect(lost.text).to.include("Node 1 was excluded. Lease 1/0/1 ended on it as lost.");
    expect(failedOf((await ended(released(7, 1, "deleted"))).output)).to.deep.equal(["excluded"]);
    const order = at(7, "DockerContract", "DeleteRequested", ids(1));
    expect((await ended(order, released(7, 1, "deleted"))).text).to.include("was ordered deleted on it");
    // A lease of another replica gives no reason.
    const other = at(7, "DockerContract", "Released", { ...ids(1), replica: 1, reason: 1 });
    expect(failedOf((await ended(released(7, 1, "deleted"), other)).output)).to.deep.equal(["excluded"]);
  });

  it("accepts that a node was excluded that refused an assignment, was absent or left", async () => {
    const second = assigned(9, 2, { price: 20n, excluded: [1] });
    const refused = (error: Hex) => at(6, "DockerContract", "ItemRefused", { index: 0n, reason: error });
    const dear = encodeErrorResult({
      abi: computeNodeAbi,
      errorName: "PriceAboveLimit",
      args: [1, 15n, 10n],
    });
    expect((await check([refused(dear), second])).text).to.include("in block 6: PriceAboveLimit.");
    const closed = encodeErrorResult({ abi: dockerContractAbi, errorName: "WorkspaceNotOpen", args: [1n] });
    const ofAnother = dear.replace(/^(0x.{8}).{64}/, `$1${"2".padStart(64, "0")}`) as Hex;
    for (const other of [closed, "0x", ofAnother] as const) {
      expect(failedOf((await check([refused(other), second])).output)).to.include("excluded");
    }
    const slot = Math.floor((genesis + 10) / slotSeconds);
    const heartbeats = (at_: number, absent: number) => {
      const { encoding, bits } = encodeHeartbeats(3, new Set([1, 2, 3].filter((id) => id !== absent)));
      return at(8, "ComputeNode", "HeartbeatsCommitted", {
        slot: BigInt(at_),
        encoding: encoding === "bitmap" ? 0 : 1,
        nodeCount: 3,
        bits,
      });
    };
    expect((await check([heartbeats(slot, 1), second])).text).to.include(`It was absent in slot ${slot}.`);
    expect(failedOf((await check([heartbeats(slot, 2), second])).output)).to.deep.equal(["excluded"]);
    expect(failedOf((await check([heartbeats(slot + 2, 1), second])).output)).to.deep.equal(["excluded"]);
    const offline = (block: number) =>
      at(block, "ComputeNode", "NodeStatusChanged", { nodeId: 1, status: codeOf(nodeStatuses, "offline") });
    expect((await check([second, offline(12)])).text).to.include("It left in block 12.");
    expect(failedOf((await check([second, offline(5 + 301)])).output)).to.deep.equal(["excluded"]);
  });

  it("limits the price of a replacement as the contract does, unless the lease never ran or the workspace was updated", async () => {
    const dear = assigned(9, 3, { lease: 2, price: 30n, decidedAt: 8n });
    const before = [assigned(6, 2, { price: 20n })];
    const fits = async (logs: Placed[]) => {
      const { output } = await check([...before, ...logs, dear], "1/0/2");
      return (output.checks as { fits: boolean }).fits;
    };
    const limited = (until: number, limit = 22n) =>
      at(7, "DockerContract", "PriceLimited", {
        workspaceId: 1n,
        replica: 0,
        lease: 1,
        pricePerSecond: limit,
        until,
      });
    const later = genesis + 1_000;
    const updated = at(7, "DockerContract", "WorkspaceUpdated", { workspaceId: 1n, ...content });
    expect(await fits([released(7, 2, "lost")])).to.equal(true);
    expect(await fits([limited(later)])).to.equal(false);
    expect(await fits([limited(later, 30n)])).to.equal(true);
    // Until the time of block 8, at which the replacement was decided.
    expect(await fits([limited(genesis + 16)])).to.equal(true);
    expect(await fits([limited(genesis + 17)])).to.equal(false);
    expect(await fits([limited(later), updated])).to.equal(true);
    expect(await fits([updated, limited(later)])).to.equal(true);
  });

  it("finds a place that the workspace's other assignments do not give", async () => {
    const first = assigned(6, 1);
    const second = (position: number, nodeId: number, price: bigint) =>
      check([first, assigned(7, nodeId, { replica: 1, price, position })], "1/1/1");
    const skipped = await second(2, 3, 30n);
    expect(skipped.code).to.equal(2);
    expect(failedOf(skipped.output)).to.deep.equal(["place"]);
    expect(skipped.text).to.include("The chain has position 1 for it.");
    // The other one of the same block has the lower place, so this one has the next.
    expect(failedOf((await second(1, 2, 20n)).output)).to.deep.equal([]);
    const alone = await check([assigned(7, 2, { price: 20n, position: 1 })]);
    expect(failedOf(alone.output)).to.deep.equal(["place"]);
    expect(alone.text).to.include("The chain has position 0 for it.");
  });

  it("accepts a place that counted an assignment that the chain refused, or one decided long before", async () => {
    const reason = encodeErrorResult({
      abi: computeNodeAbi,
      errorName: "PriceAboveLimit",
      args: [1, 11n, 10n],
    });
    const refused = at(6, "DockerContract", "ItemRefused", { index: 0n, reason });
    expect(
      failedOf((await check([refused, assigned(7, 2, { price: 20n, position: 1 })])).output),
    ).to.deep.equal([]);
    // Decided 80 seconds before this one, it was no longer counted.
    const late = assigned(46, 3, { price: 30n, decidedAt: 5n });
    const own = { replica: 1, decidedAt: 45n };
    const alone = await check([late, assigned(47, 1, { ...own })], "1/1/1");
    expect(failedOf(alone.output)).to.deep.equal([]);
    const counted = await check([late, assigned(47, 2, { ...own, price: 20n, position: 1 })], "1/1/1");
    expect(failedOf(counted.output)).to.deep.equal(["place"]);
  });

  it("counts the workspace's assignments that the block of the decision does not include", async () => {
    const second = assigned(7, 2, { replica: 1, price: 20n, position: 1 });
    const { code, output } = await check([assigned(6, 1), second], "1/1/1");
    expect(output).to.deep.include({ holds: true, position: 1 });
    expect(code).to.equal(0);
  });

  it("refuses a lease that was not assigned", async () => {
    const refused = await check([assigned(7, 1)], "1/0/2").catch((error) => error);
    expect(refused).to.include({ code: "lease_not_found" });
  });
});
