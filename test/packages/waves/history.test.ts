import { encodeDevice, modelHashOf } from "@ngpu/waves/claims";
import { generationIds } from "@ngpu/waves/draw";
import type { Exception } from "@ngpu/waves/exceptions";
import { historiesOf, judgedWaves } from "@ngpu/waves/history";
import { eachWave, waveOf, wavesIn } from "@ngpu/waves/waveLogs";
import { expect } from "chai";
import type { Hex } from "viem";
import { figures } from "./facts.ts";
import {
  accountOf,
  claimLog,
  cpu,
  drawnFrom,
  exception,
  logOf,
  marketLogs,
  type Script,
  terms,
  waveLogs,
} from "./scriptedWaves.ts";

const none = (ids: readonly number[]): Script["lists"] => Object.fromEntries(ids.map((id) => [id, []]));
const seven = [1, 2, 3, 4, 5, 6, 7];
const zero = `0x${"0".repeat(40)}`;
const base = marketLogs({ nodes: 10, measurers: 7 });

const setRules = {
  rules: {
    drawn: 5,
    quorum: 3,
    spare: 1,
    leastMemory: 1,
    leastBandwidth: 2,
    leastArithmetic: 3,
    counted: 4,
    passes: 2,
    lossPermille: 9,
    keptWaves: 8,
  },
};

/** So many waves, one after the other, each with its script. */
function waves(scripts: readonly Script[], before = base) {
  let from = 20;
  const logs = [...before];
  for (const [index, script] of scripts.entries()) {
    const fill = drawnFrom(from);
    logs.push(...waveLogs(index + 1, fill, script));
    from = fill + 60;
  }
  return logs;
}

describe("a wave from logs", () => {
  it("challenges what keys claimed before its first block, and nothing that came in it or after", () => {
    const fill = drawnFrom(20);
    const [early, late] = [
      claimLog(3, [], fill - 1),
      claimLog(4, [encodeDevice(cpu), encodeDevice(cpu)], fill),
    ];
    const wave = waveOf([...base, early, late, ...waveLogs(1, fill, { lists: none(seven) })], 1, terms);
    expect(wave?.challenged.map(({ nodeId }) => nodeId)).to.deep.equal([1, 2, 4, 5, 6, 7, 8, 9, 10]);
  });

  it("draws the measurers of its own generation alone, which its contract knows", () => {
    const first = generationIds + 1;
    const successors = [0, 1, 2, 3, 4, 5, 6].map((place) => first + place);
    const logs = successors.flatMap((measurerId) => [
      logOf("MeasurerRegistered", { measurerId, key: accountOf(`next ${measurerId}`), wallet: zero }, 4),
      logOf("MeasurerAdmissionSet", { measurerId, admitted: true }, 4),
    ]);
    const fill = drawnFrom(20);
    const drawnIn = (waveId: number, ids: readonly number[]) =>
      waveOf([...base, ...logs, ...waveLogs(waveId, fill, { lists: none(ids) })], waveId, terms)
        ?.drawn.map(({ measurerId }) => measurerId)
        .sort((a, b) => a - b);
    expect(drawnIn(1, seven)).to.deep.equal(seven);
    expect(drawnIn(generationIds, seven)).to.deep.equal(seven);
    expect(drawnIn(first, successors)).to.deep.equal(successors);
  });

  it("challenges the claim with the latest deadline, in whatever order two generations log them", () => {
    const words = [encodeDevice(cpu), encodeDevice(cpu)];
    const claims = [
      logOf("HardwareClaimed", { nodeId: 3, devices: words, deadline: 9n }, 5),
      logOf("HardwareClaimed", { nodeId: 3, devices: [], deadline: 8n }, 6),
    ];
    const fill = drawnFrom(20);
    for (const ordered of [claims, claims.toReversed()]) {
      const logs = [...base, ...ordered, ...waveLogs(1, fill, { lists: none(seven) })];
      const devices = waveOf(logs, 1, terms)?.challenged.filter(({ nodeId }) => nodeId === 3);
      expect(devices?.length).to.equal(2);
    }
  });

  it("hears drawn measurers alone, of distinct operators, whose list is published", () => {
    const wallet = accountOf("one owner");
    const twins = [8, 9].flatMap((measurerId) => [
      logOf("MeasurerRegistered", { measurerId, key: accountOf(`m${measurerId}`), wallet }, 4),
      logOf("MeasurerAdmissionSet", { measurerId, admitted: true }, 4),
    ]);
    const logs = waves([{ lists: none([...seven, 8, 9]) }], [...base, ...twins]);
    const wave = waveOf(logs, 1, terms);
    expect(wave?.drawn.length).to.equal(7);
    expect(wave?.drawn.filter(({ operator }) => operator === wallet).length).to.be.at.most(1);
    expect(wave?.statements.map(({ measurerId }) => measurerId)).to.have.members(
      wave?.drawn.map(({ measurerId }) => measurerId) ?? [],
    );
    const unpublished = logs.filter(({ name }) => name !== "ExceptionsPublished");
    expect(waveOf(unpublished, 1, terms)?.statements).to.deep.equal([]);
  });

  it("names the measurers that committed and did not reveal", () => {
    const wave = waveOf(waves([{ lists: none([1, 2, 3, 4]), withholding: [5, 6] }]), 1, terms);
    expect(wave?.withheld).to.have.members([5, 6]);
    expect(wave?.statements.length).to.equal(4);
  });

  it("leads a measurer with a node's key to that node's wallet", () => {
    const wallet = accountOf("owner of node 1");
    const own = [
      logOf("NodeWalletSet", { nodeId: 1, wallet }, 4),
      logOf(
        "MeasurerRegistered",
        { measurerId: 1, key: accountOf("measurer 1"), wallet: accountOf("node 1") },
        5,
      ),
    ];
    const wave = waveOf(waves([{ lists: none(seven) }], [...base, ...own]), 1, terms);
    expect(wave?.drawn.find(({ measurerId }) => measurerId === 1)?.operator).to.equal(wallet);
    expect(wave?.challenged[0]?.operator).to.equal(wallet);
  });

  it("knows the nodes that a tenant has", () => {
    const lease = { workspaceId: 1n, replica: 0, lease: 1, nodeId: 2 };
    const [assigned, released] = [logOf("Assigned", lease, 5), logOf("Released", lease, 6)];
    const leasedIn = (logs: typeof base) =>
      waveOf(waves([{ lists: none(seven) }], logs), 1, terms)
        ?.challenged.filter(({ leased }) => leased)
        .map(({ nodeId }) => nodeId);
    expect(leasedIn([...base, assigned])).to.deep.equal([2]);
    expect(leasedIn([...base, assigned, released])).to.deep.equal([]);
  });

  it("has the rules that were set before it", () => {
    const { rules } = setRules;
    const wave = waveOf(
      waves([{ lists: none(seven) }], [...base, logOf("WaveRulesSet", { rules }, 9)]),
      1,
      terms,
    );
    expect(wave?.rules).to.deep.include({
      drawn: 5,
      least: { memory: 1, bandwidth: 2, arithmetic: 3 },
      keptWaves: 8,
    });
    expect(wave?.drawn.length).to.equal(5);
  });
});

describe("histories of devices", () => {
  const silent = (nodeId: number): Script => ({
    lists: Object.fromEntries(seven.map((id) => [id, [exception(nodeId, 0)]])),
  });
  const pass: Script = { lists: none(seven) };

  it("count waves that were held, and no others", () => {
    const lost: Script = {
      lists: Object.fromEntries(seven.map((id) => [id, [1, 2, 3, 4].map((nodeId) => exception(nodeId, 0))])),
    };
    const few: Script = { lists: none([1, 2]) };
    const logs = waves([pass, lost, few, pass, silent(1), pass]);
    const judged = judgedWaves(logs, terms, 10_000n);
    expect(wavesIn(logs).length).to.equal(6);
    expect(judged.map(({ verdict }) => verdict.held)).to.deep.equal([true, false, false, true, true, true]);
    const histories = historiesOf(judged);
    expect(histories.get("1/0")?.standing).to.include({ paid: true, passed: 3, waves: 4 });
    expect(histories.get("1/0")?.verdicts.map(({ outcome }) => outcome)).to.deep.equal([
      "passed",
      "passed",
      "failed",
      "passed",
    ]);
  });

  it("are not stopped by silent names that never passed, and are stopped by known nodes that fail", () => {
    const failing = (ids: readonly number[]): Script => ({
      lists: Object.fromEntries(seven.map((id) => [id, ids.map((nodeId) => exception(nodeId, 0))])),
    });
    const silentNames = failing([5, 6, 7, 8, 9, 10]);
    const known = failing([1, 2, 5, 6, 7, 8, 9, 10]);
    const all = failing([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    const judged = judgedWaves(waves([all, silentNames, silentNames, known, silentNames]), terms, 10_000n);
    expect(judged.map(({ verdict }) => verdict.held)).to.deep.equal([false, true, true, false, true]);
    const histories = historiesOf(judged);
    expect(histories.get("1/0")?.standing).to.include({ paid: true, passed: 3 });
    expect(histories.get("5/0")?.standing).to.include({ paid: false, passed: 0 });
  });

  it("are not stopped by names that prove little and fail much, nor by names that pass in turn", () => {
    const tiny = { ...cpu, figures: { ...figures, bytes: 4n * 2n ** 20n } };
    const absent = {
      figures,
      hardware: { kind: "gpu" as const, modelHash: modelHashOf("NVIDIA H100 PCIe") },
    };
    const names = Array.from({ length: 9 }, (_, index) => 11 + index);
    const market = marketLogs({ nodes: 19, measurers: 7 });
    const claims = (devices: readonly Hex[]) => names.map((nodeId) => claimLog(nodeId, [...devices], 4));
    const each = (list: readonly Exception[]): Script => ({
      lists: Object.fromEntries(seven.map((id) => [id, list])),
    });
    const heldOf = (before: typeof base, scripts: readonly Script[]) =>
      judgedWaves(waves(scripts, before), terms, 10_000n).map(({ verdict }) => verdict.held);

    const absentCards = each(names.map((nodeId) => ({ ...exception(nodeId, 0), device: 1 })));
    const cards = [...market, ...claims([encodeDevice(tiny), encodeDevice(absent)])];
    expect(heldOf(cards, Array(8).fill(absentCards))).to.deep.equal(Array(8).fill(true));

    const turn = (wave: number) =>
      each(names.filter((nodeId) => nodeId % 5 !== wave % 5).map((nodeId) => exception(nodeId, 0)));
    const turns = Array.from({ length: 12 }, (_, wave) => turn(wave));
    expect(heldOf([...market, ...claims([encodeDevice(tiny)])], turns)).to.deep.equal(Array(12).fill(true));
    // Nine names of whole cards for ten honest ones: two cards that answer in turn are two of twelve.
    expect(heldOf(market, turns)).to.deep.equal(Array(12).fill(true));
  });

  it("take the waves of a later generation after those of an earlier one", () => {
    const late = waveLogs(1, drawnFrom(200), pass);
    const next = waveLogs(generationIds + 1, drawnFrom(20), pass);
    expect(wavesIn([...base, ...next, ...late])).to.deep.equal([1, generationIds + 1]);
  });

  it("are the same from one pass over the logs as from all logs for each wave, in time that grows with the logs", () => {
    const { rules } = setRules;
    const logs = waves(Array.from({ length: 12 }, (_, wave) => (wave % 3 === 0 ? silent(1) : pass)));
    const between = logs
      .filter(({ name }) => name === "WaveOpened")
      .map(({ args }) => Number(args.fillBlock));
    const [first = 0, second = 0] = between.slice(4, 6);
    const changes = [
      claimLog(4, [encodeDevice(cpu), encodeDevice(cpu)], first - 1),
      logOf("Assigned", { workspaceId: 1n, replica: 0, lease: 1, nodeId: 2 }, first),
      logOf("MeasurerAdmissionSet", { measurerId: 3, admitted: false }, second - 1),
      logOf("WaveRulesSet", { rules }, second),
    ];
    const all = [...logs, ...changes];
    const each = [...eachWave(all, terms)];
    expect(each).to.deep.equal(wavesIn(all).map((waveId) => waveOf(all, waveId, terms)));

    let read = 0;
    const counted = waves(Array(60).fill(pass)).map((log) => {
      const { block, ...others } = log;
      return {
        ...others,
        get block() {
          read += 1;
          return block;
        },
      };
    });
    expect([...eachWave(counted, terms)].length).to.equal(60);
    // Twice the logs would read four times as often if each wave looked at all of them.
    expect(read).to.be.lessThan(10 * counted.length);
  });

  it("judge no wave before its reveals have ended", () => {
    const logs = waves([pass]);
    const { revealed } = waveOf(logs, 1, terms)?.blocks ?? { revealed: 0 };
    expect(judgedWaves(logs, terms, BigInt(revealed - 1))).to.deep.equal([]);
    expect(judgedWaves(logs, terms, BigInt(revealed)).length).to.equal(1);
  });

  it("use evidence of a wave for the devices that it shows", () => {
    const logs = waves([silent(1)]);
    const evidence = new Map([[1, new Map([["1/0", { memory: 255, bandwidth: 230, arithmetic: 255 }]])]]);
    const [judged] = judgedWaves(logs, terms, 10_000n, evidence);
    expect(judged?.verdict.devices[0]).to.include({ outcome: "passed" });
  });
});
