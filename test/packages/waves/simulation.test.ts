import { type SimulationReport, simulate } from "@ngpu/waves/simulation/report";
import { expect } from "chai";
import { cpuDevice, gpuDevice, modelNamed } from "../../../packages/waves/simulation/devices.ts";
import { mostAtOnce, passesAlone } from "../../../packages/waves/simulation/liars.ts";
import { claimOf } from "../../../packages/waves/simulation/market.ts";
import {
  chanceOf,
  examples,
  falseRounds,
  thresholdsOf,
  unprovenModels,
  voidRounds,
} from "../../../packages/waves/simulation/thresholds.ts";

const rates = { bandwidth: 0.1, arithmetic: 0.05 };

describe("a simulation of waves", function () {
  this.timeout(120_000);
  let report: SimulationReport;
  before(() => {
    report = simulate({ nodes: 150, waves: 12, seed: 1 });
  });
  const liars = (pattern: RegExp) => report.liars.filter(({ kind }) => pattern.test(kind));

  it("follows from its seed alone", () => {
    const short = { nodes: 20, waves: 2, seed: 7 };
    expect(simulate(short)).to.deep.equal(simulate(short));
  });

  it("pays ordinary honest nodes of every kind for what they claim, in each of 1,800 waves", () => {
    expect(report.held).to.be.greaterThan(9);
    expect(report.honest.map(({ kind }) => kind)).to.have.members([
      "one GPU",
      "several GPUs",
      "mixed GPUs",
      "MIG slices",
      "CPU only",
    ]);
    expect(report.underProvenPer10000).to.equal(0);
  });

  it("never pays two names that each claim a box, nor seven tenths of it", () => {
    const shared = liars(/^2 names that claim (0.7|0.85|1) of a box each$/);
    expect(shared).to.have.length(3);
    for (const { kind, mostPaid } of shared) expect(mostPaid, kind).to.be.at.most(1);
    expect(liars(/^10 names/).map(({ mostPaid }) => mostPaid)).to.deep.equal([0]);
  });

  it("never pays more than the filled memory of a box, whatever its names", () => {
    for (const { kind, mostShare } of liars(/claim|memory/)) expect(mostShare, kind).to.be.at.most(1 / 0.9);
  });

  it("pays nothing for twice the memory, made up or on a fast disk", () => {
    const doubled = liars(/^2 of the memory/);
    expect(doubled).to.have.length(2);
    for (const { kind, mostPaid } of doubled) expect(mostPaid, kind).to.equal(0);
  });

  it("cannot see memory that is lent between waves", () => {
    expect(liars(/lent/).map(({ mostPaid }) => mostPaid)).to.deep.equal([1]);
  });

  it("never pays two names that have a box in turn, however long, nor while they rent themselves", () => {
    const inTurn = liars(/^2 names that (rent themselves|have a box)/);
    expect(inTurn).to.have.length(3);
    for (const { kind, mostPaid } of inTurn) expect(mostPaid, kind).to.equal(1);
  });

  it("pays 53 names on 52 boxes for what the boxes prove, and a 52nd", () => {
    const [absentees] = liars(/^53 names/);
    expect(absentees?.mostPaid).to.equal(53);
    expect(absentees?.mostShare).to.be.at.most(53 / 52);
  });

  it("is not stopped by silent names, and keeps what was proven when measurers omit or withhold", () => {
    const sweep = (condition: string) => report.sweeps.find((own) => own.condition === condition);
    // One node that had no connection in one wave is 56 of 10,000.
    expect(sweep("35% of the names never answer")?.per10000).to.be.at.most(60);
    expect(sweep("25% of the names never answer")).to.deep.include({ per10000: 0 });
    // A node that missed a wave before has no excuse: two of 15 are 1,333 of 10,000.
    expect(sweep("2 of 7 measurers omit every answer")?.per10000).to.be.at.most(1_400);
    expect(sweep("30% of all measurers omit every answer")?.per10000).to.be.at.most(1_400);
    expect(sweep("2 of 7 measurers withhold their results")).to.deep.include({ per10000: 0 });
    expect(sweep("4 of 7 measurers withhold their results")).to.deep.include({ held: 0, per10000: 0 });
  });
});

describe("the thresholds of waves", () => {
  for (const example of examples) {
    it(`leave ${example.name} room for other work, and none for a second name`, () => {
      const { chaseSeconds, load, sharedPart, claimProven } = thresholdsOf(example);
      expect(chaseSeconds).to.be.lessThan(60);
      expect(load).to.be.greaterThan(0.1);
      expect(sharedPart).to.be.lessThan(0.65);
      expect(claimProven).to.be.at.most(1.11);
    });
  }

  it("let fewer names pass the more of a box each claims", () => {
    const device = gpuDevice(modelNamed("NVIDIA A100-SXM4-80GB"));
    const most = (size: number) => mostAtOnce(claimOf(device, device.memoryBytes * size, rates), 10);
    expect([0.1, 0.25, 0.5, 0.7, 1].map(most)).to.deep.equal([10, 4, 2, 1, 1]);
  });

  it("let a disk pass for memory where it is faster than the declared cores make pages", () => {
    const device = cpuDevice(2, 8);
    expect(passesAlone(device, 2, 4_000_000)).to.equal(false);
    expect(passesAlone(device, 2, 6_000_000)).to.equal(true);
  });

  it("name the models whose random reads may be too slow for their arithmetic", () => {
    expect(unprovenModels()).to.deep.equal([]);
    expect(unprovenModels(0.45)).to.include.members(["NVIDIA L40S", "NVIDIA L4"]);
  });

  it("pass a lie of 30% colluding measurers in 0.38% of the waves", () => {
    expect(chanceOf(6, 7, 0.3)).to.be.closeTo(0.0038, 0.0001);
  });

  it("end 0.13% of the rounds of 7 of 8 falsely if 30% of all measurers collude, and no more if the keeper does", () => {
    const rules = { draws: 8, quorum: 7, colluding: 0.3 };
    expect(falseRounds({ ...rules, keeperDrops: false })).to.be.closeTo(0.00129, 0.00001);
    expect(falseRounds({ ...rules, keeperDrops: true })).to.be.closeTo(0.00129, 0.00001);
    expect(voidRounds(rules)).to.be.closeTo(0.7434, 0.0001);
  });

  it("end more rounds falsely with a lower quorum, as ADR 63 states them", () => {
    const of = (draws: number, quorum: number) =>
      [false, true].map((keeperDrops) => falseRounds({ draws, quorum, colluding: 0.3, keeperDrops }));
    expect(of(5, 3).map((chance) => chance.toFixed(4))).to.deep.equal(["0.0308", "0.1631"]);
    expect(of(8, 5).map((chance) => chance.toFixed(4))).to.deep.equal(["0.0013", "0.0580"]);
    expect(chanceOf(4, 8, 0.3)).to.be.closeTo(0.1941, 0.0001);
  });
});
