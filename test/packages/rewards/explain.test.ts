import { encodeHeartbeats } from "@ngpu/protocol/heartbeatBits";
import { closeEpoch, type EpochFacts } from "@ngpu/rewards/close";
import { windowOf } from "@ngpu/rewards/epochs";
import { explainReward } from "@ngpu/rewards/explain";
import { explainedDocument } from "@ngpu/rewards/explainedDocument";
import { toJson } from "@ngpu/runtime/json";
import { expect } from "chai";
import { account, plainTerms, provenCpu, token } from "./market.ts";

const slotSeconds = 60;
const periods = { genesis: 6_000, epochSeconds: 600, settlementSeconds: 60 };
const window = windowOf(1, periods);
const cpu = { gpus: 0, gpuModel: "0x", vramMib: 0, cpuMilli: 2_000, pricePerSecond: 1n };
const node = (nodeId: number, changes: { reached?: boolean; online?: boolean } = {}) => ({
  nodeId,
  account: account(nodeId),
  reached: changes.reached ?? true,
  proof: provenCpu(2),
  versions: [{ ...cpu, from: 0, to: null, online: changes.online ?? true }],
});

const facts: EpochFacts = {
  asOf: { block: 7n, hash: "0x07" },
  terms: plainTerms({ bond: token, bondDays: 3 }),
  slotSeconds,
  nodes: [node(1), node(2, { reached: false }), node(3, { online: false })],
  presence: {
    firstSlot: 100,
    endSlot: 110,
    disputes: [],
    challenges: [],
    slots: Array.from({ length: 10 }, (_, place) => ({
      slot: 100 + place,
      ...encodeHeartbeats(3, new Set([1, 2, 3])),
    })),
  },
  results: [],
  leases: [
    {
      workspaceId: 4n,
      replica: 0,
      lease: 2,
      nodeId: 1,
      node: account(1),
      payer: account(9),
      feeBasisPoints: 100,
      before: { paid: 0n, receipts: 0n },
      now: { paid: 20_000n * token, receipts: 5_000n * token },
    },
  ],
  days: { throughDay: null, served: [] },
};

const schedule = { address: "0x00" as const, emission: 1_000n * token, epochsBefore: 0 };
const before = { number: 0, granted: new Map(), bonds: new Map(), throughDay: null };
const { document, leaves } = closeEpoch({ window, schedule, facts, before });
const stored = explainedDocument.parse(JSON.parse(toJson(document)));
const explained = (nodeId: number) => explainReward(stored, nodeId)?.sentences.join(" ") ?? "";

describe("a closed epoch", () => {
  it("grants what each part of the formula gives, less what is withheld", () => {
    // 2,000 units in 10 slots at 10¹² are 0.02; they are withheld. φ is 125, and each gets 56.25.
    const tasks = (125n * token * 45n) / 100n;
    expect(leaves.map(({ account: one, cumulative }) => [one, cumulative])).to.deep.equal([
      [account(1), tasks],
      [account(9), tasks],
    ]);
    expect(document.bonds).to.deep.equal([
      {
        nodeId: 1,
        account: account(1),
        withheld: token / 50n,
        highest: token / 50n,
        days: 0,
        servedIn: null,
      },
    ]);
  });

  it("explains each term of a node's reward with its figures", () => {
    const text = explained(1);
    for (const part of [
      "present in 10 slots of epoch 1; 10 of them count",
      "A valid measurement reached it",
      "the pot is 500 NGPU, which is the emission of 1000 NGPU × 10000 ÷ 10,000 × 500000 ÷ 1,000,000",
      "20000 unit-slots",
      "Its 2000 units (thousandths of a core) in 10 slots are 20000 unit-slots, so its share is 0.02 NGPU",
      "Lease 4/0/2 earned a task incentive of 125 NGPU",
      "4500 ÷ 10,000 is 56.25 NGPU",
      "0.02 NGPU are withheld as its bond",
      "It earned 56.27 NGPU in this epoch",
    ]) {
      expect(text).to.include(part);
    }
  });

  it("gives the figures of each term, of which the share is computed again", () => {
    const found = explainReward(stored, 1);
    expect(found?.slots).to.deep.equal({ present: 10, counted: 10 });
    expect(found?.reached).to.equal(true);
    const [share] = found?.shares ?? [];
    expect(share).to.include({
      class: "CPU",
      unit: "millicores",
      units: 2_000n,
      slots: 10,
      unitSlots: 20_000n,
    });
    expect(((share?.granted ?? 0n) * 20_000n) / (share?.classUnitSlots ?? 1n)).to.equal(share?.amount);
    expect(found?.tasks).to.deep.equal([
      { workspaceId: 4n, replica: 0, lease: 2, amount: (125n * token * 45n) / 100n },
    ]);
    expect(found?.bond).to.include({ withheld: token / 50n, days: 0, served: false });
    expect(explainReward(stored, 3)).to.deep.include({ shares: [], tasks: [], bond: null });
  });

  it("explains why a node earned nothing", () => {
    expect(explained(2)).to.include("No valid measurement reached it at a mapped port, so it has no share");
    expect(explained(3)).to.include("present in 10 slots of epoch 1; 0 of them count");
    expect(explained(3)).to.include("It earned 0 NGPU");
    expect(explainReward(stored, 4)).to.equal(undefined);
  });
});
