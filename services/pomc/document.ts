import type { Leaf } from "@ngpu/protocol/claimTree";
import { canonicalJson } from "@ngpu/runtime/json";
import { type Address, type Hex, keccak256, stringToHex } from "viem";
import type { BondFacts, BondTerms, NodeBond } from "./bond/decide.ts";
import type { NodeShare } from "./score.ts";

/** Everything an epoch's root rests on; its hash is posted beside the root. */
export type EpochDocument = {
  number: number;
  /** The contract that pays it. The leaves count from that contract's first epoch. */
  pomc: Address;
  /** Unix seconds, the first in the epoch and the first after it. */
  startsAt: number;
  endsAt: number;
  /** The last block whose state counts. */
  asOf: { block: bigint; hash: string };
  /** What was shared: what the schedule gives an epoch, less what is kept back for bonds of a Pomc that was replaced. */
  emission: bigint;
  /** What could be granted at most: the contract's schedule up to this epoch less everything it granted before. */
  grantLimit: bigint;
  /** What every node earned, before bonds. */
  shares: NodeShare[];
  /** The terms of bonds, and the last day whose uptime counts by now; null while none was over. */
  bond: BondTerms & { throughDay: number | null };
  /** Days of uptime that counted for the first time in this epoch. */
  served: BondFacts["served"];
  /** The bonds that changed; the others are as the documents before have them. */
  bonds: NodeBond[];
  /** Everything granted to each account up to and with this epoch, by this contract. */
  leaves: Leaf[];
};

/** keccak256 of the document as JSON with sorted keys and decimal amounts. */
export function hashDocument(document: EpochDocument): Hex {
  return keccak256(stringToHex(canonicalJson(document)));
}
