import { holdLeadership } from "@ngpu/db/leader";
import type { Database } from "@ngpu/db/pool";
import type { PlacementRequest } from "@ngpu/placement/fleet";
import { strategyOf } from "@ngpu/placement/preferences";
import { readWanted } from "@ngpu/queries/wanted";
import { InputError } from "@ngpu/runtime/errors";
import type { ServiceContext } from "@ngpu/runtime/lifecycle";
import { startLoop } from "@ngpu/runtime/loop";
import type { MatchEnv } from "../env.ts";
import type { MatchMetrics } from "../metrics.ts";
import type { IndexedFleet } from "../scheduling/fleetSync.ts";
import type { Session } from "../sessions/session.ts";
import { type CandidateNode, decidePrefetch, type PopularImage } from "./decide.ts";
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
    | "PREFETCH_WINDOW"
    | "PREFETCH_IMAGES"
    | "PREFETCH_NODES"
    | "PREFETCH_NODE_TRANSFERS"
    | "PREFETCH_SOURCE_TRANSFERS"
  >;
};

/** Prefetches popular images to the nodes that placement would choose next, on the instance that leads. Off unless PREFETCH is 1. */
export function startPrefetch(options: PrefetchOptions): void {
  const { context, databaseUrl, env } = options;
  if (!env.PREFETCH) return;
  const interval = env.PREFETCH_SECONDS * 1_000;
  const lead = (signal: AbortSignal) =>
    startLoop({ name: "prefetch", logger: context.logger, signal, interval }, () => prefetch(options)).done;
  void holdLeadership({
    url: databaseUrl,
    leadership: "prefetch",
    logger: context.logger,
    signal: context.signal,
    lead,
  });
}

async function prefetch({ context, pool, metrics, fleetNow, env }: PrefetchOptions): Promise<void> {
  const { block, index } = await fleetNow();
  const { hits, misses } = await store.countHits(pool, block);
  metrics.prefetchAssignments.inc({ result: "hit" }, hits);
  metrics.prefetchAssignments.inc({ result: "miss" }, misses);
  const since = block.number - BigInt(env.PREFETCH_WINDOW);
  const popular = await store.readPopular(pool, since, env.PREFETCH_IMAGES);
  const typicalRequests = new Map<
    string,
    { request: Omit<PlacementRequest, "excluded">; strategy: ReturnType<typeof strategyOf> }
  >();
  for (const { image, workspaceId } of popular) {
    // Closed or not: its spec shows what a replica with this image usually asks for.
    const requested = { workspace_id: workspaceId, excluded: [] };
    const wanted = await readWanted(pool, requested, block, "any");
    // It may have changed to another image meanwhile.
    if (wanted === undefined || wanted.request.image !== image) continue;
    // As of a workspace that has no replica anywhere yet.
    typicalRequests.set(image, {
      request: { ...wanted.request, workspaceId: 0n, position: 0 },
      strategy: strategyOf(wanted.preferences),
    });
  }
  const requested = await store.readRequestedImages(pool);
  const leaseTransfers = await store.readLeaseTransfers(pool);
  const choose = ({ image }: PopularImage, passed: readonly number[]): CandidateNode | undefined => {
    const wanted = typicalRequests.get(image);
    if (wanted === undefined) return undefined;
    const nodeId = index.best({ ...wanted.request, excluded: passed }, wanted.strategy);
    const node = nodeId === undefined ? undefined : index.get(nodeId);
    if (node === undefined) return undefined;
    return { nodeId: node.nodeId, holds: node.images.has(image), freeDiskGib: node.free.diskGib };
  };
  const steps = decidePrefetch({
    popular,
    requested,
    leaseTransfers,
    choose,
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

/** What a node says of an image that it was asked to bring. */
export async function handlePrefetchResult(
  { pool, metrics }: Pick<PrefetchOptions, "pool" | "metrics">,
  session: Session,
  result: store.PrefetchResult,
): Promise<void> {
  if (session.role !== "node") {
    throw new InputError(`A ${session.role} must not send prefetched.`, { code: "message_unexpected" });
  }
  // A node that says again what it has may do so before its registration is known here; it was asked for nothing then.
  if (session.subjectId === null) return;
  if (await store.settle(pool, session.subjectId, result))
    metrics.prefetched.inc({ outcome: result.outcome });
}
