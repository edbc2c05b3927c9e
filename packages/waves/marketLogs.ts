import type { Hex } from "viem";
import type { Candidate } from "./draw.ts";
import type { WaveLog } from "./types.ts";

/** What a wave needs to know about the market at its first block. */
export type MarketBefore = {
  /** Words of the devices that each node's key claims. */
  claims: ReadonlyMap<number, readonly Hex[]>;
  /** The account that each node pays to. */
  operators: ReadonlyMap<number, string>;
  /** Nodes with a lease that has not ended. */
  leased: ReadonlySet<number>;
  /** Measurers that can be drawn. */
  measurers: Candidate[];
};

const zeroAddress = `0x${"0".repeat(40)}`;

/** The market before a block, from logs alone. */
export function marketBefore(logs: readonly WaveLog[], block: bigint): MarketBefore {
  const known = logs.filter((log) => log.block < block);
  const nodes = nodesIn(known);
  const measurers = measurersIn(known);
  return {
    claims: claimsIn(known),
    operators: operatorsOf(nodes),
    leased: leasedIn(known),
    measurers: candidatesOf(measurers, nodes),
  };
}

/** A node's wallet, and every key that it had: each leads to its operator. */
export type NodeAccounts = { keys: string[]; wallet: string | undefined };
/** The account that a measurer is paid to: its wallet, or its key. */
export type MeasurerAccount = { measurerId: number; account: string };

/** The account that each node pays to: its wallet, or its last key. */
export function operatorsOf(nodes: ReadonlyMap<number, NodeAccounts>): Map<number, string> {
  return new Map([...nodes].map(([nodeId, { keys, wallet }]) => [nodeId, wallet ?? keys.at(-1) ?? ""]));
}

/** Measurers with their operators. Where a measurer's account is a node's key, its operator is the node's wallet. */
export function candidatesOf(
  measurers: readonly MeasurerAccount[],
  nodes: ReadonlyMap<number, NodeAccounts>,
): Candidate[] {
  const accounts = [...nodes.values()];
  const byKey = new Map(accounts.flatMap(({ keys, wallet }) => keys.map((key) => [key, wallet ?? key])));
  return measurers.map(({ measurerId, account }) => ({
    measurerId,
    operator: byKey.get(account) ?? account,
  }));
}

function nodesIn(logs: readonly WaveLog[]): Map<number, NodeAccounts> {
  const nodes = new Map<number, NodeAccounts>();
  for (const { name, args } of logs) {
    const nodeId = Number(args.nodeId);
    if (name === "NodeRegistered") {
      const wallet = args.isBound === true ? accountOf(args.wallet) : undefined;
      nodes.set(nodeId, { keys: [String(args.key).toLowerCase()], wallet });
    }
    const node = nodes.get(nodeId);
    if (name === "NodeKeySet") node?.keys.push(String(args.key).toLowerCase());
    if (name === "NodeWalletSet" && node !== undefined) node.wallet = accountOf(args.wallet);
  }
  return nodes;
}

/**
 * A node's claim is the one with the latest deadline: each contract accepts rising ones alone. Where two generations have one
 * deadline, the later block and then the words decide, as in packages/queries/claims.ts.
 */
function claimsIn(logs: readonly WaveLog[]): Map<number, readonly Hex[]> {
  const claims = logs.filter(({ name }) => name === "HardwareClaimed");
  const newest = new Map<number, WaveLog>();
  for (const claim of claims) {
    const known = newest.get(Number(claim.args.nodeId));
    if (known === undefined || isAfter(claim, known)) newest.set(Number(claim.args.nodeId), claim);
  }
  return new Map([...newest].map(([nodeId, { args }]) => [nodeId, args.devices as Hex[]]));
}

function isAfter(claim: WaveLog, known: WaveLog): boolean {
  const [deadline, other] = [BigInt(String(claim.args.deadline)), BigInt(String(known.args.deadline))];
  if (deadline !== other) return deadline > other;
  if (claim.block !== known.block) return claim.block > known.block;
  return String(claim.args.devices) > String(known.args.devices);
}

function leasedIn(logs: readonly WaveLog[]): Set<number> {
  const leases = new Map<string, number>();
  for (const { name, args } of logs) {
    const key = `${args.workspaceId}/${args.replica}/${args.lease}`;
    if (name === "Assigned") leases.set(key, Number(args.nodeId));
    if (name === "Released") leases.delete(key);
  }
  return new Set(leases.values());
}

function measurersIn(logs: readonly WaveLog[]): MeasurerAccount[] {
  const accounts = new Map<number, string>();
  const admitted = new Set<number>();
  for (const { name, args } of logs) {
    const measurerId = Number(args.measurerId);
    if (name === "MeasurerRegistered")
      accounts.set(measurerId, accountOf(args.wallet) ?? String(args.key).toLowerCase());
    if (name === "MeasurerAdmissionSet" && args.admitted === true) admitted.add(measurerId);
    if (name === "MeasurerAdmissionSet" && args.admitted === false) admitted.delete(measurerId);
  }
  return [...admitted].map((measurerId) => ({ measurerId, account: accounts.get(measurerId) ?? "" }));
}

function accountOf(account: unknown): string | undefined {
  const text = String(account).toLowerCase();
  return text === zeroAddress ? undefined : text;
}
