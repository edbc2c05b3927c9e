import type { Address } from "viem";
import { eventLog, previousContracts, type ScriptedLog } from "../../packages/chain-reader/scriptedChain.ts";
import { word } from "./fixtures.ts";

/** Replaced contracts and the current ones beside them. Each generation has its own ids and accounting. */
export type Generation = "previous" | "current";

export type Lease = {
  generation: Generation;
  workspaceId: bigint;
  replica: number;
  lease: number;
  nodeId: number;
  open: boolean;
};

/** State of the contracts of one generation. */
type GenerationState = {
  workspaces: bigint;
  authorizations: bigint;
  receipts: bigint;
  epochs: bigint;
  claimed: Record<string, string>;
};

/** State of the contracts after a block, as far as needed to emit only events that they could emit. */
export type Market = {
  nodes: number;
  measurers: number;
  rounds: bigint;
  waves: number;
  slots: bigint;
  leases: Lease[];
  generations: Record<Generation, GenerationState>;
};

export const account = (number: number): Address => word(0xacc0000 + number, 20);
export const zero = word(0, 20);

export function emptyMarket(): Market {
  return {
    nodes: 0,
    measurers: 0,
    rounds: 0n,
    waves: 0,
    slots: 0n,
    leases: [],
    generations: { previous: emptyGeneration(), current: emptyGeneration() },
  };
}

function emptyGeneration(): GenerationState {
  return { workspaces: 0n, authorizations: 0n, receipts: 0n, epochs: 0n, claimed: {} };
}

/** Number of the last id before those of a generation. */
export const idsBefore: Record<Generation, bigint> = { previous: 0n, current: 2n ** 40n };

/** A log of a contract of a generation. */
export function logOf(
  generation: Generation,
  contract: keyof typeof previousContracts,
  event: string,
  args: object,
): ScriptedLog {
  return eventLog(
    contract,
    event,
    { ...args },
    generation === "previous" ? previousContracts[contract] : undefined,
  );
}

/** Returns a random integer from 0 to below the limit. */
export type UpTo = (limit: number) => number;

/** Changes the state as one act of a participant does. Returns the events of the act. */
export type Act = (state: Market, upTo: UpTo) => ScriptedLog[];

export const anyGeneration = (upTo: UpTo): Generation => (upTo(3) === 0 ? "previous" : "current");
