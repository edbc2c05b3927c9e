import { setTimeout as sleep } from "node:timers/promises";
import type { RpcClient } from "@ngpu/chain-reader/rpc";
import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { assignmentStates, codeOf, milestones } from "@ngpu/contracts-sdk/enumNames";
import type { Logger } from "@ngpu/runtime/logger";
import type { Engine } from "./docker/engine.ts";
import type { PullProgress } from "./docker/images.ts";
import { download } from "./download.ts";
import type { DownloadPriority } from "./downloadPriority.ts";
import { elapsed } from "./elapsed.ts";
import { checkHealth } from "./health.ts";
import type { ImageRoom } from "./imageRoom.ts";
import type { Journal } from "./journal/open.ts";
import { takeSequence } from "./journal/outbox.ts";
import { putPulled } from "./journal/pulled.ts";
import { putPublication } from "./journal/workspaces.ts";
import { type Assignment, fencedKey, publicationKey } from "./leases.ts";
import type { ObservedState } from "./observedState.ts";
import { deadline, type Outbox } from "./outbox.ts";
import { readPublication } from "./plans.ts";
import type { Gpu, SickGpu } from "./probe/gpu.ts";
import type { Action } from "./reconcileFacts.ts";
import type { LeaseSecrets } from "./secrets/leaseSecrets.ts";
import type { Walls } from "./walls/walls.ts";

export type ActDependencies = {
  engine: Engine;
  dataDir: string;
  client: RpcClient;
  deployment: Deployment;
  journal: Journal;
  observed: ObservedState;
  outbox: Outbox;
  downloadPriority: DownloadPriority;
  room: ImageRoom;
  /** The healthy GPUs that the node offers now. */
  gpus: () => readonly Gpu[];
  sickGpus: () => readonly SickGpu[];
  walls: Walls;
  secrets: LeaseSecrets;
  logger: Logger;
  signal: AbortSignal;
  onProgress: (lease: Assignment, progress: PullProgress) => void;
};

/** An action of one kind. */
export type Of<Type extends Action["type"]> = Extract<Action, { type: Type }>;

/** Reads the workspace's publication from the chain and stores it. @throws RetryableError as `readPublication` does. */
export async function loadPublication(deps: ActDependencies, { lease }: Of<"load">): Promise<void> {
  const publication = await readPublication(deps.client, deps.deployment, lease);
  putPublication(deps.journal, publicationKey(lease), publication);
}

/** Pulls the image of a lease, reports its milestones and records the result in the observed state. */
export async function pull(deps: ActDependencies, action: Of<"pull">): Promise<void> {
  const { observed } = deps;
  const { lease, reference, sizeBytes } = action;
  const stages: Promise<void>[] = [];
  const image = { reference, sizeBytes, before: observed.images.get(reference) };
  const state = await deps.downloadPriority.forLease(reference, () =>
    download(deps, image, {
      onStage: (stage) => stages.push(reportProgress(deps, lease, codeOf(milestones, stage))),
      onProgress: (progress) => deps.onProgress(lease, progress),
    }),
  );
  await Promise.all(stages);
  if (state.type === "present") putPulled(deps.journal, { reference, usedAt: Date.now() });
  observed.images.set(reference, state);
}

/** Polling of a container that has not been healthy since its start, `forMs` ago at most. */
export const firstCheck = { everyMs: 50, withinMs: 1_500, forMs: 30_000 };

/** Requests the health path of a container and records the result in the observed state. */
export async function check(
  { observed, signal }: ActDependencies,
  { containerId, port, path }: Of<"check">,
): Promise<void> {
  const wasOk = observed.health.get(containerId)?.everOk ?? false;
  // Poll a container that has just started at short intervals: the partner waits for its first response.
  const startedAt = observed.containers.find(({ id }) => id === containerId)?.startedAt ?? 0;
  const isNew = !wasOk && elapsed(Date.now(), startedAt) < firstCheck.forMs;
  const end = isNew ? performance.now() + firstCheck.withinMs : 0;
  let failure = await checkHealth(port, path);
  while (failure !== undefined && performance.now() < end && !signal.aborted) {
    await sleep(firstCheck.everyMs);
    failure = await checkHealth(port, path);
  }
  const ok = failure === undefined;
  observed.health.set(containerId, {
    ok,
    everOk: ok || wasOk,
    checkedAt: Date.now(),
    ...(failure !== undefined && { failure }),
  });
}

/** Signs a report of the lease's state and submits it. */
export async function report(deps: ActDependencies, { lease, state, detail }: Of<"report">): Promise<void> {
  const subject = fencedKey(lease);
  const { workspaceId, replica, lease: number, fence } = lease;
  await deps.outbox.submit(
    "report",
    {
      workspaceId,
      replica,
      lease: number,
      fence,
      state: codeOf(assignmentStates, state),
      detail,
      sequence: takeSequence(deps.journal, subject, lease.sequence),
      deadline: deadline(),
    },
    subject,
  );
  deps.logger.info({ event: "lease_reported", lease: subject, state });
}

/** Signs a milestone of the lease's image and submits it, unless the chain has it or a later one. */
export async function reportProgress(
  deps: ActDependencies,
  lease: Assignment,
  milestone: number,
): Promise<void> {
  if (lease.milestone >= milestone) return;
  const { workspaceId, replica, lease: number, fence } = lease;
  const message = { workspaceId, replica, lease: number, fence, milestone, deadline: deadline() };
  await deps.outbox.submit("progress", message, fencedKey(lease));
}
