import { defaultTerms } from "@ngpu/rewards/defaultTerms";
import { type Claimant, shareEmission } from "@ngpu/rewards/share";
import type { RewardTerms } from "@ngpu/rewards/terms";
import { expect } from "chai";
import fc from "fast-check";
import { account, anyClaimants, anyTerms, claimant, plainTerms, sum, token } from "./market.ts";

const emission = 1_000n * token;

const earned = (claimants: readonly Claimant[], terms: RewardTerms, of = (_: Claimant) => true) =>
  sum(
    shareEmission(claimants, emission, terms)
      .shares.filter(of)
      .map(({ amount }) => amount),
  );

/** One of the claimants, and any terms. */
const market = fc
  .record({ claimants: anyClaimants, terms: anyTerms, place: fc.nat() })
  .filter(({ claimants }) => claimants.length > 0)
  .map(({ claimants, terms, place }) => ({
    claimants,
    terms,
    chosen: claimants[place % claimants.length] as Claimant,
  }));

const isSame = (one: Claimant) => (other: Claimant) =>
  other.nodeId === one.nodeId && other.class === one.class;

describe("sharing an epoch's emission", () => {
  it("grants a class's pot to its only node, up to the rate for its units and slots", () => {
    const [low] = shareEmission([claimant({})], emission, plainTerms()).shares;
    expect(low?.amount).to.equal(1_000n * 60n * 10n ** 12n);
    const rich = plainTerms({ classes: [{ weight: 1_000_000n, rate: token, ceiling: 10n }] });
    expect(shareEmission([claimant({})], emission, rich).shares.map(({ amount }) => amount)).to.deep.equal([
      emission,
    ]);
  });

  it("weighs units by the slots in which the node earned, without a limit for an account", () => {
    const terms = plainTerms({ classes: [{ weight: 1_000_000n, rate: token, ceiling: 10n }] });
    const claimants = [1, 2, 3].map((n) =>
      claimant({ nodeId: n, account: account(n), slots: n === 1 ? 30 : 15 }),
    );
    const { shares } = shareEmission(claimants, emission, terms);
    expect(shares.map(({ amount }) => amount)).to.deep.equal([emission / 2n, emission / 4n, emission / 4n]);
  });

  it("never grants more than the emission", () => {
    fc.assert(
      fc.property(market, ({ claimants, terms }) => {
        const { classes, shares } = shareEmission(claimants, emission, terms);
        expect(
          sum(shares.map(({ amount }) => amount)) <= sum(classes.map(({ granted }) => granted)),
        ).to.equal(true);
        const parts = BigInt(10_000 - terms.measurerBasisPoints - terms.taskBasisPoints);
        expect(sum(classes.map(({ granted }) => granted)) <= (emission * parts) / 10_000n).to.equal(true);
      }),
    );
  });

  it("does not depend on the order in which nodes are read", () => {
    fc.assert(
      fc.property(market, ({ claimants, terms }) => {
        expect(shareEmission([...claimants].reverse(), emission, terms)).to.deep.equal(
          shareEmission(claimants, emission, terms),
        );
      }),
    );
  });

  it("grants no less for more units or more slots", () => {
    fc.assert(
      fc.property(market, fc.bigInt({ min: 0n, max: 10n ** 9n }), fc.nat(60), (given, units, slots) => {
        const { claimants, terms, chosen } = given;
        const more = claimants.map((one) =>
          one === chosen ? { ...one, units: one.units + units, slots: one.slots + slots } : one,
        );
        const before = earned(claimants, terms, isSame(chosen));
        expect(earned(more, terms, isSame(chosen)) >= before).to.equal(true);
      }),
    );
  });

  it("grants the parts of a node or an operator no more than the whole", () => {
    fc.assert(
      fc.property(market, fc.integer({ min: 2, max: 8 }), ({ claimants, terms, chosen }, parts) => {
        const others = claimants.filter((one) => one !== chosen);
        const share = chosen.units / BigInt(parts);
        const split = Array.from({ length: parts }, (_, place) => ({
          ...chosen,
          nodeId: 2_000 + place,
          account: account(100 + place),
          units: place === 0 ? chosen.units - share * BigInt(parts - 1) : share,
        }));
        const whole = earned([...others, chosen], terms, isSame(chosen));
        expect(earned([...others, ...split], terms, ({ nodeId }) => nodeId >= 2_000) <= whole).to.equal(true);
      }),
    );
  });

  it("bounds who corners a class by the rate, and leaves the rest of the pot unminted", () => {
    fc.assert(
      fc.property(market, ({ claimants, terms, chosen }) => {
        const alone = claimants.filter((one) => one === chosen || one.class !== chosen.class);
        const own = earned(alone, terms, isSame(chosen));
        const { rate } = terms.classes[chosen.class] as RewardTerms["classes"][number];
        expect(own <= rate * chosen.units * BigInt(chosen.slots)).to.equal(true);
      }),
    );
  });

  it("is exact for ten million nodes of the largest figures", () => {
    const terms = defaultTerms({ slotSeconds: 60 });
    const largest = { units: 255n * (2n ** 24n - 1n), slots: 3_600, class: 3 };
    const node = claimant(largest);
    const { classes } = shareEmission(
      [
        { ...node, units: node.units * 10_000_000n },
        { ...node, nodeId: 2 },
      ],
      emission,
      terms,
    );
    const weight = node.units * 3_600n * 10_000_001n;
    expect(classes[3]?.weight).to.equal(weight);
    // As the sums of as many nodes: bigints do not overflow, and every amount fits the contract's 96 bits.
    expect(classes.every(({ granted }) => granted <= emission && granted < 2n ** 96n)).to.equal(true);
    const [, small] = shareEmission(
      [
        { ...node, units: node.units * 10_000_000n },
        { ...node, nodeId: 2 },
      ],
      emission,
      terms,
    ).shares;
    expect(small?.amount).to.equal(((classes[3]?.granted ?? 0n) * node.units * 3_600n) / weight);
  });
});
