import { expect } from "chai";
import { stringToHex } from "viem";
import {
  decideReplacement,
  type LeaseProgress,
  type ProgressDeadlines,
} from "../../../services/dispense/progress.ts";

const deadlines: ProgressDeadlines = {
  accept: 60,
  stall: 100,
  download: 1_000,
  ready: 70,
  start: 80,
  retry: 20,
  delete: 90,
};

const start = 10_000;

/** The decision about a lease assigned at `start`, a number of seconds later. */
function late(seconds: number, given: Partial<LeaseProgress>) {
  const lease: LeaseProgress = {
    workspaceId: 1n,
    replica: 0,
    lease: 1,
    nodeId: 1,
    state: "assigned",
    desired: "run",
    detail: null,
    milestone: "none",
    assignedAt: start,
    changedAt: start,
    milestoneAt: null,
    liveAt: null,
    releasableAt: null,
    ...given,
  };
  return decideReplacement(lease, start + seconds, deadlines);
}

describe("dispense: when a lease is replaced", () => {
  it("gives a node time to accept", () => {
    expect(late(60, {})).to.equal(null);
    expect(late(61, {})).to.deep.equal({ action: "delete", reason: "not accepted within 60 s" });
  });

  it("waits while a download progresses, live or by milestone, up to a limit", () => {
    const reason = "no download progress within 100 s";
    expect(late(101, { milestone: "accepted", milestoneAt: start })).to.deep.include({ reason });
    expect(late(101, { milestone: "downloading", milestoneAt: start + 1 })).to.equal(null);
    expect(late(900, { milestone: "downloading", milestoneAt: start, liveAt: start + 850 })).to.equal(null);
    expect(
      late(1_001, { milestone: "downloading", milestoneAt: start, liveAt: start + 1_000 }),
    ).to.deep.equal({
      action: "delete",
      reason: "not downloaded within 1000 s",
    });
  });

  it("requires ready soon after the image is verified, and running soon after ready", () => {
    expect(late(570, { milestone: "verified", milestoneAt: start + 500 })).to.equal(null);
    expect(late(571, { milestone: "verified", milestoneAt: start + 500 })).to.deep.include({
      reason: "not ready within 70 s",
    });
    expect(late(580, { state: "ready", changedAt: start + 500 })).to.equal(null);
    expect(late(581, { state: "ready", changedAt: start + 500 })).to.deep.include({
      reason: "not running within 80 s",
    });
  });

  it("keeps leases that are held, running or stopped", () => {
    expect(late(9_999, { state: "ready", desired: "hold" })).to.equal(null);
    expect(late(9_999, { state: "running" })).to.equal(null);
    expect(late(9_999, { state: "stopped", desired: "stop" })).to.equal(null);
  });

  it("releases a failed lease with the node's reason, after the node's own retry", () => {
    const detail = stringToHex("exit code 1", { size: 32 });
    expect(late(20, { state: "failed", detail })).to.equal(null);
    expect(late(21, { state: "failed", detail })).to.deep.equal({
      action: "release",
      reason: "the node reported a failure: exit code 1",
    });
    expect(late(21, { state: "failed" })).to.deep.include({
      reason: "the node reported a failure: no reason given",
    });
  });

  it("releases a lease that is not deleted in time, a lost exclusive one only after its grace period", () => {
    expect(late(90, { desired: "delete" })).to.equal(null);
    const release = { action: "release", reason: "not deleted within 90 s" };
    expect(late(91, { desired: "delete" })).to.deep.equal(release);
    expect(late(91, { desired: "delete", releasableAt: start + 92 })).to.equal(null);
    expect(late(92, { desired: "delete", releasableAt: start + 92 })).to.deep.equal(release);
  });
});
