import { encodeHeartbeats } from "@ngpu/protocol/heartbeatBits";
import { closeEpoch } from "@ngpu/rewards/close";
import { defaultTerms } from "@ngpu/rewards/defaultTerms";
import type { NodeHistory } from "@ngpu/rewards/eligible";
import { windowOf } from "@ngpu/rewards/epochs";
import type { Hardware, NodeProof } from "@ngpu/rewards/units";
import { modelHashOf } from "@ngpu/waves/claims";
import { expect } from "chai";
import { account, provenCpu, provenGpus, token } from "./market.ts";

/*
 * The attacks of docs/trust.md, each as the epoch of a market that knows what waves proved.
 */

const slotSeconds = 60;
const slots = 60;
const window = windowOf(1, { genesis: 0, epochSeconds: slotSeconds * slots, settlementSeconds: 0 });
const terms = { ...defaultTerms({ slotSeconds }), bond: 0n, bondEpochs: 0 };
const emission = 1_000n * token;

const unproven: NodeProof = { judged: true, devices: [] };
const newcomer: NodeProof = { judged: false, devices: [] };
const h100 = "NVIDIA H100 80GB HBM3";
const eightH100: Hardware = { gpus: 8, gpuModel: modelHashOf(h100), vramMib: 81_559, cpuMilli: 128_000 };
const honest: NodeProof = { judged: true, devices: [...provenGpus(h100, 8), ...provenCpu(128).devices] };
/** The most that a node's spec can say. */
const absurd: Hardware = {
  gpus: 255,
  gpuModel: modelHashOf(h100),
  vramMib: 16_777_215,
  cpuMilli: 4_294_967_295,
};

const box: Hardware = { gpus: 0, gpuModel: "0x0000000000000000", vramMib: 0, cpuMilli: 8_000 };

function epochOf(nodes: readonly [Hardware, NodeProof][]): bigint[] {
  const histories = nodes.map(
    ([hardware, proof], place): NodeHistory => ({
      nodeId: place + 1,
      account: account(place + 1),
      reached: true,
      proof,
      versions: [{ ...hardware, from: 0, to: null, online: true, pricePerSecond: 1n }],
    }),
  );
  const present = new Set(histories.map(({ nodeId }) => nodeId));
  const bits = encodeHeartbeats(nodes.length, present);
  const { leaves } = closeEpoch({
    window,
    schedule: { address: "0x00", emission, epochsBefore: 0 },
    facts: {
      asOf: { block: 1n, hash: "0x01" },
      terms,
      slotSeconds,
      nodes: histories,
      results: [],
      leases: [],
      presence: {
        firstSlot: 0,
        endSlot: slots,
        disputes: [],
        challenges: [],
        slots: Array.from({ length: slots }, (_, slot) => ({ slot, ...bits })),
      },
      days: { throughDay: null, served: [] },
    },
    before: { number: 0, granted: new Map(), bonds: new Map(), throughDay: null },
  });
  const granted = new Map(leaves.map(({ account: one, cumulative }) => [one, cumulative]));
  return histories.map(({ account: one }) => granted.get(one) ?? 0n);
}

const sum = (amounts: readonly bigint[]) => amounts.reduce((total, amount) => total + amount, 0n);

describe("rewards of liars", () => {
  it("pay nothing to four absurd nodes among a thousand honest ones, which get what they get without them", () => {
    const market = Array.from({ length: 1_000 }, (): [Hardware, NodeProof] => [eightH100, honest]);
    const alone = epochOf(market);
    const liars = [unproven, newcomer, unproven, newcomer].map((proof): [Hardware, NodeProof] => [
      absurd,
      proof,
    ]);
    const together = epochOf([...market, ...liars]);
    expect(together.slice(1_000)).to.deep.equal([0n, 0n, 0n, 0n]);
    expect(together.slice(0, 1_000)).to.deep.equal(alone);
    expect(alone[0] !== undefined && alone[0] > 0n).to.equal(true);
  }).timeout(60_000);

  it("pay nothing for 8 × H100 without a GPU, where the honest node is paid", () => {
    const [liar, node] = epochOf([
      [eightH100, unproven],
      [eightH100, honest],
    ]);
    expect(liar).to.equal(0n);
    expect(node !== undefined && node > 0n).to.equal(true);
  });

  it("pay ten names on one box no more than the box under one name", () => {
    const [alone] = epochOf([[box, provenCpu(8)]]);
    // Of ten names one passes in a wave, so at most one passes three of five.
    const [paid, ...others] = epochOf([[box, provenCpu(8)], ...Array(9).fill([box, unproven])]);
    expect([paid, sum(others)]).to.deep.equal([alone, 0n]);
    // Names that share the box in each wave prove their parts of it.
    const shared = epochOf(Array(8).fill([box, provenCpu(1)]));
    expect(sum(shared) <= (alone ?? 0n)).to.equal(true);
  });

  it("pay nothing for a proof that is kept by a lease, so names that rent themselves in turn gain nothing", () => {
    const kept = provenCpu(8, { earns: false });
    const [proving, ...renting] = epochOf([[box, provenCpu(8)], ...Array(48).fill([box, kept])]);
    expect(sum(renting)).to.equal(0n);
    expect(proving !== undefined && proving > 0n).to.equal(true);
  });
});
