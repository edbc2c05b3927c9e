import { computeNodeAbi } from "@ngpu/contracts-sdk/generated/abi";
import { nodesOfWord, wordIndexOf, wordsOf } from "@ngpu/protocol/heartbeatWords";
import { leafOfWord, wordTreeOf } from "@ngpu/protocol/heartbeatWordTree";
import { expect } from "chai";
import fc from "fast-check";
import { type Hex, keccak256, parseEventLogs, zeroAddress } from "viem";
import { runs } from "../support/runs.ts";
import { keyOf, loadMarket, type MarketFixture } from "./support/market.ts";
import { setNodeCount } from "./support/nodeCount.ts";
import { addNodes } from "./support/nodes.ts";
import { disputeOf } from "./support/presence.ts";
import { expectRefused, expectRevert, refusalsOf } from "./support/reverts.ts";

const signer = keyOf("acknowledger");
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

type Dispute = Awaited<ReturnType<typeof disputeOf>>;

function send(market: MarketFixture, ...disputes: Dispute[]) {
  return market.mined(market.computeNode.write.disputeHeartbeats([disputes]));
}

/** The first bits of a word, as its 32 bytes. */
const word = (bits: number): Hex => `0x${bits.toString(16).padStart(2, "0")}${"0".repeat(62)}`;

function challenge(market: MarketFixture, nodeId: number, first: bigint, last: bigint) {
  const account = market.people.keeper;
  return market.mined(market.computeNode.write.challengePresence([nodeId, first, last], { account }));
}

describe("ComputeNode: corrections of heartbeats", () => {
  it("sets the bits of nodes whose heartbeats were acknowledged, each once, relayed by anyone", async () => {
    const market = await loadNodes();
    const { slot } = market;
    const two = await disputeOf(market, slot, { nodeIds: [2] });
    const receipt = await send(market, two, await disputeOf(market, slot, { nodeIds: [2, 3] }), two);
    const logs = parseEventLogs({ abi: computeNodeAbi, eventName: "HeartbeatsDisputed", logs: receipt.logs });
    expect(logs.map(({ args }) => args)).to.deep.equal([
      { slot, word: 0, bits: word(0b010) },
      { slot, word: 0, bits: word(0b100) },
    ]);
    expect(refusalsOf(receipt)).to.deep.equal([
      { index: 2, name: "HeartbeatsAlreadyDisputed", args: { slot } },
    ]);
    expect(await market.computeNode.read.correctionOf([slot, 2])).to.deep.equal([true, false]);
    expect(await market.computeNode.read.correctionOf([slot, 3])).to.deep.equal([true, false]);
    expect(await market.computeNode.read.correctionOf([slot, 1])).to.deep.equal([false, false]);
    expect(await market.computeNode.read.correctionOf([slot - 1n, 2])).to.deep.equal([false, false]);
  });

  it("refuses acknowledgements of other slots, words and markets, and of accounts that are not acknowledgers", async () => {
    const market = await loadNodes();
    const { slot } = market;
    const good = await disputeOf(market, slot);
    const otherEndpoints = { ...market, deployment: { ...market.deployment, chainId: 1 } };
    const stranger = keyOf("stranger");
    const refused = async (dispute: Dispute) => refusalsOf(await send(market, dispute))[0]?.name;
    expect(await refused({ ...good, slot: slot - 1n })).to.equal("HeartbeatAckUnsigned");
    expect(await refused(await disputeOf(otherEndpoints, slot))).to.equal("HeartbeatAckUnsigned");
    expect(await refused({ ...good, signature: "0x1234" })).to.equal("HeartbeatAckUnsigned");
    expect(await refused({ ...good, words: [{ index: 0, bits: word(0b1111) }] })).to.equal(
      "HeartbeatAckUnsigned",
    );
    expect(await refused({ ...good, words: [{ index: 1, bits: word(0b111) }] })).to.equal(
      "HeartbeatAckUnsigned",
    );
    expectRefused(
      await send(market, await disputeOf(market, slot, { signer: stranger })),
      "HeartbeatAckUnsigned",
      {
        signer: stranger.address,
      },
    );
    await market.computeNode.write.setHeartbeatAcknowledger([signer.address, false]);
    expect(await refused(good)).to.equal("HeartbeatAckUnsigned");
  });

  it("counts a malformed signature for nobody, even where the zero address is an acknowledger", async () => {
    const market = await loadNodes();
    await market.computeNode.write.setHeartbeatAcknowledger([zeroAddress, true]);
    const good = await disputeOf(market, market.slot);
    expectRefused(await send(market, { ...good, signature: "0x1234" }), "HeartbeatAckUnsigned");
  });

  it("refuses words without a proof, and proofs that are none, without stopping the batch", async () => {
    const market = await loadNodes();
    const { slot } = market;
    const good = await disputeOf(market, slot);
    const root = wordTreeOf(good.words).root;
    const faulty = [
      { ...good, words: [], proof: [root] },
      { ...good, proof: [root] },
      { ...good, proofFlags: [true] },
      { ...good, proof: [root], proofFlags: [true] },
      { ...good, words: [...good.words, ...good.words], proofFlags: [false] },
    ];
    const receipt = await send(market, ...faulty, good);
    expect(refusalsOf(receipt).map(({ index, name }) => [index, name])).to.deep.equal(
      faulty.map((_, index) => [index, "HeartbeatProofInvalid"]),
    );
    expect(await market.computeNode.read.correctionOf([slot, 3])).to.deep.equal([true, false]);
  });

  it("sets bits of registered nodes only", async () => {
    const market = await loadNodes();
    const { slot } = market;
    const receipt = await send(market, await disputeOf(market, slot, { nodeIds: [3, 4, 9, 300] }));
    const logs = parseEventLogs({ abi: computeNodeAbi, eventName: "HeartbeatsDisputed", logs: receipt.logs });
    expect(logs.map(({ args }) => args)).to.deep.equal([{ slot, word: 0, bits: word(0b100) }]);
    expectRefused(
      await send(market, await disputeOf(market, slot, { nodeIds: [4, 300] })),
      "HeartbeatsAlreadyDisputed",
    );
    for (const id of [0, 4, 9, 300]) {
      expect(await market.computeNode.read.correctionOf([slot, id])).to.deep.equal([false, false]);
    }
  });

  it("restores one word of an acknowledgement of many, or all of them, by the words and the tree of the services", async () => {
    const market = await loadNodes();
    await setNodeCount(market, 1_300);
    const { slot } = market;
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.integer({ min: 1, max: 1_300 }), { minLength: 1, maxLength: 40 }),
        fc.nat(),
        async (nodeIds, seed) => {
          const before = await market.connection.networkHelpers.takeSnapshot();
          const indexes = wordsOf(nodeIds).map(({ index }) => index);
          const words = seed % 2 === 0 ? indexes : indexes.filter((_, place) => (seed >> place) & 1);
          if (words.length > 0) {
            const receipt = await send(market, await disputeOf(market, slot, { nodeIds, words }));
            expect(refusalsOf(receipt)).to.deep.equal([]);
            const logs = parseEventLogs({
              abi: computeNodeAbi,
              eventName: "HeartbeatsDisputed",
              logs: receipt.logs,
            });
            const restored = logs.flatMap(({ args }) => nodesOfWord({ index: args.word, bits: args.bits }));
            const expected = nodeIds.filter((id) => words.includes(wordIndexOf(id)));
            expect(restored.sort((a, b) => a - b)).to.deep.equal(expected.sort((a, b) => a - b));
            const [id = 0] = expected;
            expect((await market.computeNode.read.correctionOf([slot, id]))[0]).to.equal(true);
          }
          await before.restore();
        },
      ),
      { numRuns: runs(10) },
    );
  });

  it("gives no account the power to commit heartbeats and to acknowledge them", async () => {
    const { computeNode, people } = await loadMarket();
    await expectRevert(
      computeNode.write.setHeartbeatAcknowledger([people.committer, true]),
      "AccountHasOtherPower",
      {
        account: people.committer,
      },
    );
    await expectRevert(
      computeNode.write.setHeartbeatCommitter([signer.address, true]),
      "AccountHasOtherPower",
      {
        account: signer.address,
      },
    );
    await computeNode.write.setHeartbeatAcknowledger([signer.address, false]);
    await computeNode.write.setHeartbeatCommitter([signer.address, true]);
    expect(await computeNode.read.isHeartbeatAcknowledger([signer.address])).to.equal(false);
    expect(await computeNode.read.isHeartbeatCommitter([signer.address])).to.equal(true);
  });

  it("refuses an inner node of the tree as a leaf", async () => {
    const market = await loadNodes();
    await setNodeCount(market, 600);
    const whole = await disputeOf(market, market.slot, { nodeIds: [1, 300, 600] });
    const [first, second] = whole.words.map(leafOfWord) as [Hex, Hex];
    const inner = keccak256(
      first < second ? `0x${first.slice(2)}${second.slice(2)}` : `0x${second.slice(2)}${first.slice(2)}`,
    );
    const forged = {
      ...whole,
      words: [{ index: 0, bits: inner }],
      proof: [leafOfWord(whole.words[2] as never)],
      proofFlags: [false],
    };
    expectRefused(await send(market, forged), "HeartbeatAckUnsigned");
  });

  it("is closed for slots that have not ended, or are too old to be committed", async () => {
    const market = await loadNodes();
    const { slot } = market;
    expectRefused(await send(market, await disputeOf(market, slot + 2n)), "HeartbeatSlotOutsideWindow", {
      slot: slot + 2n,
      latest: slot,
    });
    const old = await disputeOf(market, slot);
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
    await send(market, await disputeOf(market, slot));
    await challenge(market, 1, slot, slot);
    expect(await market.computeNode.read.correctionOf([slot, 1])).to.deep.equal([true, true]);
    await challenge(market, 2, slot - 1n, slot - 1n);
    await send(market, await disputeOf(market, slot - 1n));
    expect(await market.computeNode.read.correctionOf([slot - 1n, 2])).to.deep.equal([true, true]);
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
