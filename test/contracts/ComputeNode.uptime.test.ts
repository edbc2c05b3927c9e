import { computeNodeAbi } from "@ngpu/contracts-sdk/generated/abi";
import { type NodeUptime, type UptimeLeaf, uptimeTreeOf } from "@ngpu/protocol/uptimeTree";
import { expect } from "chai";
import { keccak256, parseEventLogs, toBytes } from "viem";
import { loadMarket, type MarketFixture } from "./support/market.ts";
import { expectRevert, zeroHash } from "./support/reverts.ts";

const daySeconds = 86_400;
const root = keccak256(toBytes("a day"));

/** A day all of whose slots are settled. */
async function loadDay() {
  const market = await loadMarket();
  const day = BigInt(Math.floor((await market.time.latest()) / daySeconds));
  const settledAt = (Number(day) + 1) * daySeconds + 3_600;
  return { ...market, day, settledAt };
}

function commit(market: MarketFixture, day: bigint, of = root) {
  return market.computeNode.write.commitUptime([day, of], { account: market.people.poster });
}

describe("ComputeNode: uptime roots", () => {
  it("are committed once, when the day can no longer change, and count after the delay", async () => {
    const market = await loadDay();
    const { day, settledAt, time, computeNode } = market;
    await time.setNextBlockTimestamp(settledAt - 1);
    await expectRevert(commit(market, day), "UptimeDayOpen", { day, settledAt: BigInt(settledAt) });
    await time.setNextBlockTimestamp(settledAt);
    const receipt = await market.mined(commit(market, day));
    const [log] = parseEventLogs({ abi: computeNodeAbi, eventName: "UptimeCommitted", logs: receipt.logs });
    const activeAt = (await time.latest()) + 600;
    expect(log?.args).to.deep.equal({ day, root, activeAt });
    await expectRevert(commit(market, day), "UptimeAlreadyCommitted", { day, root });
    expect(await computeNode.read.uptimeRootOf([day])).to.equal(zeroHash);
    expect(await computeNode.read.uptimeOf([day])).to.deep.equal([root, activeAt]);
    await time.increaseTo(activeAt);
    expect(await computeNode.read.uptimeRootOf([day])).to.equal(root);
    expect(await computeNode.read.uptimeRootOf([day + 1n])).to.equal(zeroHash);
  });

  it("are disabled by the guardian within the delay, not after, and may be committed again", async () => {
    const market = await loadDay();
    const { day, settledAt, time, computeNode, people } = market;
    const guardian = { account: people.guardian };
    await time.increaseTo(settledAt);
    await expectRevert(computeNode.write.disableUptime([day], guardian), "UptimeUnknown", { day });
    await commit(market, day);
    await expectRevert(
      computeNode.write.disableUptime([day], { account: people.outsider }),
      "AccessManagedUnauthorized",
    );
    await computeNode.write.disableUptime([day], guardian);
    expect(await computeNode.read.uptimeOf([day])).to.deep.equal([zeroHash, 0]);
    await commit(market, day);
    // In the last second before it is active, and never from then on.
    await time.setNextBlockTimestamp((await time.latest()) + 599);
    const disabled = await market.mined(computeNode.write.disableUptime([day], guardian));
    const [log] = parseEventLogs({ abi: computeNodeAbi, eventName: "UptimeDisabled", logs: disabled.logs });
    expect(log?.args).to.deep.equal({ day, root });
    const better = keccak256(toBytes("the same day"));
    await commit(market, day, better);
    await time.setNextBlockTimestamp((await time.latest()) + 600);
    await expectRevert(computeNode.write.disableUptime([day], guardian), "UptimeActive", { day });
    await market.connection.networkHelpers.mine();
    expect(await computeNode.read.uptimeRootOf([day])).to.equal(better);
  });

  it("come from posters and are not zero", async () => {
    const market = await loadDay();
    const { day, settledAt, time, computeNode, people } = market;
    await time.increaseTo(settledAt);
    await expectRevert(
      computeNode.write.commitUptime([day, root], { account: people.outsider }),
      "CallerNotUptimePoster",
    );
    await expectRevert(commit(market, day, zeroHash), "UptimeRootZero", { day });
    await computeNode.write.setUptimePoster([people.poster, false]);
    await expectRevert(commit(market, day), "CallerNotUptimePoster", { caller: people.poster });
  });

  it("prove a node's day and nothing else", async () => {
    const market = await loadDay();
    const { day, settledAt, time, computeNode } = market;
    const leaves: UptimeLeaf[] = [
      { kind: "node", day, nodeId: 1, presentSlots: 1_440, totalSlots: 1_440 },
      { kind: "node", day, nodeId: 2, presentSlots: 7, totalSlots: 1_440 },
      ...[{ kind: "lease" as const, day, workspaceId: 1n, replica: 0, lease: 1, nodeId: 2 }].map((lease) => ({
        ...lease,
        authorizationId: 1n,
        rate: 1_000n,
        downSeconds: 60,
      })),
    ];
    const tree = uptimeTreeOf(leaves);
    await time.increaseTo(settledAt);
    await commit(market, day, tree.root);
    const isProven = (leaf: NodeUptime, index: number) =>
      computeNode.read.isUptimeProven([leaf, tree.proofOf(index)]);
    const [one, two] = leaves as unknown as [NodeUptime, NodeUptime];
    expect(await isProven(one, 0)).to.equal(false);
    await time.increase(600);
    expect(await isProven(one, 0)).to.equal(true);
    expect(await isProven(two, 1)).to.equal(true);
    expect(await isProven(two, 0)).to.equal(false);
    expect(await isProven({ ...two, presentSlots: 8 }, 1)).to.equal(false);
    expect(await isProven({ ...one, day: day - 1n }, 0)).to.equal(false);
  });
});
