import { expect } from "chai";
import {
  chooseHead,
  evaluateHealth,
  type Origin,
  planSchema,
  type Role,
} from "../../../services/autoExport/decide.ts";

const origin: Origin = {
  chainId: 10,
  startBlock: 5n,
  startHash: "0xaa",
  contracts: { Pomc: ["0x01"], Escrow: ["0x02"] },
  definitions: "d1",
  version: 2,
};

describe("the plan for stored rows", () => {
  it("builds them if there are none and keeps those of the same origin", () => {
    expect(planSchema(undefined, origin)).to.deep.equal({ type: "build" });
    const reordered = { ...origin, contracts: { Escrow: ["0x02"], Pomc: ["0x01"] } };
    expect(planSchema(reordered, origin)).to.deep.equal({ type: "keep" });
  });

  it("rebuilds them, with the reason, when chain, start, contracts or definitions differ", () => {
    const cases: [Partial<Origin>, string][] = [
      [{ chainId: 11 }, "chain"],
      [{ startHash: "0xbb" }, "start block"],
      [{ startBlock: 6n }, "start block"],
      [{ contracts: { Pomc: ["0x03"], Escrow: ["0x02"] } }, "contracts"],
      // The successor's earlier events are on the chain but are not stored.
      [{ contracts: { Pomc: ["0x01"], Escrow: ["0x02"], Measure: ["0x04"] } }, "contracts"],
      [{ contracts: { Pomc: ["0x00", "0x01"], Escrow: ["0x02"] } }, "contracts"],
      [{ definitions: "d2" }, "definitions"],
      [{ definitions: "d2", version: 1 }, "definitions"],
    ];
    for (const [change, reason] of cases) {
      expect(planSchema({ ...origin, ...change }, origin)).to.deep.equal({
        type: "rebuild",
        reasons: [reason],
      });
    }
  });

  it("leaves rows that a newer version built, whatever else differs", () => {
    for (const change of [{}, { chainId: 11 }, { contracts: {} }]) {
      const newer = { ...origin, ...change, definitions: "d3", version: 3 };
      expect(planSchema(newer, origin)).to.deep.equal({ type: "leave" });
    }
  });
});

describe("the head of a tier", () => {
  const tip = { number: 10n, hash: "0x10" as const };
  const at = (number: bigint) => ({ number, hash: `0x${number}` as const });

  it("follows the endpoint's head up to the last stored block", () => {
    expect(chooseHead({ stored: undefined, claimed: at(7n), tip, tipHashAtEndpoint: "" })).to.deep.equal(
      at(7n),
    );
    expect(chooseHead({ stored: at(7n), claimed: at(12n), tip, tipHashAtEndpoint: "0x10" })).to.deep.equal(
      tip,
    );
  });

  it("does not include the last stored block when the endpoint has a different block there", () => {
    expect(chooseHead({ stored: at(7n), claimed: at(12n), tip, tipHashAtEndpoint: "0xff" })).to.equal(null);
  });

  it("does not move back with an endpoint that lags", () => {
    expect(chooseHead({ stored: at(7n), claimed: at(6n), tip, tipHashAtEndpoint: "" })).to.equal(null);
  });
});

describe("health", () => {
  const now = 1_000;
  const facts = {
    role: "leader" as Role,
    now,
    blockSeconds: 2,
    head: { number: 100n, timestamp: 999n, seenAt: now },
    tip: 100n,
  };

  it("is good while the head is recent and stored", () => {
    expect(evaluateHealth(facts)).to.deep.include({ ok: true });
  });

  it("is good for a standby instance", () => {
    expect(evaluateHealth({ ...facts, role: "standby", head: undefined, tip: undefined })).to.deep.include({
      ok: true,
    });
  });

  it("is bad, with a reason, before a block is stored, behind the head, on a stale head and without a response", () => {
    const reason = (change: Partial<typeof facts>) => {
      const health = evaluateHealth({ ...facts, ...change });
      expect(health.ok).to.equal(false);
      return health.details?.reason;
    };
    expect(reason({ role: "starting" })).to.equal("no block is stored yet");
    expect(reason({ tip: undefined as never })).to.equal("no block is stored yet");
    expect(reason({ tip: 84n })).to.equal("behind the chain's head");
    expect(reason({ head: { ...facts.head, timestamp: 900n } })).to.equal("the chain's head is stale");
    expect(reason({ head: { ...facts.head, seenAt: 900 } })).to.equal("the chain does not answer");
  });
});
