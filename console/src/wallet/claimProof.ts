import type { Hex } from "viem";
import { concatHex, keccak256, size, slice, toHex } from "viem/utils";

/** What the API says of an account's reward. */
export type Claim = {
  account: Hex;
  epoch: bigint;
  cumulative: bigint;
  /** Siblings of the leaf, lowest first, 20 bytes each. */
  proof: Hex;
  claimed: bigint;
  claimable: bigint;
};

/** What the chain says. `time` is its newest block's, Unix seconds. */
export type ChainFacts = {
  block: bigint;
  time: bigint;
  root: Hex;
  activatesAt: bigint;
  disabled: boolean;
  claimed: bigint;
};

export type Step = {
  name: "leaf" | "path" | "root" | "active" | "claimed" | "amount";
  /** False: the first difference between what the API says and what follows from the chain. */
  holds: boolean;
  values: Record<string, string>;
};

const nodeBytes = 20;

/** The leaf of an account in Pomc's tree: the first 20 bytes of the hash of | account 160 | cumulative 96 |. */
export const leafOf = ({ account, cumulative }: Pick<Claim, "account" | "cumulative">): Hex =>
  nodeOf(concatHex([account, toHex(cumulative, { size: 12 })]));

/** Follows a proof from a leaf to its root (contracts/libraries/ClaimTree.sol). */
export function rootOf(leaf: Hex, proof: Hex): Hex {
  return siblingsOf(proof).reduce((node, sibling) => {
    const [low, high] = node < sibling ? [node, sibling] : [sibling, node];
    return nodeOf(concatHex([low, high]));
  }, leaf);
}

/** Recomputes a claim step by step, and stops at the first step that does not hold. Pure. */
export function verifyClaim(claim: Claim, chain: ChainFacts): Step[] {
  const leaf = leafOf(claim);
  const root = rootOf(leaf, claim.proof);
  const due = claim.cumulative > chain.claimed ? claim.cumulative - chain.claimed : 0n;
  const isActive = !chain.disabled && chain.activatesAt <= chain.time;
  const steps: Step[] = [
    { name: "leaf", holds: true, values: { leaf } },
    {
      name: "path",
      holds: size(claim.proof) % nodeBytes === 0,
      values: { count: String(siblingsOf(claim.proof).length), root },
    },
    {
      name: "root",
      holds: root.toLowerCase() === chain.root.toLowerCase(),
      values: { computed: root, posted: chain.root, epoch: String(claim.epoch), block: String(chain.block) },
    },
    { name: "active", holds: isActive, values: { time: String(chain.activatesAt) } },
    {
      name: "claimed",
      holds: claim.claimed === chain.claimed,
      values: { said: String(claim.claimed), chain: String(chain.claimed) },
    },
    {
      name: "amount",
      holds: claim.claimable === due,
      values: { said: String(claim.claimable), computed: String(due) },
    },
  ];
  const wrong = steps.findIndex(({ holds }) => !holds);
  return wrong < 0 ? steps : steps.slice(0, wrong + 1);
}

function siblingsOf(proof: Hex): Hex[] {
  const count = Math.floor(size(proof) / nodeBytes);
  return Array.from({ length: count }, (_one, index) =>
    slice(proof, index * nodeBytes, (index + 1) * nodeBytes),
  );
}

const nodeOf = (data: Hex): Hex => slice(keccak256(data), 0, nodeBytes);
