import { expect } from "chai";
import fc from "fast-check";
import {
  decidePlacements,
  type MissingReplica,
  type Placement,
  type PlacementFacts,
  refusalReason,
} from "../../../services/dispense/decide.ts";
import { runs } from "../../support/runs.ts";

const limits: PlacementFacts["limits"] = {
  replicas: 4,
  source: 10,
  attempts: 3,
  attemptsWindow: 300,
  pause: 30,
  avoidRefused: 30,
  avoidReplaced: 600,
};

function facts(missing: Partial<MissingReplica>[], given: Partial<PlacementFacts> = {}): PlacementFacts {
  return {
    now: 1_000,
    open: true,
    head: 50n,
    fleetChanged: 40n,
    distributing: 0,
    lost: [],
    fromSource: 0,
    limits,
    missing: missing.map((one, replica) => ({ replica, last: null, attempts: 0, avoided: [], ...one })),
    ...given,
  };
}

function placement(given: Partial<Placement>): Placement {
  return { status: "requested", at: 999, blockNumber: 40n, assignedBlock: null, ...given };
}

const asks = (given: PlacementFacts) => decidePlacements(given).map(({ replica }) => replica);

describe("dispense: which placements to request", () => {
  it("requests a placement for each replica without a request", () => {
    expect(asks(facts([{}, {}]))).to.deep.equal([0, 1]);
  });

  it("requests no more placements than concurrent transfers of the source", () => {
    expect(asks(facts([{}, {}, {}], { fromSource: 8 }))).to.deep.equal([0, 1]);
    expect(asks(facts([{}], { fromSource: 12 }))).to.deep.equal([]);
  });

  it("excludes lost nodes besides the avoided nodes of the replica", () => {
    const avoided = [{ nodeId: 9, at: 999, cause: "refused" as const }];
    const steps = decidePlacements(facts([{ avoided }, {}], { lost: [4, 9] }));
    expect(steps.map(({ excluded }) => excluded)).to.deep.equal([
      [4, 9],
      [4, 9],
    ]);
  });

  it("requests nothing for a closed or expired workspace", () => {
    expect(asks(facts([{}], { open: false }))).to.deep.equal([]);
  });

  it("skips replicas that are requested, answered, or assigned in a block that is not exported yet", () => {
    expect(asks(facts([{ last: placement({ status: "requested" }) }]))).to.deep.equal([]);
    expect(asks(facts([{ last: placement({ status: "answered" }) }]))).to.deep.equal([]);
    const used = placement({ status: "used", assignedBlock: 51n });
    expect(asks(facts([{ last: used }]))).to.deep.equal([]);
    expect(asks(facts([{ last: used }], { head: 51n }))).to.deep.equal([0]);
  });

  it("retries immediately after a refusal, and after a pause when there were many", () => {
    const refused = placement({ status: "refused" });
    expect(asks(facts([{ last: refused, attempts: 2 }]))).to.deep.equal([0]);
    expect(asks(facts([{ last: refused, attempts: 3 }]))).to.deep.equal([]);
    expect(asks(facts([{ last: refused, attempts: 3 }], { now: 1_029 }))).to.deep.equal([0]);
  });

  it("retries an impossible placement when nodes changed or after a pause", () => {
    const last = placement({ status: "impossible" });
    expect(asks(facts([{ last }]))).to.deep.equal([]);
    expect(asks(facts([{ last }], { fleetChanged: 41n }))).to.deep.equal([0]);
    expect(asks(facts([{ last }], { now: 1_029 }))).to.deep.equal([0]);
  });

  it("excludes nodes that were refused or failed recently", () => {
    const avoided: MissingReplica["avoided"] = [
      { nodeId: 5, at: 980, cause: "refused" },
      { nodeId: 4, at: 900, cause: "refused" },
      { nodeId: 3, at: 500, cause: "replaced" },
      { nodeId: 2, at: 300, cause: "replaced" },
      { nodeId: 3, at: 990, cause: "replaced" },
    ];
    expect(decidePlacements(facts([{ avoided }]))).to.deep.equal([
      { type: "request", replica: 0, excluded: [3, 5] },
    ]);
  });

  it("tell the owner why the chain refused an assignment, unless the workspace's own events say it", () => {
    expect(refusalReason("EscrowBalanceTooLow")).to.equal("balance_too_low");
    expect(refusalReason("AuthorizationSpent")).to.equal("authorization_ended");
    expect(refusalReason("NodeUnfit")).to.equal("assignment_refused");
    expect(refusalReason("WorkspaceNotOpen")).to.equal(null);
  });

  it("distributes a limited number of replicas at once", () => {
    expect(asks(facts([{}, {}, {}, {}, {}, {}]))).to.deep.equal([0, 1, 2, 3]);
    expect(asks(facts([{}, {}], { distributing: 3 }))).to.deep.equal([0]);
    const last = placement({ status: "requested" });
    expect(asks(facts([{ last }, {}, {}], { distributing: 2 }))).to.deep.equal([1]);
  });

  it("requests nothing twice: no request is left when all are stored", () => {
    const anyLast = fc.option(
      fc.record({
        status: fc.constantFrom("requested", "answered", "impossible", "used", "refused"),
        at: fc.integer({ min: 900, max: 1_000 }),
        blockNumber: fc.option(fc.bigInt({ min: 1n, max: 60n })),
        assignedBlock: fc.option(fc.bigInt({ min: 1n, max: 60n })),
      }) as fc.Arbitrary<Placement>,
    );
    fc.assert(
      fc.property(
        fc.array(fc.record({ last: anyLast, attempts: fc.nat(5) }), { maxLength: 8 }),
        fc.nat(5),
        (missing, distributing) => {
          const before = facts(missing, { distributing });
          const requested = new Set(asks(before));
          const after = before.missing.map((one) =>
            requested.has(one.replica)
              ? { ...one, last: placement({ status: "requested", at: 1_000 }) }
              : one,
          );
          const again = asks({ ...before, missing: after });
          expect(again.filter((replica) => requested.has(replica))).to.deep.equal([]);
          expect(requested.size + distributing).to.be.at.most(Math.max(limits.replicas, distributing));
          // The first round requests up to the limit, so a second round requests nothing.
          expect(again).to.deep.equal([]);
        },
      ),
      { numRuns: runs(500) },
    );
  });
});
