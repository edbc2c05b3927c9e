import { expect } from "chai";
import {
  decideLosses,
  type HeldLease,
  type LossFacts,
  type WatchedNode,
} from "../../../services/match/loss.ts";

const limits = { lossMs: 4_000, share: 0.2, offlineMs: 12_000 };

function watched(
  nodeId: number,
  absentFor: number | null = null,
  given: Partial<WatchedNode> = {},
): WatchedNode {
  const absentSince = absentFor === null ? null : 100_000 - absentFor;
  return { nodeId, status: "online", gpus: 1, cpuMilli: 8_000, proven: true, absentSince, ...given };
}

function held(nodeId: number, given: Partial<HeldLease> = {}): HeldLease {
  const ids = { workspaceId: 1n, replica: 0, lease: 1, nodeId };
  return { ...ids, state: "running", policy: "available", lostUntil: null, ...given };
}

function facts(nodes: WatchedNode[], leases: HeldLease[] = []): LossFacts {
  return { now: 100_000, chainTime: 50, nodes, leases, limits };
}

const others = [2, 3, 4, 5, 6].map((id) => watched(id));

describe("match: nodes that stop answering", () => {
  it("releases the available leases of a node that is gone for longer than the limit", () => {
    const decision = decideLosses(facts([watched(1, 4_000), ...others], [held(1), held(2)]));
    expect(decision).to.deep.equal({ type: "act", release: [held(1)], offline: [] });
  });

  it("changes nothing for a flap that is shorter", () => {
    const decision = decideLosses(facts([watched(1, 3_999), ...others], [held(1)]));
    expect(decision).to.deep.equal({ type: "act", release: [], offline: [] });
  });

  it("marks an exclusive lease first and releases it once the contract allows it", () => {
    const gone = watched(1, 5_000);
    const lease = (lostUntil: number | null) => held(1, { policy: "exclusive", lostUntil });
    const releases = (lostUntil: number | null) => {
      const decision = decideLosses(facts([gone, ...others], [lease(lostUntil)]));
      return decision.type === "act" ? decision.release.length : "suspect";
    };
    expect(releases(null)).to.equal(1);
    expect(releases(51)).to.equal(0);
    expect(releases(50)).to.equal(1);
  });

  it("marks a node offline when it has been gone for long", () => {
    const decision = decideLosses(facts([watched(1, 12_000), ...others]));
    expect(decision).to.deep.equal({ type: "act", release: [], offline: [1] });
  });

  it("still releases what a node holds that is offline on the chain", () => {
    const gone = watched(1, 60_000, { status: "offline" });
    const decision = decideLosses(facts([gone, ...others], [held(1)]));
    expect(decision).to.deep.equal({ type: "act", release: [held(1)], offline: [] });
  });

  it("does nothing at all while more than the share of capacity is missing at once", () => {
    const nodes = [watched(1, 60_000), watched(2, 60_000), ...others.slice(1)];
    const decision = decideLosses(facts(nodes, [held(1), held(2)]));
    expect(decision).to.deep.equal({ type: "suspect", missing: [1, 2], share: 2 / 6 });
  });

  it("weighs nodes by their capacity, and only what is proven", () => {
    const large = watched(1, 60_000, { gpus: 8 });
    expect(decideLosses(facts([large, ...others]))).to.include({ type: "suspect" });
    const boast = watched(1, 60_000, { gpus: 8, proven: false });
    expect(decideLosses(facts([boast, ...others]))).to.include({ type: "act" });
  });
});
