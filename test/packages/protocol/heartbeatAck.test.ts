import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { ackSignerOf, provenWordOf, signHeartbeats } from "@ngpu/protocol/heartbeatAck";
import { encodeHeartbeats } from "@ngpu/protocol/heartbeatBits";
import { needsCosignature } from "@ngpu/protocol/heartbeatCosign";
import { nodesOfWord, wordIndexOf, wordsOf } from "@ngpu/protocol/heartbeatWords";
import { areUnderRoot, leafOfWord, wordTreeOf } from "@ngpu/protocol/heartbeatWordTree";
import { expect } from "chai";
import fc from "fast-check";
import type { Hex } from "viem";
import { privateKeyToAccount } from "viem/accounts";

const deployment = {
  chainId: 10,
  contracts: { ComputeNode: `0x${"c0".repeat(20)}` },
} as unknown as Deployment;
const signer = privateKeyToAccount(`0x${"11".repeat(32)}`);
const nodes = fc.uniqueArray(fc.integer({ min: 1, max: 3_000 }), { minLength: 1, maxLength: 60 });

describe("Heartbeat acknowledgements", () => {
  it("prove each of their nodes with one signature", async () => {
    const nodeIds = [7, 1, 300, 4_294_967_295, 12];
    const { ackOf, ...ack } = await signHeartbeats(signer, deployment, 9n, nodeIds);
    for (const nodeId of nodeIds) {
      expect(await ackSignerOf(deployment, { ...ack, nodeId, ...ackOf(nodeId) })).to.equal(signer.address);
    }
  });

  it("prove nothing for another node, slot or market", async () => {
    const { ackOf, ...ack } = await signHeartbeats(signer, deployment, 9n, [1, 2, 3, 300]);
    const own = { ...ack, nodeId: 2, ...ackOf(2) };
    expect(await ackSignerOf(deployment, { ...own, nodeId: 4 })).to.equal(undefined);
    expect(await ackSignerOf(deployment, { ...own, nodeId: 258 })).to.equal(undefined);
    expect(await ackSignerOf(deployment, { ...own, bits: "0x12" })).to.equal(undefined);
    expect(await ackSignerOf(deployment, { ...own, slot: 10n })).to.not.equal(signer.address);
    expect(await ackSignerOf({ ...deployment, chainId: 11 }, own)).to.not.equal(signer.address);
    expect(await ackSignerOf(deployment, { ...own, signature: "0x12" })).to.equal(undefined);
    expect(() => ackOf(600)).to.throw("word 2");
  });

  it("need a node", async () => {
    const nobody = signHeartbeats(signer, deployment, 9n, []);
    expect(await nobody.catch((error: unknown) => error)).to.be.instanceOf(RangeError);
  });
});

describe("Words of a slot", () => {
  it("hold the nodes that they were made of, as the bitmap of the slot does", () => {
    fc.assert(
      fc.property(nodes, (nodeIds) => {
        const words = wordsOf(nodeIds);
        const sorted = nodeIds.toSorted((a, b) => a - b);
        expect(words.flatMap(nodesOfWord)).to.deep.equal(sorted);
        // More are absent than present, so the bitmap is the shorter encoding.
        const { encoding, bits } = encodeHeartbeats(3_072, new Set(nodeIds));
        expect(encoding).to.equal("bitmap");
        for (const { index, bits: own } of words) {
          expect(own.slice(2)).to.equal(bits.slice(2 + 64 * index, 66 + 64 * index));
        }
      }),
    );
  });

  it("lead to their root, all together, each alone, and any part", () => {
    fc.assert(
      fc.property(nodes, fc.nat(), (nodeIds, seed) => {
        const tree = wordTreeOf(wordsOf(nodeIds));
        const indexes = tree.words.map(({ index }) => index);
        const part = indexes.filter((_, place) => (seed >> place) & 1);
        for (const chosen of [indexes, part, ...indexes.map((one) => [one])]) {
          if (chosen.length > 0) expect(areUnderRoot(tree.root, tree.prove(chosen))).to.equal(true);
        }
        const [nodeId = 1] = nodeIds;
        const { words, proof } = tree.prove([wordIndexOf(nodeId)]);
        const ack = { nodeId, bits: words[0]?.bits as Hex, proof };
        expect(areUnderRoot(tree.root as Hex, provenWordOf(ack))).to.equal(true);
      }),
    );
  });

  it("have no root with a proof that is none", () => {
    const tree = wordTreeOf(wordsOf([1, 300]));
    const { words, proof } = tree.prove([0]);
    for (const root of [tree.root, ...proof, ...words.map(leafOfWord)]) {
      expect(areUnderRoot(root, { words: [], proof, proofFlags: [] })).to.equal(false);
      expect(areUnderRoot(root, { words, proof, proofFlags: [] })).to.equal(false);
      expect(areUnderRoot(root, { words, proof, proofFlags: [true] })).to.equal(false);
    }
  });
});

describe("A slot", () => {
  it("needs a cosigner when it leaves out more than the share, in any of three ways", () => {
    const present = new Set(Array.from({ length: 100 }, (_, place) => place + 1));
    const without = (...ids: number[]) => {
      const left = new Set([...present].filter((id) => !ids.includes(id)));
      return encodeHeartbeats(100, left);
    };
    expect(needsCosignature(without(), 100, 500)).to.equal(false);
    expect(needsCosignature(without(1, 2, 3, 4, 5), 100, 500)).to.equal(false);
    expect(needsCosignature(without(1, 2, 3, 4, 5, 6), 100, 500)).to.equal(true);
    expect(needsCosignature(without(1, 2, 3, 4, 5), 101, 500)).to.equal(true);
    expect(needsCosignature(encodeHeartbeats(100, new Set()), 100, 500)).to.equal(true);
    expect(needsCosignature(encodeHeartbeats(0, new Set()), 0, 500)).to.equal(false);
  });
});
