import { expect } from "chai";
import fc from "fast-check";
import {
  type Deadlines,
  decide,
  type Facts,
  findStuck,
  type HeldLease,
  type Step,
  stepKey,
} from "../../../services/workspace/decide.ts";
import { runs } from "../../support/runs.ts";

const funds: Facts["funds"] = {
  balance: 1_000n,
  owedByOwner: 0n,
  remaining: 1_000n,
  owedByAuthorization: 0n,
  expiry: null,
};

function facts(given: Partial<Facts> = {}): Facts {
  return {
    workspaceId: 7n,
    now: 1_000,
    open: true,
    replicas: 1,
    expiresAt: 0,
    leases: [],
    missing: [],
    maxDown: 1,
    stopped: false,
    funds,
    inProgress: new Set(),
    ...given,
  };
}

function lease(given: Partial<HeldLease> = {}): HeldLease {
  return {
    replica: 0,
    lease: 1,
    state: "running",
    desired: "run",
    since: 900,
    releasableAt: null,
    funded: true,
    overdue: false,
    retire: null,
    owesFrom: 950,
    rateEnded: false,
    ...given,
  };
}

const step = (type: Exclude<Step["type"], "place" | "close" | "settle">) => ({ type, replica: 0, lease: 1 });
const settle = { type: "settle", replica: 0, lease: 1, from: 950 } as const;

describe("workspace: the next steps", () => {
  it("requests a node for a replica without one", () => {
    expect(decide(facts({ missing: [{ replica: 0, since: 900 }] }))).to.deep.equal([{ type: "place" }]);
  });

  it("has no step for a running workspace", () => {
    expect(decide(facts({ leases: [lease()] }))).to.deep.equal([]);
  });

  it("replaces outdated and draining replicas with at most maxDown down", () => {
    const three = ([0, 1, 2] as const).map((replica) => lease({ replica, retire: "outdated" }));
    const deleted = (given: Partial<Facts>) =>
      decide(facts({ replicas: 3, leases: three, ...given })).flatMap((one) =>
        one.type === "delete" ? [one.replica] : [],
      );
    expect(deleted({})).to.deep.equal([0]);
    expect(deleted({ maxDown: 2 })).to.deep.equal([0, 1]);
    expect(deleted({ leases: three.map((one) => ({ ...one, retire: "draining" as const })) })).to.deep.equal([
      0,
    ]);
    // A replica that is being deleted, distributed or has no node is down until its successor runs.
    expect(
      deleted({ inProgress: new Set([stepKey(7n, { type: "delete", replica: 0, lease: 1 })]) }),
    ).to.deep.equal([]);
    const [, second, third] = three as [HeldLease, HeldLease, HeldLease];
    const missing = [{ replica: 0, since: 900 }];
    expect(deleted({ leases: [second, third], missing })).to.deep.equal([]);
    const next = lease({ lease: 2, state: "assigned" });
    expect(deleted({ leases: [next, second, third] })).to.deep.equal([]);
    expect(deleted({ leases: [{ ...next, state: "running" }, second, third] })).to.deep.equal([1]);
  });

  it("replaces an outdated replica that does not serve immediately", () => {
    const failed = lease({ state: "failed", retire: "outdated" });
    const stopped = lease({ replica: 1, state: "stopped", desired: "stop", retire: "outdated" });
    expect(decide(facts({ leases: [failed] }))).to.deep.equal([step("delete")]);
    const steps = decide(
      facts({ replicas: 2, leases: [{ ...failed, desired: "stop" }, stopped], stopped: true }),
    );
    expect(steps.map(({ type }) => type)).to.deep.equal(["delete", "delete"]);
  });

  it("starts a held lease when its image is ready", () => {
    const resting = lease({ desired: "hold", state: "assigned" });
    expect(decide(facts({ leases: [resting] }))).to.deep.equal([]);
    expect(decide(facts({ leases: [{ ...resting, state: "ready" }] }))).to.deep.equal([step("start")]);
  });

  it("places no replica of a stopped workspace, and starts a lease whose start was ordered and not sent", () => {
    const missing = [{ replica: 0, since: 0 }];
    expect(decide(facts({ leases: [], missing, stopped: true }))).to.deep.equal([]);
    expect(decide(facts({ leases: [], missing }))).to.deep.equal([{ type: "place" }]);
    expect(decide(facts({ leases: [lease({ state: "stopped", desired: "stop" })] }))).to.deep.equal([
      step("start"),
    ]);
  });

  it("stops the leases of a stopped workspace and starts none", () => {
    const stopped = true;
    const ready = lease({ desired: "hold", state: "ready" });
    expect(decide(facts({ leases: [ready], stopped }))).to.deep.equal([]);
    const started = lease({ desired: "run", state: "ready" });
    expect(decide(facts({ leases: [started], stopped }))).to.deep.equal([step("stop")]);
  });

  it("deletes replicas above the wanted number and all replicas of a closed workspace", () => {
    expect(decide(facts({ replicas: 0, leases: [lease()] }))).to.deep.equal([step("delete")]);
    expect(decide(facts({ open: false, leases: [lease()] }))).to.deep.equal([step("delete")]);
    const requested = lease({ desired: "delete" });
    expect(decide(facts({ open: false, leases: [requested] }))).to.deep.equal([]);
  });

  it("closes an expired workspace and releases its leases", () => {
    const expired = facts({ expiresAt: 999, leases: [lease()], missing: [{ replica: 1, since: 1 }] });
    expect(decide(expired)).to.deep.equal([{ type: "close" }, step("release")]);
    expect(decide(facts({ expiresAt: 1_000, leases: [lease()] }))).to.deep.equal([]);
  });

  it("releases an unfunded lease, a lost exclusive one only after its grace period", () => {
    expect(decide(facts({ leases: [lease({ funded: false })] }))).to.deep.equal([step("release")]);
    expect(decide(facts({ leases: [lease({ overdue: true })] }))).to.deep.equal([step("release")]);
    const lost = lease({ funded: false, releasableAt: 1_001 });
    expect(decide(facts({ leases: [lost] }))).to.deep.equal([]);
    expect(decide(facts({ now: 1_001, leases: [lost] }))).to.deep.equal([step("release")]);
  });

  it("settles when the debt reaches the funds", () => {
    const due = (given: Partial<Facts["funds"]>) =>
      decide(facts({ leases: [lease()], funds: { ...funds, ...given } }));
    expect(due({ owedByOwner: 999n })).to.deep.equal([]);
    expect(due({ owedByOwner: 1_000n })).to.deep.equal([settle]);
    expect(due({ owedByAuthorization: 1_000n })).to.deep.equal([settle]);
    expect(due({ remaining: null, owedByAuthorization: 5_000n })).to.deep.equal([]);
    expect(due({ expiry: 1_000 })).to.deep.equal([settle]);
  });

  it("settles a stopped lease whose node is silent once its rate has ended, so that its owner's debt ends", () => {
    const silent = lease({ desired: "stop", rateEnded: true });
    expect(decide(facts({ stopped: true, leases: [silent] }))).to.deep.equal([settle]);
    const settled = lease({ desired: "stop", owesFrom: null });
    expect(decide(facts({ stopped: true, leases: [settled] }))).to.deep.equal([]);
  });

  it("settles a later debt immediately while the previous settlement is in progress", () => {
    const before = new Set([stepKey(7n, settle)]);
    const due = (owesFrom: number) =>
      decide(
        facts({
          leases: [lease({ owesFrom })],
          inProgress: before,
          funds: { ...funds, owedByOwner: 1_000n },
        }),
      );
    expect(due(950)).to.deep.equal([]);
    expect(due(990)).to.deep.equal([{ ...settle, from: 990 }]);
  });

  it("does not repeat steps in progress", () => {
    const key = stepKey(7n, step("delete"));
    expect(decide(facts({ open: false, leases: [lease()], inProgress: new Set([key]) }))).to.deep.equal([]);
  });

  it("has no steps left when its steps took effect", () => {
    fc.assert(
      fc.property(anyFacts(), (given) => {
        let current = given;
        // A settlement may close a lease, which is then released and its replica placed again: at most three rounds.
        for (let round = 0; round < 4; round++) current = apply(current, decide(current));
        expect(decide(current)).to.deep.equal([]);
      }),
      { numRuns: runs(500) },
    );
  });

  it("sends each lease at most one order besides a settlement, and none to a lease with a delete order", () => {
    fc.assert(
      fc.property(anyFacts(), (given) => {
        const steps = decide(given).flatMap((one) => ("lease" in one && one.type !== "settle" ? [one] : []));
        expect(new Set(steps.map((one) => `${one.replica}/${one.lease}`)).size).to.equal(steps.length);
        for (const one of steps) {
          const target = given.leases.find((held) => held.replica === one.replica);
          if (target?.desired === "delete") expect(one.type).to.equal("release");
        }
      }),
    );
  });
});

describe("workspace: stuck steps", () => {
  const deadlines: Deadlines = { place: 60, distribute: 60, start: 60, stop: 60, delete: 60, release: 60 };

  it("names each phase that exceeded its deadline", () => {
    const since = 939;
    const found = findStuck(
      facts({
        replicas: 6,
        missing: [{ replica: 0, since }],
        leases: [
          lease({ replica: 1, since, state: "assigned" }),
          lease({ replica: 2, since, state: "ready" }),
          lease({ replica: 3, since, desired: "stop" }),
          lease({ replica: 4, since, desired: "delete" }),
          lease({ replica: 5, since, funded: false }),
        ],
      }),
      deadlines,
    );
    const names = ["place", "distribute", "start", "stop", "delete", "release"];
    expect(found.map(({ name }) => name)).to.deep.equal(names);
    expect(found[0]).to.deep.equal({ name: "place", replica: 0, lease: null, seconds: 61 });
  });

  it("reports nothing before the deadline, for a running or a stopped replica", () => {
    const young = lease({ since: 940, state: "assigned" });
    const stopped = lease({ since: 0, state: "stopped", desired: "stop" });
    expect(findStuck(facts({ leases: [young, lease({ since: 0 }), stopped] }), deadlines)).to.deep.equal([]);
  });
});

function anyFacts(): fc.Arbitrary<Facts> {
  const anyLease = fc.record({
    state: fc.constantFrom("assigned", "ready", "running", "stopped", "failed"),
    desired: fc.constantFrom("hold", "run", "stop", "delete"),
    since: fc.nat(1_000),
    releasableAt: fc.option(fc.integer({ min: 900, max: 1_100 })),
    funded: fc.boolean(),
    overdue: fc.boolean(),
    owesFrom: fc.option(fc.integer({ min: 900, max: 1_000 })),
    rateEnded: fc.boolean(),
  });
  const amount = fc.bigInt({ min: 0n, max: 20n });
  return fc
    .record({
      open: fc.boolean(),
      replicas: fc.nat(4),
      expiresAt: fc.constantFrom(0, 999, 2_000),
      held: fc.array(fc.option(anyLease), { maxLength: 5 }),
      stopped: fc.boolean(),
      funds: fc.record({
        balance: amount,
        owedByOwner: amount,
        remaining: fc.option(amount),
        owedByAuthorization: amount,
        expiry: fc.constantFrom(null, 999, 2_000),
      }),
    })
    .map(({ held, ...given }) => {
      const leases = held.flatMap((one, replica) =>
        one === null ? [] : [{ ...one, replica, lease: 1 } as HeldLease],
      );
      return withMissing(facts({ ...given, leases }));
    });
}

function withMissing(given: Facts): Facts {
  const held = new Set(given.leases.map(({ replica }) => replica));
  const all = Array.from({ length: given.replicas }, (_, replica) => ({ replica, since: given.now }));
  return { ...given, missing: all.filter(({ replica }) => !held.has(replica)) };
}

/** Applies the steps as the contracts do. */
function apply(given: Facts, steps: Step[]): Facts {
  const orders = { start: "run", stop: "stop", delete: "delete" } as const;
  let next = given;
  for (const one of steps) {
    if (one.type === "close") next = { ...next, open: false };
    else if (one.type === "place") {
      const fresh = next.missing.map(({ replica }) =>
        lease({
          replica,
          lease: 2,
          state: "assigned",
          owesFrom: null,
        }),
      );
      next = withMissing({ ...next, leases: [...next.leases, ...fresh] });
    } else {
      const leases = next.leases.flatMap((held) => {
        if (held.replica !== one.replica) return [held];
        if (one.type === "release") return [];
        if (one.type === "settle")
          return [{ ...held, owesFrom: null, rateEnded: false, funded: next.funds.balance > 10n }];
        return [{ ...held, desired: orders[one.type] }];
      });
      next = withMissing({ ...next, leases });
    }
  }
  return next;
}
