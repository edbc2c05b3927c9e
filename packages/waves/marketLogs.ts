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
  const market = followMarket();
  for (const log of logs) if (log.block < block) market.take(log);
  return market.now();
}

/** A market that is followed log by log, so that many blocks are looked at in one pass. */
type MarketFollower = {
  /** Takes the next log of the chain. One that waves do not depend on changes nothing. */
  take: (log: WaveLog) => void;
  /** The market after the logs so far. Later logs do not change it. */
  now: () => MarketBefore;
};

export function followMarket(): MarketFollower {
  const nodes = new Map<number, NodeAccounts>();
  const claims = new Map<number, WaveLog>();
  const leases = new Map<string, number>();
  const measurers = new Map<number, string>();
  const admitted = new Set<number>();
  const parts = [
    (log: WaveLog) => takeNode(nodes, log),
    (log: WaveLog) => takeClaim(claims, log),
    (log: WaveLog) => takeLease(leases, log),
    (log: WaveLog) => takeMeasurer({ accounts: measurers, admitted }, log),
  ];
  return {
    take: (log) => {
      for (const part of parts) part(log);
    },
    now: () => ({
      claims: new Map(Array.from(claims, ([nodeId, { args }]) => [nodeId, args.devices as Hex[]])),
      operators: operatorsOf(nodes),
      leased: new Set(leases.values()),
      measurers: candidatesOf(
        [...admitted].map((measurerId) => ({ measurerId, account: measurers.get(measurerId) ?? "" })),
        nodes,
      ),
    }),
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

function takeNode(nodes: Map<number, NodeAccounts>, { name, args }: WaveLog): void {
  const nodeId = Number(args.nodeId);
  if (name === "NodeRegistered") {
    const wallet = args.isBound === true ? accountOf(args.wallet) : undefined;
    nodes.set(nodeId, { keys: [String(args.key).toLowerCase()], wallet });
  }
  const node = nodes.get(nodeId);
  if (name === "NodeKeySet") node?.keys.push(String(args.key).toLowerCase());
  if (name === "NodeWalletSet" && node !== undefined) node.wallet = accountOf(args.wallet);
}

/**
 * A node's claim is the one with the latest deadline: each contract accepts rising ones alone. Where two generations have one
 * deadline, the later block and then the words decide, as in packages/queries/claims.ts.
 */
function takeClaim(claims: Map<number, WaveLog>, log: WaveLog): void {
  if (log.name !== "HardwareClaimed") return;
  const nodeId = Number(log.args.nodeId);
  const known = claims.get(nodeId);
  if (known === undefined || isAfter(log, known)) claims.set(nodeId, log);
}

function isAfter(claim: WaveLog, known: WaveLog): boolean {
  const [deadline, other] = [BigInt(String(claim.args.deadline)), BigInt(String(known.args.deadline))];
  if (deadline !== other) return deadline > other;
  if (claim.block !== known.block) return claim.block > known.block;
  return String(claim.args.devices) > String(known.args.devices);
}

function takeLease(leases: Map<string, number>, { name, args }: WaveLog): void {
  const key = `${args.workspaceId}/${args.replica}/${args.lease}`;
  if (name === "Assigned") leases.set(key, Number(args.nodeId));
  if (name === "Released") leases.delete(key);
}

function takeMeasurer(
  { accounts, admitted }: { accounts: Map<number, string>; admitted: Set<number> },
  { name, args }: WaveLog,
): void {
  const measurerId = Number(args.measurerId);
  if (name === "MeasurerRegistered")
    accounts.set(measurerId, accountOf(args.wallet) ?? String(args.key).toLowerCase());
  if (name === "MeasurerAdmissionSet" && args.admitted === true) admitted.add(measurerId);
  if (name === "MeasurerAdmissionSet" && args.admitted === false) admitted.delete(measurerId);
}

function accountOf(account: unknown): string | undefined {
  const text = String(account).toLowerCase();
  return text === zeroAddress ? undefined : text;
}
