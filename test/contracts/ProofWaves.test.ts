import { proofWavesAbi } from "@ngpu/contracts-sdk/generated/abi";
import { beginsAt, windowOf } from "@ngpu/waves/schedule";
import { expect } from "chai";
import { getContract, type Hex, keccak256, parseEventLogs, type TransactionReceipt, toHex } from "viem";
import { keyOf, loadMarket, type MarketFixture } from "./support/market.ts";
import { expectRefused, expectRevert, refusalsOf, zeroHash } from "./support/reverts.ts";
import {
  claim,
  commitmentTo,
  commitWave,
  hashOf,
  loadWaves,
  mine,
  mineBefore,
  openWave,
  post,
  revealOf,
  soon,
} from "./support/waves.ts";

const settings = {
  stride: 4,
  chance: 3,
  fillBlocks: 8,
  chaseBlocks: 2,
  workBlocks: 2,
  commitBlocks: 3,
  revealBlocks: 3,
  wavesBefore: 0,
};

/** One more contract in the market, with its own blocks. */
async function deployWaves(market: MarketFixture, changes: Partial<typeof settings> = {}) {
  const { AccessManager, ComputeNode, Measure } = market.deployment.contracts;
  const { viem } = market.connection;
  const args = [AccessManager, ComputeNode, Measure, { ...settings, ...changes }];
  const { address } = await viem.deployContract("ProofWaves", args);
  const [wallet] = await viem.getWalletClients();
  if (wallet === undefined) throw new Error("The simulated chain has no accounts.");
  return getContract({ abi: proofWavesAbi, address, client: { public: market.client, wallet } });
}

function eventsOf<Name extends "WavePosted" | "WaveRevealed" | "ExceptionsPublished" | "WaveSeedsRecorded">(
  receipt: TransactionReceipt,
  eventName: Name,
) {
  return parseEventLogs({ abi: proofWavesAbi, logs: receipt.logs, eventName });
}

describe("ProofWaves: the clock", () => {
  it("opens a wave at exactly the first block that the hash draws, as the schedule computes", async () => {
    const market = await loadMarket();
    const waves = await deployWaves(market);
    const terms = await waves.read.settings();
    let opened = 0;
    let from = 0;
    while (opened < 3) {
      const head = Number(await market.client.getBlockNumber());
      const numbers = Array.from(
        { length: terms.fillBlocks },
        (_, back) => head + 1 - terms.fillBlocks + back,
      );
      const drawn = await Promise.all(
        numbers.map(async (number) => {
          const { hash } = await market.client.getBlock({ blockNumber: BigInt(number) });
          return number >= from && beginsAt({ number, hash }, terms) ? number : undefined;
        }),
      );
      const expected = drawn.find((number) => number !== undefined);
      if (expected === undefined) {
        await expectRevert(waves.write.open(), "WaveNotDrawn");
        await mine(market, 1);
        continue;
      }
      const count = await waves.read.waveCount();
      await market.mined(waves.write.open());
      opened += 1;
      expect(await waves.read.fillBlockOf([count + 1])).to.equal(expected);
      from = expected + terms.fillBlocks + terms.chaseBlocks + terms.workBlocks + 2;
    }
  });

  it("begins no wave before the audit of the one before", async () => {
    const market = await loadWaves();
    const wave = await openWave(market);
    await expectRevert(market.waves.write.open(), "WaveNotDrawn");
    await mineBefore(market, wave.audit + 1);
    await expectRevert(market.waves.write.open(), "WaveNotDrawn");
    const next = await openWave(market);
    expect(next.waveId).to.equal(wave.waveId + 1);
    expect(next.fill).to.be.greaterThan(wave.audit);
  });

  it("records the hashes of the blocks that give seeds, to anyone, after they exist", async () => {
    const market = await loadWaves();
    const wave = await openWave(market);
    const record = () => market.waves.write.record([wave.waveId], { account: market.people.outsider });
    await mineBefore(market, wave.audit);
    await expectRevert(record(), "WaveSeedMissing", { blockNumber: BigInt(wave.audit) });
    await mineBefore(market, wave.audit + 1);
    const [log] = eventsOf(await market.mined(record()), "WaveSeedsRecorded");
    const hashes = await Promise.all(
      [wave.fill, wave.chase, wave.work, wave.audit].map(async (number) => {
        return (await market.client.getBlock({ blockNumber: BigInt(number) })).hash;
      }),
    );
    expect([wave.fillHash, log?.args.chaseHash, log?.args.workHash, log?.args.auditHash]).to.deep.equal(
      hashes,
    );
    await expectRevert(market.waves.write.record([9]), "WaveUnknown", { waveId: 9 });
  });

  it("records older blocks by EIP-2935 where it exists", async () => {
    const market = await loadWaves();
    const wave = await openWave(market);
    await mineBefore(market, wave.audit + 260);
    const { setCode } = market.connection.networkHelpers;
    const history = "0x0000F90827F1C53a10cb7A02335B175320002935";
    // Reverts, as the contract does about blocks that it does not know.
    await setCode(history, "0x5f5ffd");
    await expectRevert(market.waves.write.record([wave.waveId]), "WaveSeedMissing");
    // Returns the number that it is asked for, in place of its hash.
    await setCode(history, "0x365f5f37365ff3");
    const receipt = await market.mined(market.waves.write.record([wave.waveId]));
    expect(eventsOf(receipt, "WaveSeedsRecorded")[0]?.args).to.include({
      chaseHash: toHex(wave.chase, { size: 32 }),
      auditHash: toHex(wave.audit, { size: 32 }),
    });
  });

  it("accepts no settings without time, or with blocks whose hashes would be lost", async () => {
    const market = await loadMarket();
    for (const change of [
      { chaseBlocks: 250 },
      { fillBlocks: 250 },
      { fillBlocks: 180, stride: 1 },
      ...["stride", "chance", "fillBlocks", "chaseBlocks", "workBlocks", "commitBlocks", "revealBlocks"].map(
        (name) => ({ [name]: 0 }),
      ),
    ])
      await expectRevert(deployWaves(market, change), "WaveSettingsInvalid");
  });

  it("knows no progress of a wave that was not opened", async () => {
    const { waves } = await loadMarket();
    expect(await waves.read.progressOf([9, 1])).to.deep.equal([0, `0x${"0".repeat(54)}`]);
  });

  it("lets governance alone set rules, which must be possible", async () => {
    const { waves, people } = await loadMarket();
    const rules = await waves.read.rules();
    expect(rules).to.include({ drawn: 7, quorum: 4, spare: 1, counted: 5, passes: 3 });
    await expectRevert(
      waves.write.setRules([rules], { account: people.outsider }),
      "AccessManagedUnauthorized",
    );
    for (const change of [
      { drawn: 0 },
      { quorum: 0 },
      { quorum: 8 },
      { spare: 4 },
      { passes: 6 },
      { lossPermille: 1_001 },
    ])
      await expectRevert(waves.write.setRules([{ ...rules, ...change }]), "WaveRulesInvalid");
    await waves.write.setRules([{ ...rules, quorum: 5 }]);
    expect((await waves.read.rules()).quorum).to.equal(5);
  });
});

describe("ProofWaves: posts of measurers", () => {
  it("are accepted in the blocks of their stage alone, in the order of stages, each once", async () => {
    const market = await loadWaves();
    const wave = await openWave(market);
    const { waveId } = wave;
    const one = { waveId, measurerId: 1, root: hashOf("root") };
    for (const [index, stage] of (["chase", "answers", "results"] as const).entries()) {
      const { first, last } = windowOf(stage, wave);
      const closed = { waveId, first: BigInt(first), last: BigInt(last) };
      if (index === 0) {
        await mineBefore(market, first - 1);
        expectRefused(await post(market, stage, [one]), "WaveStageClosed", closed);
      }
      const receipt = await post(market, stage, [one]);
      expect(eventsOf(receipt, "WavePosted")[0]?.args).to.deep.equal({ ...one, stage: index });
      const again = await post(market, stage, [{ ...one, root: hashOf("other") }]);
      expectRefused(again, "WaveStageNotNext", { stage: index, expected: index + 1 });
      expect((await market.waves.read.progressOf([waveId, 1]))[1]).to.equal(one.root.slice(0, 56));
      await mineBefore(market, last);
      // In the last block; later stages need the earlier ones.
      const other = await post(market, stage, [{ ...one, measurerId: index === 0 ? 2 : 3 }]);
      if (index === 0) expect(refusalsOf(other)).to.deep.equal([]);
      else expectRefused(other, "WaveStageNotNext", { expected: 0 });
      expectRefused(await post(market, stage, [{ ...one, measurerId: 3 }]), "WaveStageClosed", closed);
    }
  });

  it("are refused for another signer, an unknown wave, stage or measurer, and never stop the others", async () => {
    const market = await loadWaves();
    const { waveId, chase } = await openWave(market);
    await mineBefore(market, chase + 1);
    const good = { waveId, measurerId: 1, root: hashOf("root") };
    const receipt = await post(market, "chase", [
      { ...good, signer: "wave measurer 2" },
      { ...good, waveId: waveId + 1 },
      { ...good, stage: 3 },
      { ...good, measurerId: 99 },
      good,
    ]);
    expect(refusalsOf(receipt).map(({ name }) => name)).to.deep.equal([
      "SignatureInvalid",
      "WaveUnknown",
      "ValueUnknown",
      "WaveMeasurerNotAdmitted",
    ]);
    expect(eventsOf(receipt, "WavePosted").length).to.equal(1);
  });

  it("go on in a wave after the next ones have begun, and end with the fourth", async () => {
    const market = await loadWaves();
    const wave = await openWave(market);
    const { waveId } = wave;
    for (let more = 1; more < 4; more += 1) {
      await mineBefore(market, wave.audit + (more - 1) * 50);
      await openWave(market);
      expect(await market.waves.read.fillBlockOf([waveId])).to.equal(wave.fill);
    }
    await mine(market, 50);
    await openWave(market);
    expect(await market.waves.read.fillBlockOf([waveId])).to.equal(0);
    expectRefused(
      await post(market, "chase", [{ waveId, measurerId: 1, root: hashOf("root") }]),
      "WaveUnknown",
    );
  });
});

describe("ProofWaves: results", () => {
  it("are revealed after every commitment's deadline, as they were committed, with the lists that they name", async () => {
    const market = await loadWaves();
    const list: Hex = "0x0000000100000000";
    const { wave, reveals } = await commitWave(market, [1, 2], list);
    const { waveId } = wave;
    const send = (given: typeof reveals) =>
      market.mined(
        market.waves.write.revealBatch([waveId, given, [list]], { account: market.people.outsider }),
      );
    const early = await market.mined(
      market.waves.write.revealBatch([waveId, [reveals[0] as (typeof reveals)[0]], []]),
    );
    expectRefused(early, "WaveStageClosed", { first: BigInt(wave.committed + 1) });
    await mineBefore(market, wave.committed + 1);
    const receipt = await send(reveals);
    expect(refusalsOf(receipt)).to.deep.equal([]);
    expect(eventsOf(receipt, "WaveRevealed").map(({ args }) => args.measurerId)).to.deep.equal([1, 2]);
    expect(eventsOf(receipt, "ExceptionsPublished").map(({ args }) => args)).to.deep.equal([
      { waveId, exceptions: keccak256(list), list },
    ]);
    expect(await market.waves.read.progressOf([waveId, 1])).to.deep.equal([4, `0x${"0".repeat(54)}`]);
    expect(refusalsOf(await send(reveals)).map(({ name }) => name)).to.deep.equal([
      "WaveNotCommitted",
      "WaveNotCommitted",
    ]);
  });

  it("are refused when they differ from the commitment, without one, and after the deadline", async () => {
    const market = await loadWaves();
    const { wave, reveals } = await commitWave(market, [1]);
    const { waveId } = wave;
    const [reveal] = reveals;
    if (reveal === undefined) throw new Error("Nothing was committed.");
    const send = (given: typeof reveal) =>
      market.mined(market.waves.write.revealBatch([waveId, [given], []]));
    await mineBefore(market, wave.committed + 1);
    for (const change of [
      { results: zeroHash },
      { exceptions: hashOf("other") },
      { salt: zeroHash },
      { measurerId: 2 },
    ])
      expectRefused(await send({ ...reveal, ...change }), "WaveNotCommitted", { waveId });
    await mineBefore(market, wave.revealed + 1);
    expectRefused(await send(reveal), "WaveStageClosed", { last: BigInt(wave.revealed) });
  });

  it("cannot be copied: a commitment names its measurer", async () => {
    const market = await loadWaves();
    const { waveId } = await openWave(market);
    expect(commitmentTo(revealOf(waveId, 1))).to.not.equal(
      commitmentTo({ ...revealOf(waveId, 1), measurerId: 2 }),
    );
  });
});

describe("ProofWaves: claims of nodes", () => {
  const devices = [hashOf("device")];

  it("are those that the node's key signed last", async () => {
    const market = await loadWaves();
    const deadline = await soon(market);
    const receipt = await claim(market, { nodeId: 1, devices, deadline });
    const [log] = parseEventLogs({ abi: proofWavesAbi, logs: receipt.logs, eventName: "HardwareClaimed" });
    expect(log?.args).to.deep.equal({ nodeId: 1, deadline, devices });
    expectRefused(await claim(market, { nodeId: 1, devices, deadline }), "HardwareClaimStale", {
      last: deadline,
    });
    expect(
      refusalsOf(await claim(market, { nodeId: 1, devices: [], deadline: deadline + 1n })),
    ).to.deep.equal([]);
    expect(await market.waves.read.claimDeadlineOf([1])).to.equal(deadline + 1n);
  });

  it("are refused for another signer, a late deadline, an unknown node and more devices than a node has", async () => {
    const market = await loadWaves();
    const deadline = await soon(market);
    const message = { nodeId: 1, devices, deadline };
    expectRefused(await claim(market, message, "node two"), "SignatureInvalid", {
      signer: keyOf("node one").address,
    });
    expectRefused(
      await claim(market, { ...message, deadline: deadline + 86_400n }),
      "HardwareClaimDeadlineLate",
    );
    expectRefused(await claim(market, { ...message, nodeId: 77 }), "HardwareClaimNodeUnknown", {
      nodeId: 77,
    });
    const many = Array.from({ length: 65 }, () => hashOf("device"));
    expectRefused(await claim(market, { ...message, devices: many }), "HardwareClaimTooLong", { limit: 64n });
    await market.time.increase(3_601);
    expectRefused(await claim(market, message), "SignatureExpired");
  });
});
