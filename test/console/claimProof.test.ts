import { claimTreeOf } from "@ngpu/protocol/claimTree";
import { expect } from "chai";
import { type ChainFacts, type Claim, verifyClaim } from "../../console/src/wallet/claimProof.ts";

const accountOf = (index: number) => `0x${(index + 1).toString(16).padStart(40, "0")}` as const;
const leaves = Array.from({ length: 7 }, (_one, index) => ({
  account: accountOf(index),
  cumulative: BigInt(index + 1) * 10n ** 18n,
}));
const tree = claimTreeOf(leaves);

const claim: Claim = {
  account: accountOf(3),
  epoch: 5n,
  cumulative: 4n * 10n ** 18n,
  proof: tree.proofOf(3),
  claimed: 10n ** 18n,
  claimable: 3n * 10n ** 18n,
};
const chain: ChainFacts = {
  block: 100n,
  time: 1_000n,
  root: tree.root,
  activatesAt: 900n,
  disabled: false,
  claimed: 10n ** 18n,
};

const lastOf = (steps: ReturnType<typeof verifyClaim>) => {
  const last = steps.at(-1);
  return last === undefined ? undefined : { name: last.name, holds: last.holds };
};

describe("console: a claim verified on the page", () => {
  it("holds at each step for every leaf of the tree that the chain has", () => {
    for (const [index, leaf] of leaves.entries()) {
      const own = {
        ...claim,
        ...leaf,
        proof: tree.proofOf(index),
        claimable: leaf.cumulative - chain.claimed,
      };
      const steps = verifyClaim(own, chain);
      expect(steps.map(({ name }) => name)).to.deep.equal([
        "leaf",
        "path",
        "root",
        "active",
        "claimed",
        "amount",
      ]);
      expect(steps.every(({ holds }) => holds)).to.equal(true);
    }
  });

  it("names the step at which a lie differs from the chain", () => {
    const lies: [Partial<Claim>, Partial<ChainFacts>, string][] = [
      [{ cumulative: claim.cumulative + 1n }, {}, "root"],
      [{ account: accountOf(4) }, {}, "root"],
      [{ proof: tree.proofOf(2) }, {}, "root"],
      [{ proof: `${claim.proof}00` }, {}, "path"],
      [{}, { root: `0x${"11".repeat(20)}` }, "root"],
      [{}, { activatesAt: 1_001n }, "active"],
      [{}, { disabled: true }, "active"],
      [{ claimed: 0n }, {}, "claimed"],
      [{ claimable: 4n * 10n ** 18n }, {}, "amount"],
    ];
    for (const [said, is, name] of lies) {
      expect(lastOf(verifyClaim({ ...claim, ...said }, { ...chain, ...is }))).to.deep.equal({
        name,
        holds: false,
      });
    }
  });
});
