import { computeNodeAbi } from "@ngpu/contracts-sdk/generated/abi";
import { heartbeatTreeOf, signHeartbeats } from "@ngpu/protocol/heartbeatAck";
import { expect } from "chai";
import { type Hex, keccak256, parseEventLogs, toBytes } from "viem";
import { keyOf, loadMarket, type MarketFixture } from "./support/market.ts";
import { addNodes } from "./support/nodes.ts";
import { expectRefused, expectRevert, refusalsOf } from "./support/reverts.ts";

const signer = keyOf("receipts");
const slotSeconds = 60;

/** Nodes 1 to 3, and the keeper in the place of Measure. */
async function loadNodes() {
  const market = await loadMarket();
  await addNodes(market, ["node one", "node two", "node three"]);
  await market.computeNode.write.setMeasure([market.people.keeper, true]);
  // The beginning of a slot: the previous one stays the last ended slot for the duration of a test.
  const begun = Math.floor((await market.time.latest()) / slotSeconds) + 1;
  await market.time.increaseTo(begun * slotSeconds);
  return { ...market, slot: BigInt(begun) - 1n };
}

async function disputeOf(market: MarketFixture, slot: bigint, nodeId: number, by = signer) {
  const { proofOf, root, signature } = await signHeartbeats(by, market.deployment, slot, [1, 2, 3]);
  return { dispute: { slot, nodeId, root, proof: proofOf(nodeId) }, signature };
}

type Dispute = Awaited<ReturnType<typeof disputeOf>>;

function send(market: MarketFixture, ...disputes: Dispute[]) {
  return market.mined(
    market.computeNode.write.disputeHeartbeats([
      disputes.map(({ dispute }) => dispute),
      disputes.map(({ signature }) => signature),
    ]),
  );
}

function challenge(market: MarketFixture, nodeId: number, first: bigint, last: bigint) {
  const account = market.people.keeper;
  return market.mined(market.computeNode.write.challengePresence([nodeId, first, last], { account }));
}

describe("ComputeNode: corrections of heartbeats", () => {
  it("sets the bit of a node whose heartbeat was acknowledged, once, relayed by anyone", async () => {
    const market = await loadNodes();
    const { slot } = market;
    const two = await disputeOf(market, slot, 2);
    const receipt = await send(market, two, await disputeOf(market, slot, 3), two);
    const logs = parseEventLogs({ abi: computeNodeAbi, eventName: "HeartbeatDisputed", logs: receipt.logs });
    expect(logs.map(({ args }) => args)).to.deep.equal([
      { slot, nodeId: 2 },
      { slot, nodeId: 3 },
    ]);
    expect(refusalsOf(receipt)).to.deep.equal([
      { index: 2, name: "HeartbeatAlreadyDisputed", args: { slot, nodeId: 2 } },
    ]);
    expect(await market.computeNode.read.correctionOf([slot, 2])).to.deep.equal([true, false]);
    expect(await market.computeNode.read.correctionOf([slot, 1])).to.deep.equal([false, false]);
  });

  it("refuses receipts of other slots, nodes and markets, and of accounts that are not receipts' signers", async () => {
    const market = await loadNodes();
    const { slot } = market;
    const good = await disputeOf(market, slot, 2);
    const otherEndpoints = { ...market, deployment: { ...market.deployment, chainId: 1 } };
    const stranger = keyOf("stranger");
    const root = keccak256(toBytes("another root"));
    const refused = async (dispute: Dispute) => refusalsOf(await send(market, dispute))[0]?.name;
    const before = { ...good, dispute: { ...good.dispute, slot: slot - 1n } };
    expect(await refused(before)).to.equal("HeartbeatAckUnsigned");
    expect(await refused(await disputeOf(otherEndpoints, slot, 2))).to.equal("HeartbeatAckUnsigned");
    expect(await refused({ ...good, signature: "0x1234" })).to.equal("HeartbeatAckUnsigned");
    expect(await refused({ ...good, dispute: { ...good.dispute, nodeId: 1 } })).to.equal(
      "HeartbeatAckUnproven",
    );
    expect(await refused({ ...good, dispute: { ...good.dispute, root } })).to.equal("HeartbeatAckUnproven");
    expectRefused(await send(market, await disputeOf(market, slot, 2, stranger)), "HeartbeatAckUnsigned", {
      signer: stranger.address,
    });
    const { proofOf, ...ghost } = await signHeartbeats(signer, market.deployment, slot, [1, 9]);
    const unknown = {
      dispute: { slot, nodeId: 9, root: ghost.root, proof: proofOf(9) },
      signature: ghost.signature,
    };
    expectRefused(await send(market, unknown), "NodeUnknown", { nodeId: 9 });
    await market.computeNode.write.setReceiptSigner([signer.address, false]);
    expect(await refused(good)).to.equal("HeartbeatAckUnsigned");
  });

  it("gives no account the power to commit heartbeats and to acknowledge them", async () => {
    const { computeNode, people } = await loadMarket();
    await expectRevert(computeNode.write.setReceiptSigner([people.committer, true]), "AccountHasOtherPower", {
      account: people.committer,
    });
    await expectRevert(
      computeNode.write.setHeartbeatCommitter([signer.address, true]),
      "AccountHasOtherPower",
      {
        account: signer.address,
      },
    );
    await computeNode.write.setReceiptSigner([signer.address, false]);
    await computeNode.write.setHeartbeatCommitter([signer.address, true]);
    expect(await computeNode.read.isReceiptSigner([signer.address])).to.equal(false);
    expect(await computeNode.read.isHeartbeatCommitter([signer.address])).to.equal(true);
  });

  it("refuses an inner node of the tree as a leaf", async () => {
    const market = await loadNodes();
    const { root, proofOf } = heartbeatTreeOf([1, 2, 3]);
    const signed = await disputeOf(market, market.slot, 1);
    const cut = { ...signed, dispute: { ...signed.dispute, root, proof: proofOf(1).slice(1) as Hex[] } };
    expectRefused(await send(market, cut), "HeartbeatAckUnproven");
  });

  it("is closed for slots that have not ended, or are too old to be committed", async () => {
    const market = await loadNodes();
    const { slot } = market;
    expectRefused(await send(market, await disputeOf(market, slot + 2n, 1)), "HeartbeatSlotOutsideWindow", {
      slot: slot + 2n,
      latest: slot,
    });
    const old = await disputeOf(market, slot, 1);
    await market.time.increase(62 * 60);
    expectRefused(await send(market, old), "HeartbeatSlotOutsideWindow", { slot });
  });

  it("lets Measure alone clear slots, and only those that are still open", async () => {
    const market = await loadNodes();
    const { slot } = market;
    await expectRevert(
      market.computeNode.write.challengePresence([1, slot, slot], { account: market.people.outsider }),
      "CallerNotMeasure",
      { caller: market.people.outsider },
    );
    const receipt = await challenge(market, 1, slot - 500n, slot + 500n);
    const [log] = parseEventLogs({
      abi: computeNodeAbi,
      eventName: "PresenceChallenged",
      logs: receipt.logs,
    });
    expect(log?.args).to.deep.equal({ nodeId: 1, firstSlot: slot - 59n, lastSlot: slot });
    const read = async (at: bigint) => (await market.computeNode.read.correctionOf([at, 1]))[1];
    expect(await Promise.all([slot - 60n, slot - 59n, slot - 1n, slot, slot + 1n].map(read))).to.deep.equal([
      false,
      true,
      true,
      true,
      false,
    ]);
    expect((await challenge(market, 1, slot - 500n, slot - 400n)).logs).to.have.length(0);
    expect((await challenge(market, 1, slot, slot - 1n)).logs).to.have.length(0);
  });

  it("lets a challenge override a dispute, whichever comes first", async () => {
    const market = await loadNodes();
    const { slot } = market;
    await send(market, await disputeOf(market, slot, 1));
    await challenge(market, 1, slot, slot);
    expect(await market.computeNode.read.correctionOf([slot, 1])).to.deep.equal([true, true]);
    await challenge(market, 2, slot, slot);
    expectRefused(await send(market, await disputeOf(market, slot, 2)), "HeartbeatChallenged", {
      slot,
      nodeId: 2,
    });
  });

  it("clears every slot of a range across the words that hold them", async () => {
    const market = await loadNodes();
    // A time at which the window spans the end of a word of 256 slots.
    const border = (market.slot / 256n + 1n) * 256n;
    await market.time.increaseTo(Number(border + 20n) * 60 + 1);
    await challenge(market, 3, border - 7n, border + 5n);
    for (let at = border - 9n; at <= border + 8n; at += 1n) {
      const [, isChallenged] = await market.computeNode.read.correctionOf([at, 3]);
      expect(isChallenged, String(at)).to.equal(at >= border - 7n && at <= border + 5n);
    }
  });
});
