import { expect } from "chai";
import {
  decideLosses,
  type HeldLease,
  type LossFacts,
  type Online,
  type UnreachableNode,
} from "../../../services/match/failover/decideLosses.ts";

const limits = { lossMs: 4_000, share: 0.2, floor: 1, offlineMs: 12_000 };

function unreachable(
  nodeId: number,
  unreachableMs: number,
  given: Partial<UnreachableNode> = {},
): UnreachableNode {
  const weight = { gpus: 1, cpuMilli: 8_000 };
  return { nodeId, status: "online", signal: "session", ...weight, proven: true, unreachableMs, ...given };
}

function held(nodeId: number, given: Partial<HeldLease> = {}): HeldLease {
  const ids = { workspaceId: 1n, replica: 0, lease: 1, nodeId };
  return { ...ids, state: "running", policy: "available", lostUntil: null, ...given };
}

/** An online fleet of nodes with one GPU and eight cores each. */
function fleet(nodes: number): Online {
  const all = { gpus: nodes, cpuMilli: 8_000 * nodes };
  return { nodes, all, proven: all };
}

function facts(nodes: UnreachableNode[], leases: HeldLease[] = [], online = fleet(10)): LossFacts {
  return { chainTime: 50, unreachable: nodes, online, leases, limits };
}

describe("match: decisions about lost nodes", () => {
  it("releases the available leases of a node after the loss limit", () => {
    const decision = decideLosses(facts([unreachable(1, 4_000)], [held(1), held(2)]));
    expect(decision).to.deep.equal({ type: "act", release: [held(1)], offline: [] });
  });

  it("treats a closed session, a failed probe and missed heartbeats alike", () => {
    for (const signal of ["session", "probe", "heartbeat"] as const) {
      const decision = decideLosses(facts([unreachable(1, 4_000, { signal })], [held(1)]));
      expect(decision).to.deep.equal({ type: "act", release: [held(1)], offline: [] });
    }
  });

  it("does nothing for a shorter absence", () => {
    const decision = decideLosses(facts([unreachable(1, 3_999)], [held(1)]));
    expect(decision).to.deep.equal({ type: "act", release: [], offline: [] });
  });

  it("marks an exclusive lease first and releases it once the contract allows it", () => {
    const lease = (lostUntil: number | null) => held(1, { policy: "exclusive", lostUntil });
    const releases = (lostUntil: number | null) => {
      const decision = decideLosses(facts([unreachable(1, 5_000)], [lease(lostUntil)]));
      return decision.type === "act" ? decision.release.length : "suspect";
    };
    expect(releases(null)).to.equal(1);
    expect(releases(51)).to.equal(0);
    expect(releases(50)).to.equal(1);
  });

  it("marks a node offline after the offline limit", () => {
    const decision = decideLosses(facts([unreachable(1, 12_000)]));
    expect(decision).to.deep.equal({ type: "act", release: [], offline: [1] });
  });

  it("releases leases of a node that is offline or in maintenance on the chain", () => {
    for (const status of ["offline", "maintenance"] as const) {
      const decision = decideLosses(facts([unreachable(1, 60_000, { status })], [held(1)]));
      expect(decision).to.deep.equal({ type: "act", release: [held(1)], offline: [] });
    }
  });

  it("does nothing while more than the share of capacity is missing", () => {
    const decision = decideLosses(
      facts([unreachable(1, 60_000), unreachable(2, 60_000)], [held(1), held(2)], fleet(6)),
    );
    expect(decision).to.deep.equal({ type: "suspect", missing: [1, 2], share: 2 / 6 });
    expect(decideLosses(facts([unreachable(1, 60_000), unreachable(2, 60_000)], [], fleet(10)))).to.include({
      type: "act",
    });
  });

  it("acts on one lost node of a few, but not when no node is left", () => {
    const lose = (nodes: number) =>
      decideLosses(facts([unreachable(1, 60_000)], [held(1)], fleet(nodes))).type;
    expect([5, 3, 2].map(lose)).to.deep.equal(["act", "act", "act"]);
    expect(lose(1)).to.equal("suspect");
    const two = decideLosses(facts([unreachable(1, 60_000), unreachable(2, 60_000)], [], fleet(3)));
    expect(two).to.include({ type: "suspect" });
  });

  it("weighs nodes by their proven capacity", () => {
    const large = [unreachable(1, 60_000, { gpus: 8 }), unreachable(2, 60_000)];
    const online = {
      nodes: 20,
      all: { gpus: 40, cpuMilli: 160_000 },
      proven: { gpus: 40, cpuMilli: 160_000 },
    };
    expect(decideLosses(facts(large, [], online))).to.include({ type: "suspect", share: 9 / 40 });
    const overstated = [unreachable(1, 60_000, { gpus: 8, proven: false }), unreachable(2, 60_000)];
    expect(decideLosses(facts(overstated, [], online))).to.include({ type: "act" });
  });
});
