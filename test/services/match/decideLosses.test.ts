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
  const weight = { gpus: 1, cpuMilli: 8_000, ...given };
  // Unless a test says otherwise, leases use all of a node.
  const used = { gpus: weight.gpus, cpuMilli: weight.cpuMilli };
  return { nodeId, status: "online", signal: "session", proven: true, unreachableMs, used, ...weight };
}

function held(nodeId: number, given: Partial<HeldLease> = {}): HeldLease {
  const ids = { workspaceId: 1n, replica: 0, lease: 1, nodeId };
  return { ...ids, state: "running", policy: "available", lostUntil: null, ...given };
}

/** An online fleet of nodes with one GPU and eight cores each. */
function fleet(nodes: number): Online {
  return ofAll({ nodes, gpus: nodes, cpuMilli: 8_000 * nodes });
}

/** An online fleet of proven nodes. Unless given otherwise, leases use all of it. */
function ofAll(all: { nodes: number; gpus: number; cpuMilli: number; used?: Online["all"]["used"] }): Online {
  const used = { gpus: all.gpus, cpuMilli: all.cpuMilli };
  return { all: { used, ...all }, proven: { used, ...all } };
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
    const online = ofAll({ nodes: 20, gpus: 40, cpuMilli: 160_000 });
    expect(decideLosses(facts(large, [], online))).to.include({ type: "suspect", share: 9 / 40 });
    const overstated = [unreachable(1, 60_000, { gpus: 8, proven: false }), unreachable(2, 60_000)];
    expect(decideLosses(facts(overstated, [], online))).to.include({ type: "act" });
  });

  it("is not stopped by a few nodes that declare far more than all others and serve nothing", () => {
    const absurd = { gpus: 255, cpuMilli: 16_777_215, used: { gpus: 0, cpuMilli: 0 } };
    const lost = [unreachable(1, 60_000, absurd), unreachable(2, 60_000, absurd), unreachable(3, 60_000)];
    const all = { nodes: 22, gpus: 20 + 510, cpuMilli: 160_000 + 2 * 16_777_215 };
    const online = ofAll({ ...all, used: { gpus: 20, cpuMilli: 160_000 } });
    const decision = decideLosses(facts(lost, [held(3)], online));
    expect(decision).to.deep.equal({ type: "act", release: [held(3)], offline: [1, 2, 3] });
  });

  it("does nothing while many nodes are missing, although leases use few of them", () => {
    const idle = { used: { gpus: 0, cpuMilli: 0 } };
    const lost = [1, 2, 3, 4, 5].map((nodeId) => unreachable(nodeId, 60_000, idle));
    const online = ofAll({ nodes: 10, gpus: 10, cpuMilli: 80_000, used: { gpus: 1, cpuMilli: 8_000 } });
    expect(decideLosses(facts(lost, [], online))).to.include({ type: "suspect", share: 0.5 });
  });
});
