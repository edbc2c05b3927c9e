import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { goals } from "../bench/gas/goals.ts";
import { measureActs } from "../bench/gas/measure.ts";

/** Gas per unit of the acts in the snapshot: `npm run bench -- gas --snapshot` writes a new one. */
const snapshotFile = join(import.meta.dirname, "gas.snapshot.json");
const allowedRise = 1.05;

describe("Gas", () => {
  it("of no act rises by more than 5% over the snapshot, and each act is in it", async function () {
    this.timeout(180_000);
    const snapshot = JSON.parse(readFileSync(snapshotFile, "utf8")) as Record<string, number>;
    const costs = await measureActs();
    expect(Object.keys(snapshot)).to.have.members(Object.keys(costs));
    const risen = Object.entries(costs)
      .filter(([act, { gas }]) => gas > (snapshot[act] ?? 0) * allowedRise)
      .map(([act, { gas }]) => `${act}: ${snapshot[act]} → ${gas}`);
    expect(risen).to.deep.equal([]);
  });

  it("has a goal only for measured acts", () => {
    const snapshot = JSON.parse(readFileSync(snapshotFile, "utf8")) as Record<string, number>;
    expect(Object.keys(snapshot)).to.include.members(Object.keys(goals));
  });
});
