import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createBlockClock } from "@ngpu/audit/chainHistory";
import { readJudgedWaves } from "@ngpu/audit/waveHistory";
import { createWaveProofs } from "@ngpu/queries/judgedWaves";
import { readWave, readWaves } from "@ngpu/queries/waves";
import { proofsOf } from "@ngpu/waves/proofs";
import { waveVerdict } from "@ngpu/waves/verdict";
import { expect } from "chai";
import { runs } from "../../../support/runs.ts";
import { eventually } from "../../support/context.ts";
import { joinMeasurer } from "../client.ts";
import { type Match, setupMatch, type TestMatch } from "../setup.ts";
import { type MeasurerProcess, startMeasurer } from "./measurer.ts";
import { startMiner } from "./miner.ts";
import { claimed, joinProvingNode, type ProvingNode } from "./provingNode.ts";

/** Blocks of a second. */
const waves = {
  stride: 1,
  chance: 2,
  fillBlocks: 12,
  chaseBlocks: 20,
  workBlocks: 16,
  commitBlocks: 12,
  revealBlocks: 12,
};

const stages = ["opened", "chase", "answers", "results"] as const;

describe("match: waves of the proof of hardware", function () {
  this.timeout(1_200_000);
  let test: TestMatch;
  let instances: Match[];
  let stopMiner: () => Promise<void>;
  let node: ProvingNode;
  let measurer: MeasurerProcess;
  let measuring: Parameters<typeof startMeasurer>[1];
  let dir: string;

  before(async () => {
    test = await setupMatch({ waves });
    stopMiner = await startMiner(test.market);
    instances = [await start(), await start()];
    const urls = () => instances.map(({ url }) => url);
    const joined = await joinMeasurer(urls()[0] ?? "", test.market.deployment);
    joined.peer.vanish();
    dir = mkdtempSync(join(tmpdir(), "ngpu-waves-"));
    measuring = { account: joined.peer.account, urls, dir };
    measurer = startMeasurer(test.market, measuring);
    node = await joinProvingNode(test.market, urls);
  });

  after(async () => {
    await measurer?.stop();
    await node?.stop();
    await stopMiner?.();
    await test?.stop();
    if (dir !== undefined) rmSync(dir, { recursive: true });
  });

  let started = 0;
  const start = () => {
    started += 1;
    return test.startMatch(`match-${started}`, { PROBE_PORTS: "24200-24219" });
  };

  /** Kills the instance that leads, which the other one follows, and the measurer. Both start again. */
  async function killAll(): Promise<void> {
    const [first] = instances.splice(0, 1);
    await first?.kill();
    await measurer.stop();
    measurer = startMeasurer(test.market, measuring);
    instances.push(await start());
  }

  const newest = async () => {
    const { rows } = await test.db.query<{ wave: number | null }>(
      "select max(wave_id)::float8 as wave from chain.wave",
    );
    return rows[0]?.wave ?? 0;
  };
  const stageOf = async (waveId: number) => {
    const { rows } = await test.db.query<{ stage: string }>(
      "select stage from chain.wave_measurer where wave_id = $1",
      [waveId],
    );
    return rows[0]?.stage;
  };
  const judged = async (waveId: number) => {
    const { rows } = await test.db.query<{ verdict: string | null; passed: number; failed: number }>(
      "select verdict, passed, failed from app.wave where wave_id = $1",
      [waveId],
    );
    return rows[0]?.verdict == null ? undefined : rows[0];
  };
  /** The wave after the present ones, once it is opened and the node is challenged. */
  const nextWave = async () => {
    const before = await newest();
    return eventually(
      "another wave",
      async () => ((await newest()) > before ? newest() : undefined),
      300_000,
    );
  };

  /** Tries waves until one is held: a machine that is too busy proves nothing in time, which is no verdict. */
  async function heldWave(act: (waveId: number) => Promise<void>): Promise<number> {
    const verdicts: unknown[] = [];
    for (let tries = 0; tries < 4; tries += 1) {
      const waveId = await nextWave();
      await act(waveId);
      const verdict = await eventually("a verdict", () => judged(waveId), 300_000);
      verdicts.push(verdict, ...node.failures.splice(0), ...measurer.log.splice(0));
      if (verdict.verdict === "held") return waveId;
    }
    throw new Error(`No wave was held: ${JSON.stringify(verdicts)}`);
  }

  /** Kills match and the measurer once a wave is at a stage. */
  const killedAt = (stage: (typeof stages)[number]) => async (waveId: number) => {
    const reached = async () => stage === "opened" || (await stageOf(waveId)) === stage || judged(waveId);
    await eventually(`the stage ${stage}`, async () => Boolean(await reached()), 300_000);
    await killAll();
  };

  it("judges a wave though match and the measurer are killed once results are sent", async () => {
    const waveId = await heldWave(killedAt("results"));
    expect(await judged(waveId)).to.deep.equal({ verdict: "held", passed: 1, failed: 0 });
    expect(await stageOf(waveId)).to.equal("revealed");
    const row = (await readWaves(test.db, 10n ** 9n, { before: waveId + 1, limit: 1 }))[0];
    expect(row?.auditHash).to.match(/^0x/);
    if (row === undefined) return;
    const wave = await readWave(test.db, row, test.market.deployment.parameters.waves);
    const verdict = waveVerdict(wave, wave.rules);
    expect(verdict.devices[0]).to.include({ nodeId: node.nodeId, device: 0, outcome: "passed" });
    expect(wave.statements).to.have.length(1);
    const terms = test.market.deployment.parameters.waves;
    const proofs = createWaveProofs(terms);
    const before = await proofs.upTo(test.db, BigInt(wave.blocks.revealed - 1));
    const after = await proofs.upTo(test.db, BigInt(wave.blocks.revealed));
    const [device] = after.devicesOf(node.nodeId);
    // One wave is less than a device has to pass before it earns.
    expect(device).to.include({ kind: "cpu", earns: false });
    expect(device?.claimed).to.deep.equal(claimed.figures);
    // The same as from the logs alone.
    const clock = createBlockClock(test.market.client, BigInt(wave.blocks.revealed));
    const upTo = BigInt(wave.blocks.revealed);
    const logs = proofsOf(await readJudgedWaves(test.market.client, test.market.deployment, { upTo, clock }));
    expect(logs.devicesOf(node.nodeId)).to.deep.equal(after.devicesOf(node.nodeId));
    expect(before.devicesOf(node.nodeId).length).to.be.at.most(1);
  });

  // Each kill costs a wave or two: only `npm test -- --deep` has these.
  for (const stage of stages.slice(0, runs(0, stages.length))) {
    it(`goes on where match and the measurer are killed once the wave is at ${stage}`, async () => {
      const waveId = await heldWave(killedAt(stage));
      expect(await judged(waveId)).to.deep.equal({ verdict: "held", passed: 1, failed: 0 });
      expect(await stageOf(waveId)).to.equal("revealed");
    });
  }
});
