import type { Deployment } from "@ngpu/contracts-sdk/deployment";

/** Age in slots beyond which a slot is no longer committed. */
export const maxSlotAge = 5n;

type Periods = Pick<Deployment, "parameters">;

/** Time that late heartbeats of a slot have after its end, ms: a quarter of a slot, at most 3 s. */
export function lateMs({ parameters }: Periods): number {
  return Math.min(3_000, (parameters.slotSeconds * 1_000) / 4);
}

/**
 * When every running instance has published its acknowledgement of a slot, ms since the epoch: as long after the time of late
 * heartbeats as that is long.
 */
export function ackDelayMs(slot: bigint, deployment: Periods): number {
  return Number(slot + 1n) * deployment.parameters.slotSeconds * 1_000 + 2 * lateMs(deployment);
}
