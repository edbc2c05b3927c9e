import { setTimeout as sleep } from "node:timers/promises";
import type { RpcClient } from "@ngpu/chain-reader/rpc";
import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { assignmentStates, codeOf, milestones } from "@ngpu/contracts-sdk/enumNames";
import type { Logger } from "@ngpu/runtime/logger";
import type Docker from "dockerode";
import { createContainer, ensureNetwork, removeContainer, startContainer } from "./docker/containers.ts";
import { type Engine, statusOf } from "./docker/engine.ts";
import { findImage, type PullProgress } from "./docker/images.ts";
import { resolveUser } from "./docker/imageUser.ts";
import { workspaceContainer } from "./docker/sandbox.ts";
import { maxVolumes, volumePaths } from "./docker/volumes.ts";
import { download } from "./download.ts";
import type { DownloadPriority } from "./downloadPriority.ts";
import { checkHealth } from "./health.ts";
import type { Journal } from "./journal/open.ts";
import { takeSequence } from "./journal/outbox.ts";
import { recordRun } from "./journal/runs.ts";
import { putPublication, readPublications } from "./journal/workspaces.ts";
import { type Assignment, fencedKey, publicationKey } from "./leases.ts";
import type { ObservedState } from "./observedState.ts";
import { deadline, type Outbox } from "./outbox.ts";
import { planOf, readPublication } from "./plans.ts";
import { deviceAccess } from "./probe/devices.ts";
import type { Gpu, SickGpu } from "./probe/gpu.ts";
import type { Action, ImageState, Plan } from "./reconcileFacts.ts";

export type ActDependencies = {
  engine: Engine;
  dataDir: string;
  client: RpcClient;
  deployment: Deployment;
  journal: Journal;
  observed: ObservedState;
  outbox: Outbox;
  downloadPriority: DownloadPriority;
  /** The healthy GPUs that the node offers now. */
  gpus: () => readonly Gpu[];
  sickGpus: () => readonly SickGpu[];
  logger: Logger;
  signal: AbortSignal;
  onProgress: (lease: Assignment, progress: PullProgress) => void;
};

type Of<Type extends Action["type"]> = Extract<Action, { type: Type }>;

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
  observed.images.set(reference, state);
}

/** Creates the container of a lease. An image that is no longer present is inspected again first. */
export async function create(deps: ActDependencies, { lease, gpuUuids }: Of<"create">): Promise<void> {
  const { engine, observed, logger } = deps;
  const plan = runnable(deps.journal, lease);
  const image = await findImage(engine, plan.reference);
  if (image === undefined) {
    observed.images.delete(plan.reference);
    return;
  }
  const paths = volumePaths(image.volumes);
  if (paths.length > maxVolumes) {
    logger.error({ event: "image_volumes_exceeded", reference: plan.reference, volumes: paths.length });
    observed.images.set(plan.reference, tooManyVolumes(paths.length));
    return;
  }
  const user = await resolveUser(engine, image, observed.users);
  const network = await ensureNetwork(engine);
  const devices = deviceAccess(deps.gpus().filter((gpu) => gpuUuids.includes(gpu.uuid)));
  const optionsFor = (storage: "disk" | "memory") =>
    workspaceContainer(engine, {
      lease,
      plan,
      gpuUuids,
      devices,
      network,
      user,
      volumes: { paths, storage },
    });
  const containerId = await createOn(engine, optionsFor, paths.length > 0);
  logger.info({ event: "container_created", lease: fencedKey(lease), containerId });
}

/** The state of an image that no container is created of. */
function tooManyVolumes(count: number): ImageState {
  const cause = { code: "image_volumes_exceeded", details: { volumes: count, most: maxVolumes } } as const;
  return {
    type: "absent",
    failures: 1,
    retryAt: Date.now(),
    reason: "volumes_exceeded",
    permanent: true,
    cause,
  };
}

/** Creates a container with volumes on the disk, or in memory where the engine's storage cannot bound them. */
async function createOn(
  engine: Engine,
  optionsFor: (storage: "disk" | "memory") => Docker.ContainerCreateOptions,
  hasVolumes: boolean,
): Promise<string> {
  if (!hasVolumes) return createContainer(engine, optionsFor("memory"));
  try {
    return await createContainer(engine, optionsFor("disk"));
  } catch (error) {
    if (statusOf(error) === undefined) throw error;
    return createContainer(engine, optionsFor("memory"));
  }
}

/** Starts the container of a lease. The start is recorded before it is tried. */
export async function start(
  deps: ActDependencies,
  { lease, containerId, starts }: Of<"start">,
): Promise<void> {
  const { engine, journal, observed, logger } = deps;
  const key = fencedKey(lease);
  recordRun(journal, key, { order: lease.order, starts, lastStart: Date.now() });
  observed.health.delete(containerId);
  try {
    await startContainer(engine, containerId);
  } catch (error) {
    // The container's network or image was removed. It cannot start again; a new container can.
    if (statusOf(error) === 404) await removeContainer(engine, containerId);
    throw error;
  }
  logger.info({ event: "container_started", lease: key, containerId, starts });
}

/** Polling of a container that has not been healthy yet. */
const firstCheck = { everyMs: 50, withinMs: 1_500 };

/** Requests the health path of a container and records the result in the observed state. */
export async function check(
  { observed, signal }: ActDependencies,
  { containerId, port, path }: Of<"check">,
): Promise<void> {
  const wasOk = observed.health.get(containerId)?.everOk ?? false;
  // Poll a container that has just started at short intervals: the partner waits for its first response.
  const end = wasOk ? 0 : Date.now() + firstCheck.withinMs;
  let failure = await checkHealth(port, path);
  while (failure !== undefined && Date.now() < end && !signal.aborted) {
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

function runnable(journal: Journal, lease: Assignment): Extract<Plan, { type: "runnable" }> {
  const publication = readPublications(journal).get(publicationKey(lease));
  const plan = publication === undefined ? undefined : planOf(publication);
  if (plan?.type !== "runnable")
    throw new Error(`The journal has no runnable publication of workspace ${lease.workspaceId}.`);
  return plan;
}
