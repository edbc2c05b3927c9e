import { createBlockClock, readMarketLogs } from "@ngpu/audit/chainHistory";
import { createChainClient } from "@ngpu/chain-reader/client";
import { readHeader } from "@ngpu/chain-reader/rpc";
import { type UptimeLeaf, uptimeTreeOf } from "@ngpu/protocol/uptimeTree";
import type { ChainLog } from "@ngpu/rewards/chainLogs";
import { uptimeLeaves } from "@ngpu/rewards/uptime";
import { dayFactsOfLogs, uptimeEvents } from "@ngpu/rewards/uptimeLogs";
import { InputError } from "@ngpu/runtime/errors";
import type { Hex } from "viem";
import { type SourceOptions, sourceOf } from "./recompute.ts";

/** A day's uptime as the chain's logs lead to it, and the root that the chain has. */
export type AuditedDay = {
  day: bigint;
  slotSeconds: number;
  logs: ChainLog[];
  leaves: UptimeLeaf[];
  /** Null without a leaf. */
  tree: ReturnType<typeof uptimeTreeOf> | null;
  /** The last root that was posted for the day and not disabled. */
  posted: Hex | null;
  asOf: { block: bigint; hash: Hex };
};

/** A day's number. @throws InputError `day_number_invalid` */
export function dayNumber(text: string): bigint {
  if (/^\d{1,9}$/.test(text)) return BigInt(text);
  throw new InputError(`${text} is not the number of a day.`, {
    code: "day_number_invalid",
    hint: "A day's number is its Unix time divided by the length of a day, as in the event UptimeCommitted.",
  });
}

/** Recomputes a day's uptime from an RPC endpoint alone. @throws InputError `day_not_over`. */
export async function auditDay(day: bigint, options: SourceOptions): Promise<AuditedDay> {
  const { deployment, rpcUrls } = await sourceOf(options);
  const { daySeconds, slotSeconds, heartbeatWindowSeconds } = deployment.parameters;
  const client = createChainClient({ chainId: deployment.chainId, rpcUrls });
  const { number: latest, timestamp } = await readHeader(client, "latest");
  const settled = (Number(day) + 1) * daySeconds + heartbeatWindowSeconds;
  if (Number(timestamp) < settled) {
    throw new InputError(`The evidence of day ${day} is not complete yet.`, {
      code: "day_not_over",
      hint: `Try again after ${new Date(settled * 1_000).toISOString()}.`,
    });
  }
  const clock = createBlockClock(client, latest);
  const logs = await readMarketLogs(client, deployment, { events: uptimeEvents, upTo: latest, clock });
  const asOf = await clock.lastBefore(settled);
  const leaves = uptimeLeaves(
    dayFactsOfLogs(logs, { day, upTo: asOf.block, periods: { daySeconds, slotSeconds } }),
  );
  const tree = leaves.length === 0 ? null : uptimeTreeOf(leaves);
  return { day, slotSeconds, logs, leaves, tree, posted: postedRoot(logs, day), asOf };
}

function postedRoot(logs: readonly ChainLog[], day: bigint): Hex | null {
  const last = logs.findLast(
    ({ name, args }) => (name === "UptimeCommitted" || name === "UptimeDisabled") && args.day === day,
  );
  return last?.name === "UptimeCommitted" ? (String(last.args.root).toLowerCase() as Hex) : null;
}
