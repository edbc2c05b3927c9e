import { gpuModels } from "@ngpu/proof/models";
import { defaultTerms } from "@ngpu/rewards/defaultTerms";
import type { Claimant } from "@ngpu/rewards/share";
import type { RewardTerms } from "@ngpu/rewards/terms";
import type { NodeProof } from "@ngpu/rewards/units";
import { modelHashOf } from "@ngpu/waves/claims";
import type { ProvenDevice } from "@ngpu/waves/proofs";
import fc from "fast-check";

export const token = 10n ** 18n;

/** Terms with figures that are easy to follow: no measurers, no tasks, no bond, two classes with half of the emission each. */
export function plainTerms(changes: Partial<RewardTerms> = {}): RewardTerms {
  return {
    ...defaultTerms({ slotSeconds: 60 }),
    measurerBasisPoints: 0,
    taskBasisPoints: 0,
    bond: 0n,
    bondEpochs: 0,
    bondDays: 1,
    classes: [
      { weight: 500_000n, rate: 10n ** 12n, ceiling: 10n },
      { weight: 500_000n, rate: 10n ** 12n, ceiling: 10n },
    ],
    ...changes,
  };
}

const GiB = 2n ** 30n;

/** The proof of a node whose CPU proved some cores. */
export function provenCpu(cores: number, changes: Partial<ProvenDevice> = {}): NodeProof {
  const count = BigInt(cores);
  const figures = {
    bytes: (count * GiB) / 2n,
    bytesPerSecond: count * 400_000_000n,
    operationsPerSecond: count * 4_000_000_000n,
  };
  const device = {
    kind: "cpu",
    modelHash: undefined,
    claimed: figures,
    proven: figures,
    earns: true,
  } as const;
  return { judged: true, devices: [{ ...device, ...changes }] };
}

/** GPUs of a model that proved so much of its published figures. */
export function provenGpus(name: string, count: number, share = 0.5): ProvenDevice[] {
  const model = gpuModels.find((one) => one.name === name);
  if (model === undefined) throw new Error(`${name} has no figures.`);
  const proven = {
    bytes: BigInt(Math.floor(model.memoryGib * 0.95 * 2 ** 30)),
    bytesPerSecond: BigInt(Math.floor(model.gbPerSecond * share * 1e9)),
    operationsPerSecond: BigInt(Math.floor(model.teraflops * 0.25 * 1e12)),
  };
  const device = {
    kind: "gpu",
    modelHash: modelHashOf(name),
    claimed: proven,
    proven,
    earns: true,
  } as const;
  return Array.from({ length: count }, () => device);
}

export const account = (n: number) => `0x${n.toString(16).padStart(40, "0")}`;

export const claimant = (changes: Partial<Claimant>): Claimant => ({
  nodeId: 1,
  account: account(1),
  class: 0,
  units: 1_000n,
  slots: 60,
  ...changes,
});

export const anyClaimant = fc.record({
  nodeId: fc.integer({ min: 1, max: 1_000 }),
  account: fc.integer({ min: 1, max: 6 }).map(account),
  class: fc.integer({ min: 0, max: 3 }),
  units: fc.bigInt({ min: 0n, max: 255n * 2n ** 24n }),
  slots: fc.integer({ min: 0, max: 60 }),
});

export const anyClaimants = fc.uniqueArray(anyClaimant, {
  selector: ({ nodeId, class: place }) => `${nodeId}/${place}`,
  maxLength: 40,
});

/** Terms that the contract accepts, with four classes. */
export const anyTerms: fc.Arbitrary<RewardTerms> = fc
  .record({
    cuts: fc.array(fc.integer({ min: 0, max: 1_000_000 }), { minLength: 3, maxLength: 3 }),
    rates: fc.array(fc.bigInt({ min: 0n, max: 10n ** 18n }), { minLength: 4, maxLength: 4 }),
    measurerBasisPoints: fc.integer({ min: 0, max: 5_000 }),
    taskBasisPoints: fc.integer({ min: 0, max: 5_000 }),
    nodeTaskBasisPoints: fc.integer({ min: 0, max: 4_500 }),
    payerTaskBasisPoints: fc.integer({ min: 0, max: 4_500 }),
    measurerRate: fc.bigInt({ min: 0n, max: 10n ** 20n }),
  })
  .map(({ cuts, rates, ...others }) => {
    const [a = 0, b = 0, c = 0] = [...cuts].sort((one, other) => one - other);
    const weights = [a, b - a, c - b, 1_000_000 - c];
    return {
      ...plainTerms(others),
      classes: weights.map((weight, place) => ({
        weight: BigInt(weight),
        rate: rates[place] ?? 0n,
        ceiling: 10n,
      })),
    };
  });

export const sum = (amounts: Iterable<bigint>) => [...amounts].reduce((total, amount) => total + amount, 0n);
