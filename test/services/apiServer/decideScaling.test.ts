import { expect } from "chai";
import fc from "fast-check";
import {
  decideScaling,
  drainSeconds,
  liftsDrain,
  type ScalingFacts,
  type ScalingState,
  settled,
} from "../../../services/apiServer/scaling/decideScaling.ts";

const scaling = { min: 0, max: 4, target: 2, idleSeconds: 60, waitSeconds: 300 };
const facts = (given: Partial<ScalingFacts>): ScalingFacts => ({
  scaling,
  now: 1_000,
  replicas: 1,
  serving: [0, 1, 2, 3],
  stopped: false,
  demand: 0,
  oldestSentAt: null,
  ...given,
});

describe("the number of replicas of a workspace that follows its requests", () => {
  it("rises at once to what the requests need, and no higher than max", () => {
    for (const [demand, order] of [
      [1, null],
      [2, null],
      [3, 2],
      [8, 4],
      [100, 4],
    ] as const) {
      expect(decideScaling(facts({ demand }), settled)).to.deep.equal({ state: settled, order });
    }
    expect(decideScaling(facts({ replicas: 0, demand: 1 }), settled).order).to.equal(1);
    const least = { ...scaling, min: 2 };
    expect(decideScaling(facts({ scaling: least, replicas: 1 }), settled).order).to.equal(2);
  });

  it("falls after idleSeconds to the most that were needed meanwhile", () => {
    const first = decideScaling(facts({ replicas: 4, demand: 1 }), settled);
    expect(first).to.deep.equal({
      state: { lowerSince: 1_000, peak: 1, drainFrom: null, drainSince: null },
      order: null,
    });
    const busier = decideScaling(facts({ now: 1_030, replicas: 4, demand: 5 }), first.state);
    expect(busier.state).to.deep.include({ lowerSince: 1_000, peak: 3 });
    const drains = decideScaling(facts({ now: 1_060, replicas: 4 }), busier.state);
    expect(drains).to.deep.equal({
      state: { lowerSince: 1_000, peak: 3, drainFrom: 3, drainSince: 1_060 },
      order: null,
    });
    const done = facts({ now: 1_060 + drainSeconds, replicas: 4 });
    const fallen = decideScaling(done, drains.state);
    expect(fallen.order).to.equal(3);
    // The next fall has a time of its own.
    const later = facts({ now: 1_100, replicas: 3 });
    expect(decideScaling(later, fallen.state)).to.deep.equal({
      state: { lowerSince: 1_100, peak: 0, drainFrom: null, drainSince: null },
      order: null,
    });
  });

  it("waits for requests that a leaving replica may have, and not for later ones", () => {
    const state: ScalingState = { lowerSince: 900, peak: 1, drainFrom: 1, drainSince: 990 };
    const at = (oldestSentAt: number, now = 1_000) =>
      decideScaling(facts({ now, replicas: 2, demand: 1, oldestSentAt }), state).order;
    expect(at(980)).to.equal(null);
    expect(at(980, 9_000)).to.equal(null);
    expect(at(990 + drainSeconds)).to.equal(null);
    expect(at(991 + drainSeconds)).to.equal(1);
  });

  it("says when replicas that were to leave take requests again", () => {
    const from = (drainFrom: number | null) => ({ ...settled, drainFrom });
    for (const [before, after, is] of [
      [1, null, true],
      [1, 2, true],
      [1, 1, false],
      [1, 0, false],
      [null, 1, false],
      [null, null, false],
    ] as const)
      expect(liftsDrain(from(before), from(after))).to.equal(is);
  });

  it("does not fall while a replica that stays cannot serve, except to none", () => {
    const state: ScalingState = { lowerSince: 900, peak: 1, drainFrom: 1, drainSince: 900 };
    const at = (serving: number[], more: Partial<ScalingState> = {}) =>
      decideScaling(facts({ replicas: 2, serving }), { ...state, ...more });
    expect(at([0]).order).to.equal(1);
    expect(at([1])).to.deep.equal({
      state: { lowerSince: 900, peak: 1, drainFrom: null, drainSince: null },
      order: null,
    });
    expect(at([1], { drainFrom: null, drainSince: null }).state.drainFrom).to.equal(null);
    expect(at([1], { peak: 0, drainFrom: 0 }).order).to.equal(0);
    const stopAt = new Date(1_000_000).toISOString();
    const over = facts({ scaling: { ...scaling, min: 1, stopAt }, replicas: 2, serving: [] });
    expect(decideScaling(over, { ...state, peak: 0, drainFrom: 0 }).order).to.equal(0);
  });

  it("takes requests again by all replicas when they are needed before the order", () => {
    const state: ScalingState = { lowerSince: 900, peak: 0, drainFrom: 0, drainSince: 999 };
    expect(decideScaling(facts({ demand: 1 }), state)).to.deep.equal({ state: settled, order: null });
  });

  it("falls to 0 at stopAt without waiting for idleSeconds, whatever is asked", () => {
    const stopAt = new Date(1_000_000).toISOString();
    const over = facts({ scaling: { ...scaling, min: 1, stopAt }, replicas: 3, demand: 9 });
    const { state, order } = decideScaling(over, settled);
    expect([state.drainFrom, order]).to.deep.equal([0, null]);
    expect(decideScaling({ ...over, now: 1_000 + drainSeconds }, state).order).to.equal(0);
    expect(decideScaling({ ...over, now: 2_000, replicas: 0 }, settled).order).to.equal(null);
  });

  it("falls to 0 at stopAt also when the owner has stopped the workspace", () => {
    const stopAt = new Date(1_000_000).toISOString();
    const over = facts({ scaling: { ...scaling, stopAt }, replicas: 2, stopped: true });
    const { state } = decideScaling(over, settled);
    expect(decideScaling({ ...over, now: 1_000 + drainSeconds }, state).order).to.equal(0);
  });

  it("is left alone while the owner has stopped the workspace", () => {
    const state: ScalingState = { lowerSince: 900, peak: 0, drainFrom: 0, drainSince: 900 };
    expect(decideScaling(facts({ stopped: true, demand: 9 }), state)).to.deep.equal({
      state: settled,
      order: null,
    });
  });

  it("stays within its range and never falls below what is asked, in any history", () => {
    const step = fc.record({ seconds: fc.integer({ min: 1, max: 90 }), demand: fc.nat(12) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        let state = settled;
        let [now, replicas] = [1_000, 1];
        for (const { seconds, demand } of steps) {
          now += seconds;
          const next = decideScaling(facts({ now, replicas, demand }), state);
          state = next.state;
          if (next.order === null) continue;
          expect(next.order).to.be.within(scaling.min, scaling.max).and.not.to.equal(replicas);
          expect(next.order * scaling.target).to.be.at.least(Math.min(demand, scaling.max * scaling.target));
          replicas = next.order;
        }
      }),
    );
  });
});
