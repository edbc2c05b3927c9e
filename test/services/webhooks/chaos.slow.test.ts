import { randomInt } from "node:crypto";
import { expect } from "chai";
import { run } from "../../chaos/webhooks/index.ts";
import { temporaryDir } from "../../embedded/setup.ts";
import { runs } from "../../support/runs.ts";

describe("webhooks, under random kills", function () {
  this.timeout(420_000);

  const deliveries = runs(3_000, 20_000);

  it(`lose none of ${deliveries} deliveries, and send at most one in a hundred twice`, async () => {
    using home = temporaryDir();
    const seed = randomInt(2 ** 31);
    const { signal } = new AbortController();
    const trial = { kills: deliveries, seed, signal, progress: () => undefined, stateDir: home.path };
    const { ok, text } = await run(trial);
    expect(ok, `--deliveries ${deliveries} --seed ${seed}\n${text}`).to.equal(true);
  });
});
