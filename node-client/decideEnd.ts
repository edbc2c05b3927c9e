import { type Assignment, fencedKey } from "./leases.ts";
import type { Action, Container, Facts, StopReason } from "./reconcileFacts.ts";
import { reasonDetail, reportIfNeeded } from "./reporting.ts";

/** A live lease, its container, and the GPUs that are held. */
export type Subject = {
  key: string;
  lease: Assignment;
  container: Container | undefined;
  /** GPUs of all containers. */
  takenGpus: Set<string>;
  /** GPUs of the containers of live leases. */
  leasedGpus: Set<string>;
};

/** Stops the container, then reports why the lease failed. A new order to run starts over. */
export function fail(facts: Facts, { lease, container }: Subject, reason: string): Action[] {
  if (container?.status === "running") return [stop(container, "failed")];
  return reportIfNeeded(facts, lease, "failed", reasonDetail(reason));
}

/** Stops a container, then removes it: one step a round. */
export function retire(container: Container, reason: StopReason): Action[] {
  if (container.status === "removing") return [];
  if (container.status === "running") return [stop(container, reason)];
  return [{ type: "remove", containerId: container.id, key: fencedKey(container) }];
}

export function stop(container: Container, reason: StopReason): Action {
  return { type: "stop", containerId: container.id, key: fencedKey(container), reason };
}
