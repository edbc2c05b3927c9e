import { defaultTerms } from "@ngpu/rewards/defaultTerms";
import { type EpochDocument, hashDocument } from "@ngpu/rewards/document";
import { addShares, decideEpoch, windowOf } from "@ngpu/rewards/epochs";
import { buildTree } from "@ngpu/rewards/tree";
import { expect } from "chai";
import { concat, type Hex, keccak256, slice, toHex } from "viem";

const periods = { genesis: 1_000, epochSeconds: 100, settlementSeconds: 20 };
const alice = "0x00000000000000000000000000000000000000a1";
const bob = "0x00000000000000000000000000000000000000b0";

// A second implementation of the tree's formula.
const hash = (data: Hex) => slice(keccak256(data), 0, 20);
const leafOf = (account: string, cumulative: bigint) =>
  hash(concat([account as Hex, toHex(cumulative, { size: 12 })]));
const parentOf = (a: Hex, b: Hex) => hash(concat(a < b ? [a, b] : [b, a]));

describe("closing epochs", () => {
  it("covers time without gap or overlap", () => {
    expect(windowOf(1, periods)).to.deep.equal({
      number: 1,
      startsAt: 1_000,
      endsAt: 1_100,
      settledAt: 1_120,
    });
    expect(windowOf(2, periods).startsAt).to.equal(windowOf(1, periods).endsAt);
  });

  it("waits until the evidence about an epoch can have come", () => {
    expect(decideEpoch(1_119, 0, periods)).to.deep.equal({ type: "wait", until: 1_120 });
    expect(decideEpoch(1_120, 0, periods)).to.deep.equal({ type: "close", from: 1, to: 1 });
  });

  it("catches up on every epoch that passed while it was not running", () => {
    expect(decideEpoch(1_420, 1, periods)).to.deep.equal({ type: "close", from: 2, to: 4 });
    expect(decideEpoch(1_419, 1, periods)).to.deep.equal({ type: "close", from: 2, to: 3 });
  });

  it("adds shares to the earlier grants and keeps every account", () => {
    const after = addShares(new Map([[alice, 5n]]), [
      { account: bob, amount: 7n },
      { account: bob, amount: 1n },
      { account: alice, amount: 0n },
    ]);
    expect([...after]).to.deep.equal([
      [alice, 5n],
      [bob, 8n],
    ]);
  });
});

describe("the reward tree", () => {
  it("proves each account's cumulative amount and no other", () => {
    const { root, leaves } = buildTree([
      { account: bob, cumulative: 8n },
      { account: alice, cumulative: 5n },
    ]);
    for (const { account, cumulative, proof } of leaves) {
      expect(parentOf(leafOf(account, cumulative), proof)).to.equal(root);
      expect(parentOf(leafOf(account, cumulative + 1n), proof)).to.not.equal(root);
    }
  });

  it("has the same root for any order of accounts", () => {
    const leaves = [alice, bob].map((account, index) => ({ account, cumulative: BigInt(index + 1) }));
    expect(buildTree(leaves).root).to.equal(buildTree([...leaves].reverse()).root);
  });
});

describe("the epoch document", () => {
  const document: EpochDocument = {
    number: 1,
    pomc: bob as Hex,
    startsAt: 1,
    endsAt: 2,
    asOf: { block: 3n, hash: "0xabc" },
    emission: 10n,
    grantLimit: 10n,
    settledAt: 3,
    terms: defaultTerms({ slotSeconds: 60 }),
    nodes: [
      {
        nodeId: 1,
        account: alice,
        reached: true,
        present: 2,
        counted: 2,
        judged: true,
        declared: { cpu: 2n, gpu: 0n },
        proven: { cpu: 2n, gpu: 0n },
      },
    ],
    classes: [{ class: 0, pot: 10n, weight: 4n, granted: 10n }],
    shares: [{ nodeId: 1, account: alice, class: 0, units: 2n, slots: 2, amount: 10n }],
    measurers: [],
    tasks: [],
    bond: { amount: 0n, epochs: 0, days: 7, uptimePermille: 900, throughDay: null },
    served: [],
    bonds: [],
    leaves: [{ account: alice, cumulative: 10n }],
  };

  it("has the same hash for any order of its fields", () => {
    const { number, ...others } = document;
    expect(hashDocument({ ...others, number })).to.equal(hashDocument(document));
  });

  it("has another hash when any figure differs", () => {
    expect(hashDocument({ ...document, asOf: { block: 4n, hash: "0xabc" } })).to.not.equal(
      hashDocument(document),
    );
  });
});
