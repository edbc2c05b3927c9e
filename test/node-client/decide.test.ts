import { expect } from "chai";
import fc from "fast-check";
import { decide } from "../../node-client/decide.ts";
import { afterEvent } from "../../node-client/leaseMoney.ts";
import { type Assignment, fencedKey } from "../../node-client/leases.ts";
import { runs } from "../support/runs.ts";
import { World } from "./simulatedNode.ts";

const names = [
  "Assigned",
  "AssignedHeld",
  "StartRequested",
  "StopRequested",
  "DeleteRequested",
  "Released",
  "LeaseClosed",
];

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("event"),
      name: fc.constantFrom(...names),
      workspace: fc.integer({ min: 1, max: 3 }),
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant("round"), most: fc.integer({ min: 0, max: 4 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("kill", "relay", "wait", "crash", "prune") }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("set the clock back") }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("reorg"), depth: fc.integer({ min: 1, max: 6 }) }) },
);

type Step = { do: string; name?: string; workspace?: number; most?: number; depth?: number };

function take(world: World, { do: act, name = "", workspace = 1, most = 0, depth = 0 }: Step): void {
  if (act === "event") world.event(name, BigInt(workspace));
  else if (act === "round") world.round(most);
  else if (act === "kill") world.kill();
  else if (act === "relay") world.relay();
  else if (act === "wait") world.lastContactAt = world.now += 5_000;
  else if (act === "set the clock back") world.now -= 3_600_000;
  else if (act === "crash") world.crash();
  else if (act === "prune") world.prune();
  else world.reorg(depth);
}

/** Invariants: at most one container a lease and a GPU, and no container starts without its lease. */
function checkAlways(world: World, before: { started: number; live: Set<string> }): void {
  const keys = world.containers.map(fencedKey);
  expect(new Set(keys).size, "a container a lease").to.equal(keys.length);
  for (const key of world.started.slice(before.started)) {
    expect(before.live.has(key), `started ${key} without a lease`).to.equal(true);
  }
  const gpus = world.containers.flatMap((container) => container.gpuUuids);
  expect(new Set(gpus).size, "a container a GPU").to.equal(gpus.length);
}

describe("a node's decisions", () => {
  it("never give a lease two containers, nor a container without a lease, in any order of events, kills and reorgs", () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 60, size: "max" }),
        fc.constantFrom("available" as const, "exclusive" as const),
        fc.integer({ min: 0, max: 1 }),
        (steps, policy, gpus) => {
          const world = new World({ policy, gpus });
          for (const item of steps) {
            const before = { started: world.started.length, live: new Set(world.live.map(fencedKey)) };
            take(world, item);
            checkAlways(world, before);
          }
        },
      ),
      { numRuns: runs(100) },
    );
  });

  it("converge to the state on the chain after any history", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40, size: "max" }), (steps) => {
        const world = new World({ policy: "available" });
        for (const item of steps) take(world, item);
        world.settle();
        const running = world.containers.filter((item) => item.status === "running").map(fencedKey);
        const live = new Set(world.live.map(fencedKey));
        // A lease whose container crashed too often is reported as failed and does not run.
        const wanted = world.live.filter((lease) => lease.desired === "run" && lease.state !== "failed");
        expect(running.sort()).to.deep.equal(wanted.map(fencedKey).sort());
        expect(world.containers.every((item) => live.has(fencedKey(item)))).to.equal(true);
        for (const lease of wanted) expect(lease.state).to.equal("running");
        expect(world.live.some((lease) => lease.desired === "delete")).to.equal(false);
      }),
      { numRuns: runs(100) },
    );
  });

  it("try again, after pauses, a container that the engine refuses to create, and report it as failed after five times", () => {
    const world = new World({ policy: "available" });
    world.refusesCreation = true;
    world.event("Assigned", 1n);
    world.settle();
    expect(world.refused).to.have.length(5);
    const pauses = world.refused.slice(1).map((at, index) => at - (world.refused[index] ?? 0));
    expect(pauses).to.deep.equal([10_000, 10_000, 10_000, 10_000]);
    expect(world.live.map(({ state }) => state)).to.deep.equal(["failed"]);
    world.refusesCreation = false;
    world.event("StopRequested", 1n);
    world.settle();
    world.event("StartRequested", 1n);
    world.settle();
    expect(world.containers.map(({ status }) => status)).to.deep.equal(["running"]);
  });

  it("wait for nothing that lies in the future, once the machine's clock was set back", () => {
    const world = new World({ policy: "available" });
    world.event("Assigned", 1n);
    world.settle();
    for (let times = 0; times < 2; times += 1) {
      world.crash();
      world.now -= 3_600_000;
      world.settle();
      expect(world.containers.map((item) => item.status)).to.deep.equal(["running"]);
    }
  });

  it("stop an exclusive lease at the end of its grace period, and never an available one", () => {
    for (const [policy, status] of [
      ["exclusive", "exited"],
      ["available", "running"],
    ] as const) {
      const world = new World({ policy });
      world.event("Assigned", 1n);
      world.settle();
      world.now += 60_000;
      world.round();
      expect(world.containers.map((item) => item.status)).to.deep.equal([status]);
    }
  });

  it("report a container that keeps crashing as failed, and start it again under a new order", () => {
    const world = new World({ policy: "available" });
    world.event("Assigned", 1n);
    for (let i = 0; i < 40; i += 1) {
      world.lastContactAt = world.now += 61_000;
      world.round();
      world.relay();
      world.crash();
    }
    expect(world.started).to.have.length(5);
    expect(world.live[0]?.state).to.equal("failed");
    world.event("StopRequested", 1n);
    world.settle();
    world.event("StartRequested", 1n);
    world.settle();
    expect(world.live[0]?.state).to.equal("running");
  });

  it("keep a stopped container while the lock of its lease pays for it, and not longer", () => {
    const world = new World({ policy: "available" });
    const states = () => world.containers.map((item) => item.status);
    world.event("Assigned", 1n);
    // A second of rest costs 11 of what is left of the lock: 50 seconds.
    world.money("LeaseOpened", 1n, { authorizationId: 1n, rate: 105n, lock: 1_000n });
    world.money("LeaseClockSet", 1n, { clock: 2, since: 900 });
    world.settle();
    world.event("StopRequested", 1n);
    world.settle();
    const since = world.now / 1_000;
    world.money("LeaseClockSet", 1n, { clock: 5, since: since - 100 });
    world.money("Settled", 1n, { amount: 900n, fromLock: 460n, settledAt: since });
    world.now += 109_000;
    world.round();
    expect(states()).to.deep.equal(["exited"]);
    world.now += 1_000;
    world.round();
    expect(states()).to.deep.equal([]);
    world.event("StartRequested", 1n);
    world.settle();
    expect(states()).to.deep.equal(["running"]);
  });

  it("report a lease as failed before its deadline when its image does not arrive, and run it when it does", () => {
    const world = new World({ policy: "available" });
    world.isPulling = true;
    world.event("Assigned", 1n);
    world.settle();
    world.now += 2_500_000;
    world.settle();
    expect(world.live[0]?.state).to.equal("assigned");
    world.now += 200_000;
    world.settle();
    expect(world.live[0]).to.deep.include({ state: "failed" });
    world.isPulling = false;
    world.settle();
    expect(world.live[0]?.state).to.equal("running");
  });

  it("know what is left of a lock when a part of it was burned", () => {
    const opened = { eventName: "LeaseOpened", args: { rate: 100n, lock: 60_000n } } as const;
    const money = afterEvent(undefined, opened);
    expect(afterEvent(money, { eventName: "WaitCharged", args: { amount: 500n } })?.lock).to.equal(59_500n);
  });

  it("keep no container of a lease that is stopped before it first ran: its payer pays nothing", () => {
    const world = new World({ policy: "available" });
    world.event("Assigned", 1n);
    world.money("LeaseOpened", 1n, { authorizationId: 1n, rate: 100n, lock: 60_000n });
    for (let i = 0; i < 3; i += 1) world.round();
    expect(world.containers).to.have.length(1);
    world.event("StopRequested", 1n);
    world.settle();
    expect(world.containers).to.deep.equal([]);
    expect(world.live[0]?.state).to.equal("stopped");
  });

  it("submit a pending report once", () => {
    const world = new World({ policy: "available" });
    world.event("AssignedHeld", 1n);
    for (let i = 0; i < 5; i += 1) world.round();
    expect(world.round()).to.equal(0);
  });

  const withTwoCards = () => {
    const world = new World({ policy: "available", gpus: 1 });
    world.event("Assigned", 1n);
    world.settle();
    const [card] = world.containers.flatMap((container) => container.gpuUuids);
    return { world, card: card ?? "" };
  };

  it("leave a running container alone when its card is lost, and move it to a healthy card once it exits", () => {
    const { world, card } = withTwoCards();
    world.loseGpu(card);
    world.settle();
    expect(world.containers.map(({ status, gpuUuids }) => [status, gpuUuids])).to.deep.equal([
      ["running", [card]],
    ]);
    world.crash();
    world.settle();
    expect(world.containers).to.have.length(1);
    expect(world.containers[0]?.status).to.equal("running");
    expect(world.containers[0]?.gpuUuids).to.not.include(card);
  });

  it("stop a container while nothing separates it from the machine's networks", () => {
    const world = new World({ policy: "available" });
    world.event("Assigned", 1n);
    world.settle();
    world.isExposed = true;
    const [running] = world.containers;
    expect(decide(world.facts())).to.deep.equal([
      {
        type: "stop",
        containerId: running?.id,
        key: fencedKey(world.live[0] as Assignment),
        reason: "exposed",
      },
    ]);
  });

  it("report gpu_lost for a lease that no healthy card is left for, and start it under a new order once the card recovers", () => {
    const { world, card } = withTwoCards();
    world.event("Assigned", 2n);
    world.settle();
    world.loseGpu(card);
    world.crash();
    world.settle();
    const [lost, other] = world.live;
    expect([
      lost?.state,
      Buffer.from(lost?.detail.slice(2) ?? "", "hex")
        .toString()
        .replaceAll("\0", ""),
    ]).to.deep.equal(["failed", "gpu_lost"]);
    expect(other?.state).to.equal("running");
    world.recoverGpu(card);
    world.event("StopRequested", 1n);
    world.settle();
    world.event("StartRequested", 1n);
    world.settle();
    expect(world.live.map((lease) => lease.state)).to.deep.equal(["running", "running"]);
  });
});
