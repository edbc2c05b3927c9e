import { holdLeadership } from "@ngpu/db/leader";
import type { Database } from "@ngpu/db/pool";
import type { FleetBlock, PlacementRequest, Strategy } from "@ngpu/placement/fleet";
import type { FleetIndex } from "@ngpu/placement/fleetIndex/fleetIndex";
import { strategyOf } from "@ngpu/placement/preferences";
import { readWanted } from "@ngpu/queries/wanted";
import { InputError } from "@ngpu/runtime/errors";
import type { ServiceContext } from "@ngpu/runtime/lifecycle";
import { startLoop } from "@ngpu/runtime/loop";
import type { MatchEnv } from "../env.ts";
import type { MatchMetrics } from "../metrics.ts";
import type { IndexedFleet } from "../scheduling/fleetSync.ts";
import type { Session } from "../sessions/session.ts";
import { type CandidateNode, decidePrefetch } from "./decide.ts";
import { createImageSizes, type ImageSizes } from "./imageSizes.ts";
import * as store from "./store.ts";

export type PrefetchOptions = {
  context: ServiceContext;
  databaseUrl: string;
  pool: Database;
  metrics: MatchMetrics;
  fleetNow: () => Promise<IndexedFleet>;
  env: Pick<
    MatchEnv,
    | "PREFETCH"
    | "PREFETCH_SECONDS"
    | "PREFETCH_WINDOW_BLOCKS"
    | "PREFETCH_IMAGES"
    | "PREFETCH_NODES"
    | "PREFETCH_NODE_TRANSFERS"
    | "PREFETCH_SOURCE_TRANSFERS"
    | "PRIVATE_ADDRESSES"
  >;
};

/**
 * Prefetches popular images to the nodes that placement would choose next, on the instance that leads. Off unless PREFETCH
 * is 1.
 */
export function startPrefetch(options: PrefetchOptions): void {
  const { context, databaseUrl, env } = options;
  if (!env.PREFETCH) return;
  const interval = env.PREFETCH_SECONDS * 1_000;
  const lead = (signal: AbortSignal) => {
    const sizes = createImageSizes({
      signal,
      privateAddresses: env.PRIVATE_ADDRESSES,
      logger: context.logger,
    });
    return startLoop({ name: "prefetch", logger: context.logger, signal, interval }, () =>
      prefetch(options, sizes),
    ).done;
  };
  void holdLeadership({
    url: databaseUrl,
    leadership: "prefetch",
    logger: context.logger,
    signal: context.signal,
    lead,
  });
}

async function prefetch(
  { context, pool, metrics, fleetNow, env }: PrefetchOptions,
  sizes: ImageSizes,
): Promise<void> {
  const { block, index } = await fleetNow();
  const { hits, misses } = await store.countHits(pool, block);
  metrics.prefetchAssignments.inc({ result: "hit" }, hits);
  metrics.prefetchAssignments.inc({ result: "miss" }, misses);
  const since = block.number - BigInt(env.PREFETCH_WINDOW_BLOCKS);
  const popular = await store.readPopular(pool, since, env.PREFETCH_IMAGES);
  const typicalRequests = await readTypicalRequests(pool, popular, block);
  const steps = decidePrefetch({
    popular: await sizes(popular),
    requested: await store.readRequestedImages(pool),
    leaseTransfers: await store.readLeaseTransfers(pool),
    choose: ({ image }, excluded) => chooseNode(index, typicalRequests.get(image), image, excluded),
    limits: {
      images: env.PREFETCH_IMAGES,
      nodes: env.PREFETCH_NODES,
      perNode: env.PREFETCH_NODE_TRANSFERS,
      perSource: env.PREFETCH_SOURCE_TRANSFERS,
    },
  });
  await store.requestImages(pool, steps);
  for (const { nodeId, reference } of steps) {
    metrics.prefetched.inc({ outcome: "requested" });
    context.logger.info({ event: "prefetch_requested", nodeId, reference });
  }
}

type TypicalRequest = { request: Omit<PlacementRequest, "excluded">; strategy: Strategy };

/** A typical placement request for each popular image, by the image's digest. */
async function readTypicalRequests(
  pool: Database,
  popular: readonly store.ImageOfWorkspace[],
  block: FleetBlock,
): Promise<Map<string, TypicalRequest>> {
  const typicalRequests = new Map<string, TypicalRequest>();
  for (const { image, workspaceId } of popular) {
    // A closed workspace serves too: its spec shows what a replica with this image requests.
    const wanted = await readWanted(pool, { workspace_id: workspaceId, excluded: [] }, block, "any");
    // The workspace may have another image now.
    if (wanted === undefined || wanted.request.image !== image) continue;
    // As a workspace without replicas: id 0 does not exist.
    typicalRequests.set(image, {
      request: { ...wanted.request, workspaceId: 0n, position: 0 },
      strategy: strategyOf(wanted.preferences),
    });
  }
  return typicalRequests;
}

function chooseNode(
  index: FleetIndex,
  typical: TypicalRequest | undefined,
  image: string,
  excluded: readonly number[],
): CandidateNode | undefined {
  if (typical === undefined) return undefined;
  const nodeId = index.best({ ...typical.request, excluded }, typical.strategy);
  const node = nodeId === undefined ? undefined : index.get(nodeId);
  if (node === undefined) return undefined;
  return { nodeId: node.nodeId, holds: node.images.has(image), freeDiskGib: node.free.diskGib };
}

/**
 * Records the result that a node reports for a prefetch order.
 *
 * @throws InputError `message_forbidden`.
 */
export async function handlePrefetchResult(
  { pool, metrics }: Pick<PrefetchOptions, "pool" | "metrics">,
  session: Session,
  result: store.PrefetchResult,
): Promise<void> {
  if (session.role !== "node") {
    throw new InputError(`A ${session.role} must not send prefetched.`, {
      code: "message_forbidden",
      hint: "Update the client, or connect with the role that sends this message.",
    });
  }
  // A reconnecting node reports its images again, possibly before its registration is exported. It has no orders then.
  if (session.subjectId === null) return;
  if (await store.settle(pool, session.subjectId, result))
    metrics.prefetched.inc({ outcome: result.outcome });
}
