import { implausiblePart } from "@ngpu/protocol/measurementBounds";
import { amount, by, type ChainLog, number, text, walletOf } from "./chainLogs.ts";
import type { MeasuredValues, MeasurerResult } from "./measurers.ts";

type Measured = MeasuredValues & { absent: boolean; latencyTenthMs: bigint; diskFreeGib: bigint };

/** The nodes that the latest valid measurement reached at a mapped port. */
export function reachedNodes(logs: readonly ChainLog[], upTo: bigint, startsAt: number): Set<number> {
  const latest = new Map<number, { round: bigint; ports: number }>();
  for (const { name, args } of logs.filter(by(upTo))) {
    if (name !== "MeasureFinalized" || number(args.expiresAt) <= startsAt) continue;
    const median = args.median as Measured;
    const bounded = Object.fromEntries(Object.entries(median).map(([key, value]) => [key, Number(value)]));
    if (!median.absent && implausiblePart(bounded as never) !== undefined) continue;
    const [nodeId, round] = [number(args.nodeId), amount(args.roundId)];
    if ((latest.get(nodeId)?.round ?? -1n) < round) {
      latest.set(nodeId, { round, ports: number(median.portsReachable) });
    }
  }
  return new Set([...latest].filter(([, { ports }]) => ports > 0).map(([nodeId]) => nodeId));
}

/** What measurers submitted for the rounds that ended after block `after`, each beside the median of its round. */
export function measurerResultsOf(
  logs: readonly ChainLog[],
  { after, upTo }: { after: bigint; upTo: bigint },
): MeasurerResult[] {
  const accounts = new Map<number, string>();
  const submitted = new Map<string, ChainLog[]>();
  const results: MeasurerResult[] = [];
  for (const log of logs.filter(by(upTo))) {
    const { name, args } = log;
    const round = text(args.roundId);
    if (name === "MeasurerRegistered")
      accounts.set(number(args.measurerId), walletOf(args.wallet) ?? text(args.key));
    if (name === "MeasureSubmitted") submitted.set(round, [...(submitted.get(round) ?? []), log]);
    if (name !== "MeasureFinalized" || log.block <= after) continue;
    for (const one of submitted.get(round) ?? []) {
      const measurerId = number(one.args.measurerId);
      const account = accounts.get(measurerId) as string;
      results.push({ measurerId, account, result: valuesOf(one.args.result), median: valuesOf(args.median) });
    }
  }
  return results;
}

function valuesOf(measured: unknown): MeasuredValues | null {
  const { absent, downMbps, upMbps, portsReachable, diskWriteMibps } = measured as Measured;
  if (absent) return null;
  return {
    downMbps: amount(downMbps),
    upMbps: amount(upMbps),
    portsReachable: amount(portsReachable),
    diskWriteMibps: amount(diskWriteMibps),
  };
}
