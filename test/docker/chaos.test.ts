import { randomInt } from "node:crypto";
import { expect } from "chai";
import { canRun, run } from "../chaos/node/index.ts";
import { runs } from "../support/runs.ts";

describe("the node client, under random kills", function () {
  this.timeout(600_000);

  before(function () {
    if (!canRun()) this.skip();
  });

  const kills = runs(3, 20);

  it(`ends with exactly the containers of its leases, and ends none without an order, ${kills} kills`, async () => {
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
