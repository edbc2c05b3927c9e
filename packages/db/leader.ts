import type { Logger } from "@ngpu/runtime/logger";
import { rest } from "@ngpu/runtime/loop";
import { type HeldOptions, openHeldConnection } from "./heldConnection.ts";

/** Tasks that only one process at a time may run, with the keys of their advisory locks. */
export const leaderships = {
  autoExport: 7_001,
  heartbeats: 7_002,
  measure: 7_003,
  failover: 7_004,
  pomc: 7_005,
  prefetch: 7_006,
  receipts: 7_007,
  offline: 7_008,
  witness: 7_009,
  cosigner: 7_010,
  restore: 7_011,
  waves: 7_012,
} as const;

/**
 * Competes for a leadership and runs `lead` while holding it, until the signal is aborted. The lock is held on a
 * dedicated connection. If that connection breaks or the process dies, Postgres releases the lock and another process
 * acquires it. If Postgres no longer answers on it, the leadership counts as lost.
 *
 * @param options.lead Receives a signal that is aborted when the leadership is lost. It must end soon after.
 */
export async function holdLeadership(
  options: Pick<HeldOptions, "url" | "deadlines" | "checkInterval"> & {
    leadership: keyof typeof leaderships;
    logger: Logger;
    signal: AbortSignal;
    lead: (signal: AbortSignal) => Promise<void>;
  },
): Promise<void> {
  while (!options.signal.aborted) {
    try {
      await competeOnce(options);
    } catch (error) {
      if (!options.signal.aborted) {
        options.logger.warn({ event: "leadership_lost", leadership: options.leadership, error });
      }
    }
    await rest(1_000, options.signal);
  }
}

async function competeOnce(options: Parameters<typeof holdLeadership>[0]): Promise<void> {
  const { client, lost, close } = await openHeldConnection(options);
  try {
    const key = leaderships[options.leadership];
    while (!options.signal.aborted && !lost.aborted) {
      const { rows } = await client.query<{ held: boolean }>("select pg_try_advisory_lock($1) as held", [
        key,
      ]);
      if (rows[0]?.held === true) {
        options.logger.info({ event: "leadership_acquired", leadership: options.leadership });
        await options.lead(AbortSignal.any([options.signal, lost]));
        break;
      }
      await rest(1_000, options.signal);
    }
    if (lost.aborted) throw lost.reason;
  } finally {
    await close();
  }
}
