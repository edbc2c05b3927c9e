import { readFileSync } from "node:fs";
import { computeNodeAbi } from "@ngpu/contracts-sdk/generated/abi";
import { decodeHeartbeats, encodeHeartbeats, type HeartbeatBits } from "@ngpu/protocol/heartbeatBits";
import { cosignSlot } from "@ngpu/protocol/heartbeatCosign";
import { nodesOfWord } from "@ngpu/protocol/heartbeatWords";
import { countPresence, type PresenceFacts } from "@ngpu/protocol/presence";
import { expect } from "chai";
import type { Hex } from "viem";
import { keyOf, loadMarket, type MarketFixture } from "./support/market.ts";
import { setNodeCount } from "./support/nodeCount.ts";
import { addNodes } from "./support/nodes.ts";
import { acknowledger, commitCosigned, cosigner, disputeOf, markOffline } from "./support/presence.ts";
import { expectRefused, expectRevert } from "./support/reverts.ts";

const slotSeconds = 60;
const nodeCount = 1_000;
/** 5% of them. */
const alone = 50;
const all = Array.from({ length: nodeCount }, (_, place) => place + 1);
const codes = { bitmap: 0, absentees: 1 } as const;

/** A market of 1,000 nodes at the beginning of a slot, whose predecessor has just ended. */
async function load() {
  const market = await loadMarket();
  await addNodes(market, ["node one"]);
  await setNodeCount(market, nodeCount);
  return { ...market, slot: await nextSlot(market) };
}

async function nextSlot({ time }: Pick<MarketFixture, "time">): Promise<bigint> {
  const begun = Math.floor((await time.latest()) / slotSeconds) + 1;
  await time.increaseTo(begun * slotSeconds);
  return BigInt(begun) - 1n;
}

/** The slot of all nodes but `count`, from the node after `first` on. */
function without(count: number, first = 0): HeartbeatBits {
  const absent = new Set(Array.from({ length: count }, (_, place) => ((first + place) % nodeCount) + 1));
  return encodeHeartbeats(nodeCount, new Set(all.filter((id) => !absent.has(id))));
}

function commit({ computeNode, people }: MarketFixture, slot: bigint, given: HeartbeatBits): Promise<Hex> {
  const args = [slot, codes[given.encoding], given.nodeCount, given.bits] as const;
  return computeNode.write.commitHeartbeats(args, { account: people.committer });
}

describe("Attacks with a committer's key", () => {
  it("leave out 5% of the nodes of a slot alone, and no more, however the slot says so", async () => {
    const market = await load();
    const { slot } = market;
    const registered = nodeCount;
    const many = commit(market, slot, without(alone + 1));
    await expectRevert(many, "HeartbeatsUncosigned", { omitted: 51n, registered });
    const nobody = commit(market, slot, without(nodeCount));
    await expectRevert(nobody, "HeartbeatsUncosigned", { omitted: 1_000n, registered });
    const few = { ...without(0), nodeCount: nodeCount - alone - 1 };
    await expectRevert(commit(market, slot, few), "HeartbeatsUncosigned", { omitted: 51n, registered });
    const both = { ...without(alone), nodeCount: nodeCount - 1 };
    await expectRevert(commit(market, slot, both), "HeartbeatsUncosigned", { omitted: 51n, registered });
    // A bitmap may leave out anybody.
    const bitmap = { encoding: "bitmap", nodeCount, bits: `0x${"ff".repeat(125)}` } as const;
    await expectRevert(commit(market, slot, bitmap), "HeartbeatsUncosigned", { omitted: 1_000n, registered });
    const more = commit(market, slot, { ...without(0), nodeCount: nodeCount + 1 });
    await expectRevert(more, "HeartbeatsUncosigned", { registered });
    await commit(market, slot, without(alone));
    await commit(market, slot - 1n, { ...without(0), nodeCount: nodeCount - alone });
  });

  it("leave out more only where a cosigner signed these bits of this slot", async () => {
    const market = await load();
    const { slot, computeNode, people, deployment } = market;
    const nobody = without(nodeCount);
    const account = people.committer;
    for (const signer of [keyOf("committer"), acknowledger]) {
      const given = commitCosigned(market, slot, nobody, { signer });
      await expectRevert(given, "CosignerUnknown", { signer: signer.address });
    }
    const signature = await cosignSlot(cosigner, deployment, slot, without(60));
    const others = [
      [slot - 1n, without(60), signature],
      [slot, without(61), signature],
      [slot, { ...without(60), nodeCount: nodeCount - 1 }, signature],
      [slot, without(60), "0x1234"],
    ] as const;
    for (const [at, given, by] of others) {
      const args = [at, codes[given.encoding], given.nodeCount, given.bits, by] as const;
      await expectRevert(computeNode.write.commitCosignedHeartbeats(args, { account }), "CosignerUnknown");
    }
    const outsider = commitCosigned(market, slot, nobody, { account: people.outsider });
    await expectRevert(outsider, "CallerNotCommitter");
    await commitCosigned(market, slot, nobody);
    await expectRevert(commitCosigned(market, slot, without(0)), "HeartbeatSlotCommitted", { slot });
  });

  it("gain nothing from the zero address as a cosigner", async () => {
    const market = await load();
    await market.computeNode.write.setHeartbeatCosigner([`0x${"0".repeat(40)}`, true]);
    const { people, computeNode, slot } = market;
    const args = [slot, codes.absentees, nodeCount, "0x", "0x"] as const;
    const sent = computeNode.write.commitCosignedHeartbeats(args, { account: people.committer });
    await expectRevert(sent, "CosignerUnknown");
  });

  it("give no account two of the three powers over presence", async () => {
    const market = await loadMarket();
    const { computeNode, people } = market;
    const holders = {
      setHeartbeatCommitter: people.committer,
      setHeartbeatAcknowledger: acknowledger.address,
      setHeartbeatCosigner: cosigner.address,
    } as const;
    for (const set of Object.keys(holders) as (keyof typeof holders)[]) {
      for (const [own, account] of Object.entries(holders)) {
        if (own === set) continue;
        await expectRevert(computeNode.write[set]([account, true]), "AccountHasOtherPower", { account });
        // Taking a power that it has not changes nothing.
        await computeNode.write[set]([account, false]);
      }
    }
    expect(await computeNode.read.isHeartbeatCommitter([people.committer])).to.equal(true);
    expect(await computeNode.read.isHeartbeatAcknowledger([acknowledger.address])).to.equal(true);
    expect(await computeNode.read.isHeartbeatCosigner([cosigner.address])).to.equal(true);
  });

  it("mark no node offline, however often it is left out", async () => {
    const market = await load();
    for (let count = 0; count < 3; count += 1) await commit(market, await nextSlot(market), without(alone));
    expectRefused(await markOffline(market, [1], { signer: keyOf("committer") }), "CosignerUnknown");
    expect(await market.computeNode.read.statusOf([1])).to.equal(1);
  });
});

const page = new URL("../../docs/contracts/roles.md", import.meta.url);
const marker = "<!-- figures of test/contracts/Committers.attacks.test.ts -->";

/** The part of the presence of all nodes that slots say they did not have, in percent. */
async function lost(market: MarketFixture, slots: readonly bigint[]): Promise<string> {
  const logs = await market.client.getContractEvents({
    address: market.computeNode.address,
    abi: computeNodeAbi,
    fromBlock: 0n,
  });
  const facts: PresenceFacts = {
    firstSlot: Number(slots[0]),
    endSlot: Number(slots.at(-1)) + 1,
    slots: [],
    disputes: [],
    challenges: [],
  };
  for (const { eventName, args } of logs) {
    if (eventName === "HeartbeatsCommitted") {
      const { slot = 0n, encoding = 0, nodeCount: count = 0, bits = "0x" } = args as Partial<Committed>;
      const name = encoding === 0 ? "bitmap" : "absentees";
      facts.slots.push({ slot: Number(slot), encoding: name, nodeCount: count, bits });
    }
    if (eventName !== "HeartbeatsDisputed") continue;
    const { slot = 0n, word = 0, bits = "0x" } = args as { slot?: bigint; word?: number; bits?: Hex };
    for (const nodeId of nodesOfWord({ index: word, bits }))
      facts.disputes.push({ slot: Number(slot), nodeId });
  }
  const present = [...countPresence(facts).values()].reduce((sum, one) => sum + one.presentSlots, 0);
  const possible = nodeCount * slots.length;
  return `${Math.round((1_000 * (possible - present)) / possible) / 10}%`;
}

type Committed = { slot: bigint; encoding: number; nodeCount: number; bits: Hex };

/** Times that a thief has: all slots of an hour, and one in a quarter of an hour of a day. */
const hour = { slots: 60, stride: 1n };
const day = { slots: 96, stride: 15n };

/** Commits slots of a time as a thief, and restores each from one acknowledgement of all nodes where `isWatched`. */
async function play(
  { slots, stride }: typeof hour,
  isWatched: boolean,
  bitsOf: (slot: bigint) => HeartbeatBits,
): Promise<string> {
  const market = await load();
  const played: bigint[] = [];
  for (let slot = market.slot; played.length < slots; slot += stride) {
    played.push(slot);
    const given = bitsOf(slot);
    const isSmall = given.encoding === "absentees" && given.bits.length - 2 <= 2 * alone;
    await (isSmall ? commit(market, slot, given) : commitCosigned(market, slot, given));
    if (isWatched) await restore(market, slot, given);
    await market.time.increaseTo(Number(slot + stride + 1n) * slotSeconds);
  }
  return lost(market, played);
}

/** What match sends: the words with a node that the slot leaves out. */
async function restore(market: MarketFixture, slot: bigint, given: HeartbeatBits): Promise<void> {
  const present = decodeHeartbeats(given);
  const missing = all.filter((id) => !present.has(id));
  const words = [...new Set(missing.map((id) => Math.floor((id - 1) / 256)))];
  await market.computeNode.write.disputeHeartbeats([
    [await disputeOf(market, slot, { nodeIds: all, words })],
  ]);
}

describe("A thief of a committer's key", function () {
  this.timeout(600_000);

  it("takes the presence that the page says in an hour and in a day, until it is disputed", async () => {
    const rest = (slot: bigint) => without(alone, (Number(slot) * alone) % nodeCount);
    const figures = {
      committer: [await play(hour, false, rest), await play(day, false, rest), await play(hour, true, rest)],
      "committer and cosigner": [
        await play(hour, false, () => without(nodeCount)),
        await play(day, false, () => without(nodeCount)),
        await play(hour, true, () => without(nodeCount)),
      ],
    };
    const [, table = ""] = readFileSync(page, "utf8").split(marker);
    const rows = [...table.matchAll(/^\| ([a-z][^|]+?) +\| ([\d.]+%) +\| ([\d.]+%) +\| ([\d.]+%) +\|/gm)];
    const written = Object.fromEntries(rows.map(([, key = "", ...given]) => [key, given]));
    expect(written).to.deep.equal(figures);
  });
});
