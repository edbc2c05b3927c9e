import { randomInt } from "node:crypto";
import { join } from "node:path";
import { expect } from "chai";
import { run } from "../../chaos/export/index.ts";
import { startInstances } from "../../chaos/export/instances.ts";
import { startTestBed } from "../../chaos/export/testBed.ts";
import { randomFrom } from "../../packages/chain-reader/scriptedChain.ts";
import { testStateDir } from "../../support/parts.ts";
import { runs } from "../../support/runs.ts";
import { until } from "./setup.ts";

describe("autoExport's processes", function () {
  this.timeout(600_000);

  // The short form of `npm run chaos -- export`.
  const [kills, killsPerRestart] = [runs(4, 8), runs(2, 3)];

  it(`lose nothing, store nothing twice and leave no gap when they are killed while endpoints and Postgres fail, ${kills} kills`, async () => {
    const seed = Number(process.env.TEST_SEED ?? randomInt(2 ** 31));
    process.stdout.write(`    TEST_SEED=${seed}\n`);
    const { ok, figures, text } = await run({
      kills,
      killsPerRestart,
      seed,
      signal: new AbortController().signal,
      progress: () => undefined,
      stateDir: join(await testStateDir(), "chaos-export"),
    });
    expect(ok, text).to.equal(true);
    expect(figures.postgresRestarts).to.equal(2);
    expect(figures.eventsOnChain).to.be.greaterThan(0);
  });

  it("take over within five seconds of a kill -9, without a gap", async () => {
    const stateDir = join(await testStateDir(), "takeover");
    const testBed = await startTestBed(stateDir, randomFrom(5));
    const instances = startInstances({
      count: 2,
      env: testBed.env,
      logFile: join(stateDir, "autoExport.log"),
    });
    const stored = async () => {
      const { hash } = await testBed.market.head();
      return async () => (await testBed.tip())?.hash === hash;
    };
    try {
      await testBed.market.mine(30, 5);
      await until("all is stored", await stored(), 120_000);
      await until(
        "the other instance is standby",
        async () => instances.others().some(({ role }) => role === "standby"),
        60_000,
      );
      const leader = instances.leader();
      if (leader === undefined) throw new Error("There is no leader.");
      instances.kill(leader);
      await testBed.market.mine(1, 5);
      await until("the other stores the next block", await stored(), 5_000);
      expect(await testBed.gaps()).to.equal(0n);
    } finally {
      await instances.stop();
      await testBed.stop();
    }
  });
});
