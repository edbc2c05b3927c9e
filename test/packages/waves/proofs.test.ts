import { encodeDevice } from "@ngpu/waves/claims";
import { type JudgedWave, judgedWaves, lookedAt } from "@ngpu/waves/history";
import { proofsOf } from "@ngpu/waves/proofs";
import { hardwareLimit } from "@ngpu/waves/provenHardware";
import { countedWaves } from "@ngpu/waves/rules";
import { nothing } from "@ngpu/waves/shares";
import { expect } from "chai";
import {
  claimLog,
  cpu,
  drawnFrom,
  exception,
  marketLogs,
  type Script,
  terms,
  waveLogs,
} from "./scriptedWaves.ts";

const seven = [1, 2, 3, 4, 5, 6, 7];
const base = marketLogs({ nodes: 3, measurers: 7 });
const pass: Script = { lists: Object.fromEntries(seven.map((id) => [id, []])) };
const failing = (nodeId: number): Script => ({
  lists: Object.fromEntries(seven.map((id) => [id, [exception(nodeId, 0)]])),
});
const half: Script = {
  lists: Object.fromEntries(seven.map((id) => [id, [exception(1, 210)]])),
};

function logsOf(scripts: readonly Script[], before = base) {
  const logs = [...before];
  let from = 20;
  for (const [index, script] of scripts.entries()) {
    const fill = drawnFrom(from);
    logs.push(...waveLogs(index + 1, fill, script));
    from = fill + 60;
  }
  return logs;
}

const proofsAfter = (scripts: readonly Script[]) => proofsOf(judgedWaves(logsOf(scripts), terms, 100_000n));

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

  it("looks back on as many held waves as standings do, and on so many waves, whatever came before", () => {
    const [wave] = judgedWaves(logsOf([pass]), terms, 100_000n);
    if (wave === undefined) throw new Error("No wave.");
    const none = { ...wave.verdict, held: false as const, reason: "loss" as const };
    const failing = wave.verdict.devices.map((device) => ({ ...device, outcome: "failed" as const }));
    const outcomes = (verdicts: JudgedWave["verdict"][]): JudgedWave[] =>
      verdicts.map((verdict, index) => ({
        ...wave,
        waveId: index + 1,
        blocks: { ...wave.blocks, fill: 100 + index },
        verdict,
      }));
    const allFail = { ...wave.verdict, devices: failing } as JudgedWave["verdict"];
    const passes = [wave.verdict, wave.verdict, wave.verdict];
    const old = [...passes, ...Array(countedWaves(wave.rules)).fill(allFail)];
    const lost = [...passes, ...Array(lookedAt(wave.rules)).fill(none)];
    const recent = [...passes, ...Array(lookedAt(wave.rules) - 3).fill(none)];
    for (const [verdicts, judged] of [
      [old, false],
      [lost, false],
      [recent, true],
    ] as const) {
      const all = outcomes(verdicts);
      // What SQL reads is a part of it: as many waves as are looked at, or fewer with all held ones that count.
      const parts = [all, all.slice(-lookedAt(wave.rules))];
      for (const waves of parts) expect(proofsOf(waves).isJudged(1n)).to.equal(judged);
      expect(proofsOf(all.slice(-countedWaves(wave.rules))).isJudged(1n)).to.equal(false);
    }
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

  it("is that of the cards that passed the last wave, for names that share cards in turn", () => {
    // Node 1 claims five devices on three cards, nodes 11 to 15 are five names on three boxes.
    const names = [11, 12, 13, 14, 15];
    const market = [
      ...marketLogs({ nodes: 15, measurers: 7 }),
      claimLog(1, Array(5).fill(encodeDevice(cpu)), 4),
    ];
    const turn = (wave: number): Script => {
      const isAbsent = (place: number) => (place - wave * 2 + 100) % 5 < 2;
      const list = [
        ...[0, 1, 2, 3, 4].filter(isAbsent).map((device) => ({ ...exception(1, 0), device })),
        ...names.filter((_, place) => isAbsent(place)).map((nodeId) => exception(nodeId, 0)),
      ];
      return { lists: Object.fromEntries(seven.map((id) => [id, list])) };
    };
    const judged = judgedWaves(
      logsOf(
        Array.from({ length: 15 }, (_, wave) => turn(wave)),
        market,
      ),
      terms,
      100_000n,
    );
    expect(judged.every(({ verdict }) => verdict.held)).to.equal(true);
    for (let waves = 1; waves <= judged.length; waves++) {
      const proofs = proofsOf(judged.slice(0, waves));
      for (const devices of [proofs.devicesOf(1), names.flatMap((nodeId) => [...proofs.devicesOf(nodeId)])]) {
        const bytes = devices.reduce((sum, { proven }) => sum + proven.bytes, 0n);
        expect(bytes <= 3n * cpu.figures.bytes, `after ${waves} waves`).to.equal(true);
      }
      const counted = proofs.devicesOf(1).filter(({ earns, proven }) => earns && proven.bytes > 0n);
      expect(counted.length).to.be.at.most(3);
      if (waves > 5) expect(counted.length).to.equal(3);
    }
  });

  it("is nothing of a dead device from its first wave on, though one of seven measurers omits its exception", () => {
    const dead: Script = {
      lists: Object.fromEntries(seven.map((id) => [id, id === 4 ? [] : [exception(2, 0)]])),
    };
    const market = marketLogs({ nodes: 10, measurers: 7 });
    const proofs = proofsOf(judgedWaves(logsOf([pass, pass, pass, dead], market), terms, 100_000n));
    expect(proofs.devicesOf(2)[0]).to.deep.include({ earns: false, proven: nothing });
    expect(proofs.devicesOf(3)[0]).to.include({ earns: true });
  });

  it("is nothing of a device that had no claim in the last held wave", () => {
    const market = marketLogs({ nodes: 3, measurers: 7 });
    const few: Script = { lists: { 1: [] } };
    const fourth = drawnFrom(drawnFrom(drawnFrom(drawnFrom(20) + 60) + 60) + 60);
    const logs = logsOf([pass, pass, pass, pass, few], market);
    const changes = [claimLog(1, [], fourth - 1), claimLog(1, [encodeDevice(cpu)], fourth + 1)];
    const proven = (own: typeof logs) =>
      proofsOf(judgedWaves(own, terms, 100_000n)).devicesOf(1)[0]?.proven.bytes;
    expect(proven(logs)).to.equal(cpu.figures.bytes);
    expect(proven([...logs, ...changes])).to.equal(0n);
  });

  it("is the scarcer of reads and operations, in cores", () => {
    // 1,000 GB/s would be 2,500 cores, and 30 Top/s are 7,500.
    expect(hardwareLimit(proofsAfter([pass, pass, pass]), 1, 1n, declared)?.cpuMilli).to.equal(2_500_000);
  });
});
