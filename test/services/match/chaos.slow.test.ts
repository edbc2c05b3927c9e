import { randomInt } from "node:crypto";
import { expect } from "chai";
import { run } from "../../chaos/match/index.ts";
import { runs } from "../../support/runs.ts";

describe("match and dispense, under random kills", function () {
  this.timeout(420_000);

  const kills = runs(3, 8);

  it(`keep all replicas running, without double leases or overcommitted nodes, ${kills} kills`, async () => {
    const seed = randomInt(2 ** 31);
    const { ok, text } = await run({
      kills,
      seed,
      signal: new AbortController().signal,
      progress: () => undefined,
    });
    expect(ok, `--kills ${kills} --seed ${seed}\n${text}`).to.equal(true);
  });
});
