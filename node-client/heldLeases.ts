import type { ChainView } from "./chainView.ts";
import { fencedKey, type LeaseKey, type LeaseRef, leaseKey } from "./leases.ts";
import type { ObservedState } from "./observedState.ts";
import type { Container } from "./reconcileFacts.ts";

type Held = { observed: ObservedState; view: () => ChainView };

/** Leases with a running container, and the host port of each one's first port. */
export function runningLeases({ observed, view }: Held): Map<LeaseKey, number> {
  const live = new Set(
    view()
      .assignments.filter((lease) => !lease.ended)
      .map(fencedKey),
  );
  const entries = observed.containers.flatMap((container) => {
    const { status, servedPort } = container;
    if (status !== "running" || servedPort === undefined || !live.has(fencedKey(container))) return [];
    return [[leaseKey(container), servedPort] as const];
  });
  return new Map(entries);
}

/** A lease that this node has and no later one replaces, with its container if it has one. */
export function currentLease(
  { observed, view }: Held,
  { workspaceId, replica, lease }: LeaseRef,
): { container: Container | undefined } | undefined {
  const own = view().assignments.filter(
    (one) => one.workspaceId === workspaceId && one.replica === replica && !one.ended,
  );
  const found = own.find((one) => one.lease === lease);
  if (found === undefined || own.some((one) => one.lease > lease)) return undefined;
  const key = fencedKey(found);
  return { container: observed.containers.find((one) => fencedKey(one) === key) };
}
