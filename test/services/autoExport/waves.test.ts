import type { AbiName } from "@ngpu/contracts-sdk/abis";
import { readWave, readWaves } from "@ngpu/queries/waves";
import { encodeDevice } from "@ngpu/waves/claims";
import type { WaveLog } from "@ngpu/waves/types";
import { waveEvents, waveOf } from "@ngpu/waves/waveLogs";
import { expect } from "chai";
import { eventLog, previousContracts } from "../../packages/chain-reader/scriptedChain.ts";
import {
  accountOf,
  claimLog,
  cpu,
  drawnFrom,
  exception,
  logOf,
  marketLogs,
  terms,
  waveLogs,
} from "../../packages/waves/scriptedWaves.ts";
import { useExportedChain } from "./exportedChain.ts";
import { spec, word } from "./fixtures.ts";

/** The arguments that waves do not depend on. */
const others: Record<string, object> = {
  NodeRegistered: { spec: spec(1), pricePerSecond: 1n, gpuName: "", gpuUuids: [] },
  MeasurerRegistered: { region: "0x4652" },
  Assigned: {
    fence: word(1, 8),
    pricePerSecond: 1n,
    start: true,
    decidedAt: 1n,
    position: 0,
    excluded: "0x",
  },
  Released: { reason: 1 },
};

function contractOf(name: string): AbiName {
  const found = Object.entries(waveEvents).find(([, names]) => (names as readonly string[]).includes(name));
  if (found === undefined) throw new Error(`No contract has ${name}.`);
  return found[0] as AbiName;
}

/** The logs by block, from block 1 to the last one. */
function blocksOf(logs: readonly WaveLog[]) {
  const last = Math.max(...logs.map(({ block }) => Number(block)));
  return Array.from({ length: last }, (_, index) =>
    logs
      .filter(({ block }) => Number(block) === index + 1)
      .map(({ name, args }) => eventLog(contractOf(name), name, { ...args, ...others[name] })),
  );
}

describe("waves in the exported chain", function () {
  this.timeout(120_000);
  const { mined, db, current } = useExportedChain();

  it("are those that follow from the logs", async () => {
    const fill = drawnFrom(20);
    const seven = [1, 2, 3, 4, 5, 6, 7];
    const lease = { workspaceId: 1n, replica: 0, lease: 1, nodeId: 2 };
    const rules = {
      drawn: 6,
      quorum: 3,
      spare: 1,
      leastMemory: 200,
      leastBandwidth: 100,
      leastArithmetic: 50,
      counted: 4,
      passes: 2,
      lossPermille: 250,
      keptWaves: 8,
    };
    const logs = [
      ...marketLogs({ nodes: 5, measurers: 8 }),
      logOf("NodeWalletSet", { nodeId: 1, wallet: accountOf("owner") }, 4),
      logOf("NodeKeySet", { nodeId: 3, key: accountOf("new key") }, 4),
      logOf("MeasurerAdmissionSet", { measurerId: 8, admitted: false }, 5),
      logOf("Assigned", lease, 5),
      logOf("WaveRulesSet", { rules }, 6),
      // In the first block: too late.
      claimLog(4, [encodeDevice(cpu), encodeDevice(cpu)], fill),
      logOf("Released", lease, fill),
      ...waveLogs(1, fill, {
        lists: Object.fromEntries(seven.slice(0, 6).map((id) => [id, [exception(1 + (id % 3), id)]])),
        withholding: [7],
      }),
    ];
    await mined(...blocksOf(logs));
    const wave = waveOf(logs, 1, terms);
    const [row] = await readWaves(db(), 10_000n, { before: null, limit: 5 });
    if (row === undefined || wave === undefined) throw new Error("There is no wave.");
    const read = await readWave(db(), row, terms);
    const byMeasurer = <Item extends { measurerId: number }>(items: readonly Item[]) =>
      [...items].sort((a, b) => a.measurerId - b.measurerId);
    expect(read.challenged).to.deep.equal(wave.challenged);
    expect(byMeasurer(read.drawn)).to.deep.equal(byMeasurer(wave.drawn));
    expect(byMeasurer(read.statements)).to.deep.equal(byMeasurer(wave.statements));
    expect({ ...read, challenged: 0, drawn: 0, statements: 0 }).to.deep.equal({
      ...wave,
      challenged: 0,
      drawn: 0,
      statements: 0,
    });
    expect((await current("wave"))[0]).to.deep.include({
      fill_hash: wave.fillHash,
      audit_hash: wave.seeds?.audit,
    });
    expect(await readWaves(db(), BigInt(fill - 1), { before: null, limit: 5 })).to.deep.equal([]);
  });

  it("challenge what the logs say when two generations have claims of a node", async () => {
    const fill = drawnFrom(20);
    const [one, two] = [[encodeDevice(cpu)], [encodeDevice(cpu), encodeDevice(cpu)]];
    const claim = (nodeId: number, devices: `0x${string}`[], deadline: bigint, block: number) =>
      logOf("HardwareClaimed", { nodeId, devices, deadline }, block);
    // The node's claim; whether the previous generation has it.
    const claims: [WaveLog, boolean][] = [
      [claim(1, two, 9n, 5), false],
      [claim(1, one, 8n, 6), true],
      [claim(2, two, 9n, 5), true],
      [claim(2, one, 8n, 6), false],
      [claim(3, one, 9n, 5), false],
      [claim(3, two, 9n, 6), true],
      [claim(4, two, 9n, 5), true],
      [claim(4, one, 9n, 5), false],
    ];
    const logs = [...marketLogs({ nodes: 4, measurers: 7 }), ...waveLogs(1, fill, { lists: { 1: [] } })];
    const blocks = blocksOf(logs);
    for (const [{ name, args, block }, isPrevious] of claims) {
      const address = isPrevious ? previousContracts.ProofWaves : undefined;
      blocks[Number(block) - 1]?.push(eventLog("ProofWaves", name, args, address));
    }
    await mined(...blocks);
    const [row] = await readWaves(db(), 10_000n, { before: null, limit: 5 });
    if (row === undefined) throw new Error("There is no wave.");
    const wave = waveOf([...logs, ...claims.map(([log]) => log)], 1, terms);
    const counts = (challenged: readonly { nodeId: number }[] = []) =>
      [1, 2, 3, 4].map((nodeId) => challenged.filter((device) => device.nodeId === nodeId).length);
    expect(counts(wave?.challenged)).to.deep.equal([2, 2, 2, 2]);
    expect(counts((await readWave(db(), row, terms)).challenged)).to.deep.equal([2, 2, 2, 2]);
  });
});
