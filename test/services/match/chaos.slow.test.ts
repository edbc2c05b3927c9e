import { randomInt } from "node:crypto";
import { expect } from "chai";
import { run } from "../../chaos/match/index.ts";

describe("match and dispense, under random kills", function () {
  this.timeout(420_000);

  it("keep all replicas running, without double leases or overcommitted nodes", async () => {
    const seed = randomInt(2 ** 31);
    const { ok, text } = await run({
      kills: 8,
      seed,
      signal: new AbortController().signal,
      progress: () => undefined,
    });
    expect(ok, `--kills 8 --seed ${seed}\n${text}`).to.equal(true);
  });
});
