import { createBlockClock, readMarketLogs } from "@ngpu/audit/chainHistory";
import { type AuditedDay, auditDayOfLogs, settledAt } from "@ngpu/audit/dayAudit";
import { createChainClient } from "@ngpu/chain-reader/client";
import { readHeader } from "@ngpu/chain-reader/rpc";
import type { ChainLog } from "@ngpu/rewards/chainLogs";
import { uptimeEvents } from "@ngpu/rewards/uptimeLogs";
import { InputError } from "@ngpu/runtime/errors";
import { type SourceOptions, sourceOf } from "./recompute.ts";

/** A day's number. @throws InputError `day_number_invalid` */
export function dayNumber(text: string): bigint {
  if (/^\d{1,9}$/.test(text)) return BigInt(text);
  throw new InputError(`${text} is not the number of a day.`, {
    code: "day_number_invalid",
    hint: "A day's number is its Unix time divided by the length of a day, as in the event UptimeCommitted.",
  });
}

/** Recomputes a day's uptime from an RPC endpoint alone. @throws InputError `day_not_over`. */
export async function auditDay(
  day: bigint,
  options: SourceOptions,
): Promise<AuditedDay & { logs: ChainLog[] }> {
  const { deployment, rpcUrls } = await sourceOf(options);
  const { parameters } = deployment;
  const client = createChainClient({ chainId: deployment.chainId, rpcUrls });
  const { number: latest, timestamp } = await readHeader(client, "latest");
  const settled = settledAt(day, parameters);
  if (Number(timestamp) < settled) {
    throw new InputError(`The evidence of day ${day} is not complete yet.`, {
      code: "day_not_over",
      hint: `Try again after ${new Date(settled * 1_000).toISOString()}.`,
    });
  }
  const clock = createBlockClock(client, latest);
  const logs = await readMarketLogs(client, deployment, { events: uptimeEvents, upTo: latest, clock });
  return { logs, ...(await auditDayOfLogs(logs, { day, clock, parameters })) };
}
