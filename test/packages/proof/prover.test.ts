import { type Prover, type ProverOptions, startProver } from "@ngpu/proof/prover";
import { auditSeedOf, seedsOf } from "@ngpu/proof/seeds";
import { layoutOf, mostLanes } from "@ngpu/proof/terms";
import { verify } from "@ngpu/proof/verify";
import { NgpuError } from "@ngpu/runtime/errors";
import { expect } from "chai";
import fc from "fast-check";
import { toHex } from "viem";
import type { Committed } from "../../../packages/proof/record.ts";
import { blockHash, claimOf } from "./claims.ts";
import { cpuDevice } from "./device.ts";
import { answerOf } from "./plainProver.ts";

/** Histories of each width. `--deep` is for the unit stage alone, so the number is small. */
const numRuns = 3;
const endless = 600_000;

const hash = fc.bigInt(0n, 2n ** 256n - 1n).map((value) => toHex(value, { size: 32 }));
const histories = fc.record({
  nodeId: fc.bigInt(0n, 2n ** 64n - 1n),
  device: fc.nat(2 ** 32 - 1),
  bytes: fc.bigInt(2n ** 23n, 2n ** 24n),
  blocks: fc.record({ fill: hash, chase: hash, work: hash, audit: hash }),
  lanes: fc.constantFrom(16, 32),
  legs: fc.integer({ min: 1, max: 3 }),
  /** One window, or several. */
  windowPages: fc.constantFrom(2 ** 24, 4_096),
});

const committedOf = ({ lanes, legs, root }: Committed): Committed => ({ lanes, legs, root });

async function refusalOf(
  options: ProverOptions,
  use: (prover: Prover) => Promise<unknown>,
): Promise<NgpuError> {
  try {
    const prover = await startProver(options);
    await use(prover).finally(prover.stop);
  } catch (error) {
    if (error instanceof NgpuError) return error;
    throw error;
  }
  return expect.fail("nothing was refused");
}

describe("a prover on OpenCL", function () {
  this.timeout(600_000);
  let device: number;
  before(async () => {
    device = await cpuDevice();
  });

  for (const width of [1, 8, 16]) {
    it(`agrees bit for bit with plain TypeScript, ${width} lanes to a work-item (${numRuns} histories)`, async () => {
      const prover = await startProver({ device, lanes: width });
      const agree = fc.asyncProperty(histories, async ({ legs, windowPages, ...given }) => {
        const claim = claimOf(given);
        const lanes = Math.min(given.lanes, mostLanes(layoutOf(claim.bytes, windowPages) ?? expect.fail()));
        const seeds = seedsOf(claim);
        await prover.fill({ seed: seeds.fill, bytes: claim.bytes, windowPages });
        const options = { lanes, legs, milliseconds: endless };
        const chase = committedOf(await prover.run("chase", { ...options, seed: seeds.chase }));
        const work = committedOf(
          await prover.run("work", {
            ...options,
            legs: 1,
            seed: seeds.work,
          }),
        );
        const plain = answerOf(claim, { chase: { lanes, legs }, work: { lanes, legs: 1 } }, {}, windowPages);
        expect({ chase, work }).to.deep.equal(plain.answer);
        const seed = auditSeedOf(claim, { chase, work });
        expect(Buffer.from(await prover.transcript(seed)).equals(plain.open(seed))).to.equal(true);
      });
      await fc.assert(agree, { numRuns }).finally(prover.stop);
    });
  }

  it("proves a memory within a time, and the proof is accepted", async () => {
    const claim = claimOf({ bytes: 2n ** 26n });
    const seeds = seedsOf(claim);
    const prover = await startProver({ device });
    try {
      const { filledBytes } = await prover.fill({ seed: seeds.fill, bytes: claim.bytes });
      expect(Number(filledBytes)).to.be.within(0.88 * 2 ** 26, 0.9 * 2 ** 26);
      const chase = await prover.run("chase", { seed: seeds.chase, milliseconds: 300 });
      const work = await prover.run("work", { seed: seeds.work, milliseconds: 300 });
      const transcript = await prover.transcript(auditSeedOf(claim, { chase, work }));
      const verdict = verify({ chase, work, transcript }, claim);
      expect(
        verdict.accepted,
        JSON.stringify(verdict, (_, value) => String(value)),
      ).to.equal(true);
    } finally {
      await prover.stop();
    }
  });

  it("refuses a machine without OpenCL, without a driver, and without the device", async () => {
    const idle = async () => undefined;
    const library = await refusalOf({ device, library: "libNoOpenCL.so.9" }, idle);
    expect(library.code).to.equal("opencl_library_missing");
    const platform = await refusalOf({ device, env: { OCL_ICD_VENDORS: "/nonexistent" } }, idle);
    expect(platform.code).to.equal("opencl_platform_missing");
    const absent = await refusalOf({ device: 60 }, idle);
    expect(absent.code).to.equal("opencl_device_missing");
    for (const { hint } of [library, platform, absent]) expect(hint).to.not.equal("");
  });

  it("refuses kernels that the driver cannot build, with the compiler's log", async () => {
    const error = await refusalOf({ device, lanes: 3 }, async () => undefined);
    expect(error.code).to.equal("opencl_build_failed");
    expect(error.details.log).to.be.a("string");
  });

  it("refuses a memory that the device does not have, or that no proof can have, and goes on", async () => {
    const prover = await startProver({ device });
    try {
      const seed = blockHash("fill");
      const codeOf = (bytes: bigint) =>
        prover.fill({ seed, bytes }).then(
          () => "filled",
          (error: NgpuError) => error.code,
        );
      expect(await codeOf(2n ** 42n)).to.equal("opencl_memory_short");
      for (const bytes of [0n, 1n, 2n ** 64n - 1n])
        expect(await codeOf(bytes)).to.equal("proof_size_invalid");
      expect(await codeOf(2n ** 22n)).to.equal("filled");
    } finally {
      await prover.stop();
    }
  });

  it("refuses steps out of order", async () => {
    const seed = blockHash("seed");
    const early = await refusalOf({ device }, (prover) => prover.transcript(seed));
    expect(early.code).to.equal("proof_step_missing");
    const empty = await refusalOf({ device }, (prover) => prover.run("chase", { seed, milliseconds: 1 }));
    expect(empty.code).to.equal("proof_step_missing");
  });

  it("reports a process that hangs, ends, cannot start or talks nonsense", async () => {
    const node = (script: string) => [process.execPath, "-e", script];
    const idle = async () => undefined;
    const hung = await refusalOf(
      { device, command: node("setInterval(() => {}, 1000)"), deadline: 200 },
      idle,
    );
    expect(hung.code).to.equal("prover_silent");
    const ended = await refusalOf(
      {
        device,
        command: node("process.stdin.once('data', () => { console.error('out of luck'); process.exit(3); })"),
      },
      idle,
    );
    expect(ended.code).to.equal("prover_ended");
    expect(ended.details.output).to.equal("out of luck");
    const killed = await refusalOf({ device, command: node("process.kill(process.pid, 'SIGKILL')") }, idle);
    expect(killed.code).to.equal("prover_ended");
    expect(killed.message).to.contain("SIGKILL");
    const absent = await refusalOf({ device, command: ["/nonexistent/prover"] }, idle);
    expect(absent.code).to.equal("prover_ended");
    const nonsense = await refusalOf(
      { device, command: node("process.stdin.on('data', () => console.log('hm'))") },
      idle,
    );
    expect(nonsense.code).to.equal("prover_answer_invalid");
  });

  it("reports a process that ends in the middle of a part, and every later step of it", async () => {
    const prover = await startProver({ device });
    const seed = blockHash("seed");
    const working = prover
      .run("work", { seed, milliseconds: endless })
      .catch((error: NgpuError) => error.code);
    await prover.stop();
    expect(await working).to.equal("prover_ended");
    const later = await prover.fill({ seed, bytes: 2n ** 22n }).catch((error: NgpuError) => error.code);
    expect(later).to.equal("prover_ended");
  });
});
