import type { Proofs } from "@ngpu/waves/proofs";
import { amount, by, type ChainLog, isOnline, number, text, walletOf } from "./chainLogs.ts";
import type { NodeHistory, NodeVersion } from "./eligible.ts";

type Spec = { gpuModel: unknown; vramMib: unknown; total: { gpus: unknown; cpuMilli: unknown } };

type Node = { key: string; wallet: string | null; registered: bigint; versions: NodeVersion[] };

/** The nodes as the logs up to a block describe them, with every state that they had. */
export function nodesOf(logs: readonly ChainLog[], upTo: bigint): ReadonlyMap<number, Node> {
  const nodes = new Map<number, Node>();
  for (const log of logs.filter(by(upTo))) apply(nodes, log);
  return nodes;
}

function apply(nodes: Map<number, Node>, { name, args, time, block }: ChainLog): void {
  const nodeId = number(args.nodeId);
  const known = nodes.get(nodeId);
  if (name === "NodeRegistered") {
    const version = { from: time, to: null, online: true, ...offerOf(args) };
    // A wallet that has not consented receives nothing.
    const wallet = args.isBound === true ? walletOf(args.wallet) : null;
    nodes.set(nodeId, { key: text(args.key), wallet, registered: block, versions: [version] });
  }
  if (known === undefined) return;
  if (name === "NodeKeySet") known.key = text(args.key);
  if (name === "NodeWalletSet") known.wallet = walletOf(args.wallet);
  if (name === "NodeStatusChanged") change(known, time, { online: isOnline(args.status) });
  if (name === "NodeSpecUpdated") change(known, time, offerOf(args));
}

function change({ versions }: Node, time: number, changes: Partial<NodeVersion>): void {
  const last = versions.at(-1);
  if (last === undefined) return;
  last.to = time;
  versions.push({ ...last, ...changes, from: time, to: null });
}

function offerOf(args: Record<string, unknown>) {
  const { gpuModel, vramMib, total } = args.spec as Spec;
  return {
    pricePerSecond: amount(args.pricePerSecond),
    gpuModel: text(gpuModel),
    vramMib: number(vramMib),
    gpus: number(total.gpus),
    cpuMilli: number(total.cpuMilli),
  };
}

/** The histories within the seconds from `from` to before `to`. */
export function historiesOf(
  nodes: ReadonlyMap<number, Node>,
  { reached, proofs }: { reached: ReadonlySet<number>; proofs: Proofs },
  { from, to }: { from: number; to: number },
): NodeHistory[] {
  return [...nodes]
    .sort(([a], [b]) => a - b)
    .map(([nodeId, { key, wallet, registered, versions }]) => ({
      nodeId,
      account: wallet ?? key,
      reached: reached.has(nodeId),
      proof: { judged: proofs.isJudged(registered), devices: proofs.devicesOf(nodeId) },
      versions: versions.filter(
        (one) => (one.to === null || (one.to > one.from && one.to > from)) && one.from < to,
      ),
    }));
}
