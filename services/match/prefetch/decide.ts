import { marginGib, unpackedBytes } from "@ngpu/protocol/imageDiskSpace";

/** An image with many recent assignments. */
export type PopularImage = {
  /** Digest. */
  image: string;
  /** reference@sha256:… */
  reference: string;
  /** The partner whose workspace has the newest assignment. */
  owner: string;
  /** Compressed, from the verified manifest; null: the registry does not serve it. */
  sizeBytes: bigint | null;
  /** Number of assignments within the window. */
  assignments: number;
};

/** A node that placement would choose next. */
export type CandidateNode = {
  nodeId: number;
  /** A lease has downloaded the image. */
  holds: boolean;
  freeDiskGib: number;
};

/** An image that a node was ordered to prefetch: in progress, present, or failed recently. */
export type RequestedImage = {
  nodeId: number;
  image: string;
  reference: string;
  owner: string;
  sizeBytes: bigint;
  inProgress: boolean;
};

export type PrefetchLimits = {
  /** Number of images to prefetch, most popular first. */
  images: number;
  /** Number of nodes that should have each image. */
  nodes: number;
  /** Maximum number of concurrent prefetches of one node for one partner, including the downloads of its leases. */
  perNode: number;
  /** Maximum number of concurrent prefetches from one registry for one partner. */
  perSource: number;
};

export type PrefetchFacts = {
  popular: readonly PopularImage[];
  requested: readonly RequestedImage[];
  /** Number of downloads in progress for leases, by node. */
  leaseTransfers: ReadonlyMap<number, number>;
  /** The node that placement would choose for a typical replica with this image. */
  choose: (image: PopularImage, excluded: readonly number[]) => CandidateNode | undefined;
  limits: PrefetchLimits;
};

export type PrefetchStep = {
  nodeId: number;
  image: string;
  reference: string;
  owner: string;
  sizeBytes: bigint;
};

/**
 * Decides which images to prefetch on which nodes: each popular image on the nodes that placement would choose next. A partner's images
 * count against its own limits alone: a slow registry delays no other partner's.
 */
export function decidePrefetch(facts: PrefetchFacts): PrefetchStep[] {
  const { limits, requested, leaseTransfers } = facts;
  const inProgress = requested.filter((one) => one.inProgress);
  const steps: PrefetchStep[] = [];
  const now = () => [...inProgress, ...steps];
  const isFree = (nodeId: number, { owner, reference }: PopularImage) => {
    const own = now().filter((one) => one.owner === owner);
    const toNode = own.filter((one) => one.nodeId === nodeId).length + (leaseTransfers.get(nodeId) ?? 0);
    const fromSource = own.filter((one) => sourceOf(one.reference) === sourceOf(reference)).length;
    return toNode < limits.perNode && fromSource < limits.perSource;
  };
  const reservedGib = (nodeId: number) =>
    now()
      .filter((one) => one.nodeId === nodeId)
      .reduce((sum, { sizeBytes }) => sum + gibOf(sizeBytes), 0);
  const order = (a: PopularImage, b: PopularImage) =>
    b.assignments - a.assignments || (a.image < b.image ? -1 : 1);
  for (const popular of facts.popular.toSorted(order).slice(0, limits.images)) {
    const { image, reference, owner, sizeBytes } = popular;
    // Without its size, the image cannot be checked against the free disk space.
    if (sizeBytes === null) continue;
    const considered: number[] = [];
    while (considered.length < limits.nodes) {
      const candidate = facts.choose(popular, considered);
      if (candidate === undefined) break;
      const { nodeId } = candidate;
      considered.push(nodeId);
      if (candidate.holds || requested.some((one) => one.nodeId === nodeId && one.image === image)) continue;
      const wantedGib = gibOf(sizeBytes) + reservedGib(nodeId) + marginGib;
      if (wantedGib > candidate.freeDiskGib || !isFree(nodeId, popular)) continue;
      steps.push({ nodeId, image, reference, owner, sizeBytes });
    }
  }
  return steps;
}

/** The registry of a reference. */
export function sourceOf(reference: string): string {
  return reference.split("/")[0] ?? "";
}

function gibOf(sizeBytes: bigint): number {
  return unpackedBytes(sizeBytes) / 2 ** 30;
}
