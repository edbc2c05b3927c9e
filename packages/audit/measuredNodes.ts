import { implausiblePart, type measurementBounds } from "@ngpu/protocol/measurementBounds";
import { amount, type ChainLog, number } from "@ngpu/rewards/chainLogs";

/** What a valid measurement found. `block` precedes it. */
export type Measured = Record<keyof typeof measurementBounds | "portsReachable", number> & { block: bigint };

type Found = { round: bigint; expiresAt: number; measured: Measured };

/** Each node's measurements, followed log by log. */
export type MeasuredNodes = {
  /** @returns The node that a log measures. */
  take(log: ChainLog): number | undefined;
  /** The node's newest measurement that is valid at a time, Unix seconds. */
  of(nodeId: number, time: number): Found | undefined;
};

export function createMeasuredNodes(): MeasuredNodes {
  const drawBlocks = new Map<bigint, bigint>();
  const found = new Map<number, Found[]>();
  return {
    take: ({ name, args }) => {
      if (name === "MeasureRequested") drawBlocks.set(amount(args.roundId), amount(args.drawBlock));
      if (name !== "MeasureFinalized") return undefined;
      const median = args.median as Record<string, unknown>;
      const values = Object.fromEntries(
        Object.entries(median).map(([key, value]) => [key, Number(value)]),
      ) as Omit<Measured, "block">;
      if (median.absent === true || implausiblePart(values) !== undefined) return undefined;
      const [round, nodeId] = [amount(args.roundId), number(args.nodeId)];
      const measured = { ...values, block: drawBlocks.get(round) ?? 0n };
      found.set(nodeId, [
        ...(found.get(nodeId) ?? []),
        { round, expiresAt: number(args.expiresAt), measured },
      ]);
      return nodeId;
    },
    of: (nodeId, time) => {
      let newest: Found | undefined;
      for (const one of found.get(nodeId) ?? []) {
        if (one.expiresAt > time && (newest === undefined || one.round > newest.round)) newest = one;
      }
      return newest;
    },
  };
}
