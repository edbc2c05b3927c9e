import { checkRefunds, type RefundCheck } from "@ngpu/rewards/uptimeLogs";
import { auditDay, dayNumber } from "./dayAudit.ts";
import type { SourceOptions } from "./recompute.ts";
import { printVerdict } from "./verdict.ts";

/**
 * Recomputes the downtime refunds of a day from an RPC endpoint, and prints those that differ from what the logs lead to. The exit
 * code is 0 if none does, else 2.
 */
export async function verifyRefund(text: string, options: SourceOptions & { json: boolean }): Promise<void> {
  const { day, logs, leaves, asOf } = await auditDay(dayNumber(text), options);
  const downtime = leaves.filter((leaf) => leaf.kind === "lease");
  const refunds = checkRefunds(logs, day, downtime);
  const checks = Object.fromEntries(
    (["downSeconds", "amount", "owner", "once"] as const).map((name) => [
      name,
      refunds.every(({ failed }) => !failed.includes(name)),
    ]),
  );
  const lies = refunds.filter(({ failed }) => failed.length > 0);
  printVerdict(options, checks, { day, asOf, refunds, downtime }, [
    `Day ${day}: ${refunds.length} refunds on the chain, ${downtime.length} leases with downtime in the logs.`,
    ...lies.map(refundLieText),
  ]);
}

/** What a false refund paid, in words. */
export function refundLieText({
  workspaceId,
  replica,
  lease,
  refunded,
  proven,
  failed,
}: RefundCheck): string {
  return (
    `Lease ${workspaceId}/${replica}/${lease}: refunded ${refunded.amount} token units for ${refunded.downSeconds} s to ` +
    `${refunded.owner}; the logs lead to ${proven.price} for ${proven.downSeconds} s (${failed.join(", ")}).`
  );
}
