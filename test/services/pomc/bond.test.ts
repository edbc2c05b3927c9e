import { expect } from "chai";
import fc from "fast-check";
import { nodesThatServed } from "../../../services/pomc/bond/days.ts";
import { type BondTerms, type NodeBond, settleBonds } from "../../../services/pomc/bond/decide.ts";
import { addShares } from "../../../services/pomc/decide.ts";
import { encodeHeartbeats } from "../../../services/shared/chain/heartbeatBits.ts";

const emission = 1_000n;
const nodes = 6;

/** Of an epoch, what each node earned at most (in 1,000 of an equal part of the emission), and who served a day and who moved. */
const epoch = fc.record({
  earned: fc.array(fc.integer({ min: 0, max: 1_000 }), { minLength: nodes, maxLength: nodes }),
  served: fc.array(fc.integer({ min: 0, max: 2 }), { minLength: nodes, maxLength: nodes }),
  wallets: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: nodes, maxLength: nodes }),
});
const terms = fc.record({
  amount: fc.bigInt({ min: 0n, max: 600n }),
  days: fc.integer({ min: 1, max: 6 }),
  uptimePermille: fc.constant(900),
});
const history = fc.array(fc.tuple(epoch, terms), { minLength: 1, maxLength: 20 });

type Epoch = { earned: number[]; served: number[]; wallets: number[] };

function factsOf({ earned, served, wallets }: Epoch) {
  const accountOf = (index: number) => `0x${wallets[index]}`;
  const shares = earned.map((permille, index) => ({
    ...{ nodeId: index + 1, account: accountOf(index) },
    amount: (emission * BigInt(permille)) / BigInt(1_000 * nodes),
  }));
  const days = served.map((count, index) => ({ nodeId: index + 1, account: accountOf(index), days: count }));
  return { shares, served: days.filter(({ days: count }) => count > 0) };
}

/** Settles epoch after epoch; tells each to `each`. */
function play(
  epochs: [Epoch, BondTerms][],
  each: (step: {
    terms: BondTerms;
    before: ReadonlyMap<number, NodeBond>;
    bonds: ReadonlyMap<number, NodeBond>;
    granted: ReadonlyMap<string, bigint>;
    earlier: ReadonlyMap<string, bigint>;
    shares: { nodeId: number; amount: bigint }[];
    grants: { account: string; amount: bigint }[];
    number: number;
  }) => void,
): void {
  let granted = new Map<string, bigint>();
  let before = new Map<number, NodeBond>();
  for (const [index, [facts, ofEpoch]] of epochs.entries()) {
    const { shares, served } = factsOf(facts);
    const number = index + 1;
    const { grants, bonds: changed } = settleBonds(before, { epoch: number, terms: ofEpoch, shares, served });
    const earlier = granted;
    granted = addShares(granted, grants);
    const bonds = new Map(before);
    for (const bond of changed) bonds.set(bond.nodeId, bond);
    each({ terms: ofEpoch, before, bonds, granted, earlier, shares, grants, number });
    before = bonds;
  }
}

const sum = (amounts: Iterable<bigint>) => [...amounts].reduce((total, amount) => total + amount, 0n);

describe("bonds", () => {
  it("never lower what an account was granted, and never grant more than the schedule", () => {
    fc.assert(
      fc.property(history, (epochs) => {
        play(epochs, ({ granted, earlier, number }) => {
          for (const [account, amount] of earlier) {
            expect((granted.get(account) ?? 0n) >= amount).to.equal(true);
          }
          expect(sum(granted.values()) <= emission * BigInt(number)).to.equal(true);
        });
      }),
    );
  });

  it("withhold no more than the bond of each node, and nothing once it is served", () => {
    fc.assert(
      fc.property(history, (epochs) => {
        play(epochs, ({ bonds, before, terms: { amount, days } }) => {
          for (const [nodeId, bond] of bonds) {
            if (before.get(nodeId) !== bond) expect(bond.withheld <= amount).to.equal(true);
            if (bond.servedIn === null) continue;
            expect(bond.withheld).to.equal(0n);
            if (before.get(nodeId) !== bond) expect(bond.days).to.be.at.least(days);
          }
        });
      }),
    );
  });

  it("return what was withheld, no more and no less: what was earned is granted or withheld", () => {
    fc.assert(
      fc.property(history, (epochs) => {
        let earned = 0n;
        play(epochs, ({ shares, granted, bonds }) => {
          earned += sum(shares.map(({ amount }) => amount));
          const withheld = sum([...bonds.values()].map((bond) => bond.withheld));
          expect(sum(granted.values()) + withheld).to.equal(earned);
        });
      }),
    );
  });

  it("let one machine gain nothing by splitting its work over identities that have not served", () => {
    const work = fc.array(fc.array(fc.bigInt({ min: 0n, max: 400n }), { minLength: 3, maxLength: 3 }), {
      minLength: 1,
      maxLength: 12,
    });
    fc.assert(
      fc.property(work, fc.bigInt({ min: 1n, max: 600n }), (epochs, amount) => {
        const bond: BondTerms = { amount, days: 7, uptimePermille: 900 };
        const grantedTo = (ofEpoch: (parts: bigint[]) => bigint[]) => {
          let [before, total] = [new Map<number, NodeBond>(), 0n];
          return epochs.map((parts, index) => {
            const shares = ofEpoch(parts).map((part, place) => {
              return { nodeId: place + 1, account: `0x${place}`, amount: part };
            });
            const settled = settleBonds(before, { epoch: index + 1, terms: bond, shares, served: [] });
            before = new Map([...before, ...settled.bonds.map((one) => [one.nodeId, one] as const)]);
            total += sum(settled.grants.map((grant) => grant.amount));
            return total;
          });
        };
        const whole = grantedTo((parts) => [sum(parts)]);
        const split = grantedTo((parts) => parts);
        for (const [index, total] of split.entries()) expect(total <= (whole[index] ?? 0n)).to.equal(true);
      }),
    );
  });

  it("are returned at once, to where the node's rewards go then", () => {
    const bond: BondTerms = { amount: 100n, days: 2, uptimePermille: 900 };
    const share = (amount: bigint, account = "0xa") => [{ nodeId: 1, account, amount }];
    const first = settleBonds(new Map(), { epoch: 1, terms: bond, shares: share(130n), served: [] });
    expect(first.grants).to.deep.equal([{ account: "0xa", amount: 30n }]);
    const known = new Map(first.bonds.map((one) => [one.nodeId, one]));
    const day = (days: number) => [{ nodeId: 1, account: "0xb", days }];
    const second = settleBonds(known, { epoch: 2, terms: bond, shares: share(5n, "0xb"), served: day(1) });
    expect(second.grants).to.deep.equal([{ account: "0xb", amount: 5n }]);
    expect(second.bonds).to.deep.equal([
      { nodeId: 1, account: "0xb", withheld: 100n, days: 1, servedIn: null },
    ]);
    const half = new Map(second.bonds.map((one) => [one.nodeId, one]));
    const third = settleBonds(half, { epoch: 3, terms: bond, shares: [], served: day(1) });
    expect(third.grants).to.deep.equal([{ account: "0xb", amount: 100n }]);
    expect(third.bonds).to.deep.equal([{ nodeId: 1, account: "0xb", withheld: 0n, days: 2, servedIn: 3 }]);
  });
});

describe("a day that counts for a bond", () => {
  const terms: BondTerms = { amount: 1n, days: 1, uptimePermille: 900 };
  const slots = (count: number, present: (slot: number) => number[], nodeCount: (slot: number) => number) =>
    Array.from({ length: count }, (_, slot) => ({
      slot,
      ...encodeHeartbeats(nodeCount(slot), new Set(present(slot))),
    }));
  const day = { firstSlot: 0, endSlot: 20, disputes: [], challenges: [] };

  it("is one with enough slots present, corrected by disputes and challenges", () => {
    const facts = {
      ...day,
      slots: slots(
        20,
        (slot) => (slot < 18 ? [1, 2, 3] : [3]),
        () => 3,
      ),
      disputes: [{ slot: 18, nodeId: 2 }],
      challenges: [
        { nodeId: 2, firstSlot: 0, lastSlot: 1 },
        { nodeId: 3, firstSlot: 5, lastSlot: 6 },
      ],
    };
    // Node 1: 18 of 20. Node 2: 18 + 1 - 2. Node 3: 20 - 2.
    expect(nodesThatServed(facts, terms).sort()).to.deep.equal([1, 3]);
  });

  it("holds the chain's silence against nobody, but the time before a node registered against it", () => {
    const facts = {
      ...day,
      slots: slots(
        10,
        (slot) => (slot < 3 ? [1] : [1, 2]),
        (slot) => (slot < 3 ? 1 : 2),
      ),
    };
    expect(nodesThatServed(facts, terms)).to.deep.equal([1]);
    expect(nodesThatServed({ ...day, slots: [] }, terms)).to.deep.equal([]);
  });
});
