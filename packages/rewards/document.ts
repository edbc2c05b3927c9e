import type { Leaf } from "@ngpu/protocol/claimTree";
import { canonicalJson } from "@ngpu/runtime/json";
import { type Address, type Hex, keccak256, stringToHex } from "viem";
import type { BondFacts, BondTerms, NodeBond } from "./bonds.ts";
import type { CountedNode } from "./eligible.ts";
import type { MeasurerShare } from "./measurers.ts";
import type { ClassPot, NodeShare } from "./share.ts";
import type { TaskShare } from "./tasks.ts";
import type { RewardTerms } from "./terms.ts";

export type BlockRef = { block: bigint; hash: string };

/** Everything an epoch's root is computed from. Its hash is posted with the root. Amounts are in token units (1e-18). */
export type EpochDocument = {
  number: number;
  /** The contract that pays the epoch. The leaves accumulate from that contract's first epoch. */
  pomc: Address;
  /** Unix seconds: the first second of the epoch, the first second after it, and the end of its settlement. */
  startsAt: number;
  endsAt: number;
  settledAt: number;
  /** The last block whose state counts. */
  asOf: BlockRef;
  /** The terms of the epoch, from Pomc's log. */
  terms: RewardTerms;
  /** The amount shared: the scheduled emission of an epoch, less the reserve for due bonds of a replaced Pomc. */
  emission: bigint;
  /** Maximum of the epoch's grants: the contract's schedule up to this epoch, less everything it granted before. */
  grantLimit: bigint;
  /** Every node, with the slots in which it was present and those that count. */
  nodes: CountedNode[];
  classes: ClassPot[];
  /** Earnings of every node by class, before bonds. */
  shares: NodeShare[];
  measurers: MeasurerShare[];
  tasks: TaskShare[];
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
