import { judgedWaves } from "@ngpu/waves/history";
import { proofsOf } from "@ngpu/waves/proofs";
import { hardwareLimit } from "@ngpu/waves/provenHardware";
import { expect } from "chai";
import { cpu, drawnFrom, exception, marketLogs, type Script, terms, waveLogs } from "./scriptedWaves.ts";

const seven = [1, 2, 3, 4, 5, 6, 7];
const base = marketLogs({ nodes: 3, measurers: 7 });
const pass: Script = { lists: Object.fromEntries(seven.map((id) => [id, []])) };
const failing = (nodeId: number): Script => ({
  lists: Object.fromEntries(seven.map((id) => [id, [exception(nodeId, 0)]])),
});
const half: Script = {
  lists: Object.fromEntries(seven.map((id) => [id, [exception(1, 210)]])),
};

function proofsAfter(scripts: readonly Script[]) {
  const logs = [...base];
  let from = 20;
  for (const [index, script] of scripts.entries()) {
    const fill = drawnFrom(from);
    logs.push(...waveLogs(index + 1, fill, script));
    from = fill + 60;
  }
  return proofsOf(judgedWaves(logs, terms, 100_000n));
}

const declared = { gpus: 0, gpuModel: null, vramMib: 0 };

describe("what waves proved of a node", () => {
  it("is unknown until as many waves were held since it registered as a paid device passes", () => {
    expect(proofsAfter([pass, pass]).isJudged(1n)).to.equal(false);
    const proofs = proofsAfter([pass, pass, pass]);
    expect(proofs.isJudged(1n)).to.equal(true);
    // A node that registered after the first of them has seen two.
    expect(proofs.isJudged(BigInt(drawnFrom(20)))).to.equal(false);
    expect(hardwareLimit(proofsAfter([pass, pass]), 1, 1n, declared)).to.equal(undefined);
  });

  it("limits placements to it, and a judged node without a proof to nothing", () => {
    const proofs = proofsAfter([half, half, half]);
    const memoryMib = Number((cpu.figures.bytes * 210n) / 255n / 2n ** 20n);
    expect(hardwareLimit(proofs, 1, 1n, declared)).to.include({ memoryMib, gpus: 0, vramMib: 0 });
    const failed = proofsAfter([failing(2), failing(2), failing(2)]);
    expect(hardwareLimit(failed, 2, 1n, declared)).to.deep.equal({
      gpus: 0,
      vramMib: 0,
      cpuMilli: 0,
      memoryMib: 0,
    });
    expect(hardwareLimit(failed, 9, 1n, declared)?.cpuMilli).to.equal(0);
  });

  it("is the scarcer of reads and operations, in cores", () => {
    // 1,000 GB/s would be 2,500 cores, and 30 Top/s are 7,500.
    expect(hardwareLimit(proofsAfter([pass, pass, pass]), 1, 1n, declared)?.cpuMilli).to.equal(2_500_000);
  });
});
