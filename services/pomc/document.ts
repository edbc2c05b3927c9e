import type { Leaf } from "@ngpu/protocol/claimTree";
import { canonicalJson } from "@ngpu/runtime/json";
import { type Address, type Hex, keccak256, stringToHex } from "viem";
import type { BondFacts, BondTerms, NodeBond } from "./bond/decide.ts";
import type { NodeShare } from "./score.ts";

/** Everything an epoch's root is computed from. Its hash is posted with the root. Amounts are in token units (1e-18). */
export type EpochDocument = {
  number: number;
  /** The contract that pays the epoch. The leaves accumulate from that contract's first epoch. */
  pomc: Address;
  /** Unix seconds: the first second of the epoch, and the first second after it. */
  startsAt: number;
  endsAt: number;
  /** The last block whose state counts. */
  asOf: { block: bigint; hash: string };
  /** The amount shared: the scheduled emission of an epoch, less the reserve for due bonds of a replaced Pomc. */
  emission: bigint;
  /** Maximum of the epoch's grants: the contract's schedule up to this epoch, less everything it granted before. */
  grantLimit: bigint;
  /** Earnings of every node, before bonds. */
  shares: NodeShare[];
  /** The terms of bonds, and the last day whose uptime is counted; null before the first. */
  bond: BondTerms & { throughDay: number | null };
  /** Days of uptime that this epoch counts for the first time. */
  served: BondFacts["served"];
  /** The bonds that changed; earlier documents have the others. */
  bonds: NodeBond[];
  /** Total granted to each account by this contract, up to and including this epoch. */
  leaves: Leaf[];
};

/** keccak256 of the document as JSON with sorted keys and decimal amounts. */
export function hashDocument(document: EpochDocument): Hex {
  return keccak256(stringToHex(canonicalJson(document)));
}
