import { messageBytes, startOf } from "@ngpu/protocol/reasons/boundedText";
import type { NodeReason } from "@ngpu/protocol/reasons/nodeReason";
import type Docker from "dockerode";
import type { ActDependencies, Of } from "./actions.ts";
import { createContainer, ensureNetwork, removeContainer, startContainer } from "./docker/containers.ts";
import { type Engine, statusOf } from "./docker/engine.ts";
import { findImage } from "./docker/images.ts";
import { resolveUser } from "./docker/imageUser.ts";
import { workspaceContainer } from "./docker/sandbox.ts";
import { maxVolumes, volumePaths } from "./docker/volumes.ts";
import type { Journal } from "./journal/open.ts";
import { forgetRun, readRuns, recordRun } from "./journal/runs.ts";
import { readPublications } from "./journal/workspaces.ts";
import { type Assignment, fencedKey, publicationKey } from "./leases.ts";
import { planOf } from "./plans.ts";
import { deviceAccess } from "./probe/devices.ts";
import type { ImageState, Plan } from "./reconcileFacts.ts";

/** Creates the container of a lease. An image that is no longer present is inspected again first. */
export async function create(deps: ActDependencies, { lease, gpuUuids }: Of<"create">): Promise<void> {
  const { engine, journal, observed, logger } = deps;
  const plan = runnable(journal, lease);
  const image = await findImage(engine, plan.reference);
  if (image === undefined) {
    observed.images.delete(plan.reference);
    return;
  }
  const paths = volumePaths(image.volumes);
  const cause = volumeRejection(image.volumes, paths.length);
  if (cause !== undefined) {
    const { code, details } = cause;
    logger.error({ event: "image_volumes_refused", reference: plan.reference, code, details });
    observed.images.set(plan.reference, unusable(cause));
    return;
  }
  const user = await resolveUser(engine, image, observed.users);
  const { id: network } = await ensureNetwork(engine);
  const secrets = await deps.secrets.ofNew(lease, plan);
  const devices = deviceAccess(deps.gpus().filter((gpu) => gpuUuids.includes(gpu.uuid)));
  const optionsFor = (storage: "disk" | "memory") =>
    workspaceContainer(engine, {
      lease,
      plan,
      gpuUuids,
      devices,
      network,
      user,
      secrets,
      volumes: { paths, storage },
    });
  const containerId = await createOn(engine, optionsFor, paths.length > 0).catch((error) => {
    countFailure(deps, lease, error);
    throw error;
  });
  forgetRun(journal, fencedKey(lease));
  logger.info({ event: "container_created", lease: fencedKey(lease), containerId });
}

/** Counts a container that the engine refused to create as a start: after some of them the lease is reported as failed. */
function countFailure({ journal }: ActDependencies, { order, ...lease }: Assignment, error: unknown): void {
  const status = statusOf(error);
  // Without an answer nothing is known of the container. What it needs may be missing for a moment.
  if (status === undefined || status === 404) return;
  const key = fencedKey(lease);
  const before = readRuns(journal).get(key);
  const starts = before?.order === order ? before.starts + 1 : 1;
  recordRun(journal, key, { order, starts, lastStart: Date.now() });
}

/** Why no container is created with the volumes that an image declares. Undefined: they can be bounded. */
function volumeRejection(declared: readonly string[], count: number): NodeReason | undefined {
  if (count > maxVolumes) {
    return { code: "image_volumes_exceeded", details: { volumes: count, most: maxVolumes } };
  }
  // The engine takes it for a path below the root, and gives it a volume without a limit.
  const relative = declared.find((path) => !path.startsWith("/"));
  if (relative === undefined) return undefined;
  const message = startOf(
    `The image declares the volume "${relative}", which is no absolute path.`,
    messageBytes,
  );
  return { code: "container_start_failed", details: { message } };
}

/** The state of an image that no container is created of. */
function unusable(cause: NodeReason): ImageState {
  return {
    type: "absent",
    failures: 1,
    retryAt: Date.now(),
    reason: cause.code === "image_volumes_exceeded" ? "volumes_exceeded" : "start_failed",
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

/**
 * Starts the container of a lease. The start is recorded before it is tried.
 *
 * @throws RetryableError `walls_unavailable`: without its walls no container starts.
 */
export async function start(
  deps: ActDependencies,
  { lease, containerId, starts }: Of<"start">,
): Promise<void> {
  const { engine, journal, observed, walls, logger } = deps;
  const key = fencedKey(lease);
  await deps.secrets.restore(lease, runnable(journal, lease));
  recordRun(journal, key, { order: lease.order, starts, lastStart: Date.now() });
  observed.health.delete(containerId);
  await walls.ensure(await ensureNetwork(engine));
  try {
    await startContainer(engine, containerId);
  } catch (error) {
    // The container's network or image was removed. It cannot start again; a new container can.
    if (statusOf(error) === 404) await removeContainer(engine, containerId);
    throw error;
  }
  logger.info({ event: "container_started", lease: key, containerId, starts });
}

function runnable(journal: Journal, lease: Assignment): Extract<Plan, { type: "runnable" }> {
  const publication = readPublications(journal).get(publicationKey(lease));
  const plan = publication === undefined ? undefined : planOf(publication);
  if (plan?.type !== "runnable")
    throw new Error(`The journal has no runnable publication of workspace ${lease.workspaceId}.`);
  return plan;
}
