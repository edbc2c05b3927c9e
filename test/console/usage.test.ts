import { expect } from "chai";
import { barsOf, type Entry, nameOf, total } from "../../console/src/pages/usage/sums.ts";

const entry = (group: string, cost: string, tasks = 1, failed = 0): Entry => ({
  group,
  tasks,
  succeeded: tasks - failed,
  failed,
  ms: 0,
  cost,
});

describe("usage in the console", () => {
  it("sums amounts beyond what a number holds exactly", () => {
    const most = "340282366920938463463374607431768211455";
    expect(total([entry("1", most, 3, 1), entry("2", "1", 2)])).to.deep.equal({
      tasks: 5,
      failed: 1,
      cost: 2n ** 128n,
    });
  });

  it("draws days without tasks, and each other day in its share of the largest", () => {
    const bars = barsOf([entry("2026-03-01T00:00:00Z", "50"), entry("2026-02-27T00:00:00Z", "200")], "day");
    expect(bars).to.have.length(30);
    expect(bars.slice(-4)).to.deep.equal([
      { group: "2026-02-26", share: 0, cost: 0n },
      { group: "2026-02-27", share: 1, cost: 200n },
      { group: "2026-02-28", share: 0, cost: 0n },
      { group: "2026-03-01", share: 0.25, cost: 50n },
    ]);
    expect(barsOf([entry("2026-03-01T05:00:00Z", "0")], "hour").at(-1)).to.deep.equal({
      group: "2026-03-01 05:00",
      share: 0,
      cost: 0n,
    });
  });

  it("names days and hours by their time, and others as they are", () => {
    expect(nameOf("2026-03-01T05:00:00Z", "hour")).to.equal("2026-03-01 05:00");
    expect(nameOf("12", "workspace")).to.equal("12");
  });
});
