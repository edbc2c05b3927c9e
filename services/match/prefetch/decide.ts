import { marginGib, unpackedBytes } from "@ngpu/protocol/imageDiskSpace";

/** An image that many leases wanted lately. */
export type PopularImage = {
  /** Digest. */
  image: string;
  /** reference@sha256:… */
  reference: string;
  /** Compressed; null where the chain tells none. */
  sizeBytes: bigint | null;
  /** Assignments within the window. */
  assignments: number;
};

/** A node that placement would choose. */
export type CandidateNode = {
  nodeId: number;
  /** A lease has brought the image there. */
  holds: boolean;
  freeDiskGib: number;
};

/** What nodes were asked for before: an image that is under way, there, or failed a while ago only. */
export type RequestedImage = {
  nodeId: number;
  image: string;
  reference: string;
  sizeBytes: bigint;
  inProgress: boolean;
};

export type PrefetchLimits = {
  /** Images that are prefetched at once, the most popular ones. */
  images: number;
  /** Likely nodes that should have each of them. */
  nodes: number;
  /** Images brought to one node at once, those of its leases included. */
  perNode: number;
  /** Images that one registry serves at once for this. */
  perSource: number;
};

export type PrefetchFacts = {
  popular: readonly PopularImage[];
  requested: readonly RequestedImage[];
  /** Images that leases are bringing to nodes now. */
  leaseTransfers: ReadonlyMap<number, number>;
  /** Where placement would put a usual replica with this image, were the passed nodes not there. */
  choose: (image: PopularImage, passed: readonly number[]) => CandidateNode | undefined;
  limits: PrefetchLimits;
};

export type PrefetchStep = { nodeId: number; image: string; reference: string; sizeBytes: bigint };

/** Which nodes to ask for which images, so that each popular image is on the nodes that its next leases go to. */
export function decidePrefetch(facts: PrefetchFacts): PrefetchStep[] {
  const { limits, requested, leaseTransfers } = facts;
  const inProgress = requested.filter((one) => one.inProgress);
  const steps: PrefetchStep[] = [];
  const now = () => [...inProgress, ...steps];
  const isFree = (nodeId: number, source: string) => {
    const toNode = now().filter((one) => one.nodeId === nodeId).length + (leaseTransfers.get(nodeId) ?? 0);
    const fromSource = now().filter(({ reference }) => sourceOf(reference) === source).length;
    return toNode < limits.perNode && fromSource < limits.perSource;
  };
  const reservedGib = (nodeId: number) =>
    now()
      .filter((one) => one.nodeId === nodeId)
      .reduce((sum, { sizeBytes }) => sum + gibOf(sizeBytes), 0);
  const order = (a: PopularImage, b: PopularImage) =>
    b.assignments - a.assignments || (a.image < b.image ? -1 : 1);
  for (const popular of facts.popular.toSorted(order).slice(0, limits.images)) {
    const { image, reference, sizeBytes } = popular;
    // What nobody knows the size of cannot be kept within bounds.
    if (sizeBytes === null) continue;
    const passed: number[] = [];
    while (passed.length < limits.nodes) {
      const candidate = facts.choose(popular, passed);
      if (candidate === undefined) break;
      const { nodeId } = candidate;
      passed.push(nodeId);
      if (candidate.holds || requested.some((one) => one.nodeId === nodeId && one.image === image)) continue;
      const wantedGib = gibOf(sizeBytes) + reservedGib(nodeId) + marginGib;
      if (wantedGib > candidate.freeDiskGib || !isFree(nodeId, sourceOf(reference))) continue;
      steps.push({ nodeId, image, reference, sizeBytes });
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
