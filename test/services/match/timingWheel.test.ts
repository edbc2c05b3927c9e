import { expect } from "chai";
import fc from "fast-check";
import { batch } from "../../../services/match/sessions/batch.ts";
import { createTimingWheel } from "../../../services/match/sessions/timingWheel.ts";

describe("match: the timing wheel", () => {
  it("calls back once per entry, at its time or a tick later, for any steps", () => {
    const delays = fc.array(fc.integer({ min: 1, max: 3_000 }), { maxLength: 50 });
    const turns = fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(delays, turns, (requested, steps) => {
        const seen: number[] = [];
        let now = 1_000_000;
        const timingWheel = createTimingWheel<number>({ tickMs: 100, ticks: 64, now }, (position, at) => {
          seen.push(position);
          const late = at - (1_000_000 + (requested[position] ?? 0));
          expect(late).to.be.at.least(-99);
          expect(late).to.be.at.most(100 + 700);
        });
        for (const [position, delay] of requested.entries()) timingWheel.add(position, delay);
        const after = Array.from({ length: 40 }, () => 100);
        for (const step of [...steps, ...after]) {
          now += step;
          timingWheel.advance(now);
        }
        expect(seen.sort((a, b) => a - b)).to.deep.equal(requested.map((_delay, position) => position));
      }),
    );
  });

  it("calls back for an entry that is added again when it is due", () => {
    let rounds = 0;
    const timingWheel = createTimingWheel<string>({ tickMs: 10, ticks: 8, now: 0 }, (entry) => {
      rounds += 1;
      if (rounds < 3) timingWheel.add(entry, 1);
    });
    timingWheel.add("again", 10);
    for (let now = 0; now <= 200; now += 10) timingWheel.advance(now);
    expect(rounds).to.equal(3);
  });
});

describe("match: batches", () => {
  it("runs concurrent calls as one batch, and returns each call's result", async () => {
    const batches: number[][] = [];
    const double = batch(5, async (items: number[]) => {
      batches.push(items);
      return items.map((item) => 2 * item);
    });
    expect(await Promise.all([double(1), double(2), double(3)])).to.deep.equal([2, 4, 6]);
    expect(await double(4)).to.equal(8);
    expect(batches).to.deep.equal([[1, 2, 3], [4]]);
  });

  it("fails all calls of a batch, and continues", async () => {
    let fail = true;
    const act = batch(5, async (items: string[]) => {
      if (fail) throw new Error("no");
      return items;
    });
    const results = await Promise.allSettled([act("a"), act("b")]);
    expect(results.map(({ status }) => status)).to.deep.equal(["rejected", "rejected"]);
    fail = false;
    expect(await act("c")).to.equal("c");
  });
});
