import { encodeHeartbeats } from "@ngpu/protocol/heartbeatBits";
import {
  type BondTerms,
  dueBonds,
  type NodeBond,
  nodesThatServed,
  reservedForBonds,
  settleBonds,
} from "@ngpu/rewards/bonds";
import { addShares } from "@ngpu/rewards/epochs";
import { expect } from "chai";
import fc from "fast-check";

const emission = 1_000n;
const nodes = 6;

/**
 * An epoch: each node's earnings (in thousandths of an equal part of the emission), its served days and its wallet, and whether
 * the epoch is the first one of a Pomc that replaced another.
 */
const epoch = fc.record({
  replaced: fc.boolean(),
  earned: fc.array(fc.integer({ min: 0, max: 1_000 }), { minLength: nodes, maxLength: nodes }),
  served: fc.array(fc.integer({ min: 0, max: 2 }), { minLength: nodes, maxLength: nodes }),
  wallets: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: nodes, maxLength: nodes }),
});
const terms = fc.record({
  amount: fc.bigInt({ min: 0n, max: 600n }),
  epochs: fc.integer({ min: 0, max: 3 }),
  days: fc.integer({ min: 1, max: 6 }),
  uptimePermille: fc.constant(900),
});
const history = fc.array(fc.tuple(epoch, terms), { minLength: 1, maxLength: 20 });
const ofOnePomc = (epochs: [Epoch, BondTerms][]) =>
  epochs.map(([facts, bond]): [Epoch, BondTerms] => [{ ...facts, replaced: false }, bond]);

type Epoch = { replaced: boolean; earned: number[]; served: number[]; wallets: number[] };

function factsOf({ earned, served, wallets }: Epoch, emission: bigint) {
  const accountOf = (index: number) => `0x${wallets[index]}`;
  const shares = earned.map((permille, index) => ({
    nodeId: index + 1,
    account: accountOf(index),
    amount: (emission * BigInt(permille)) / BigInt(1_000 * nodes),
  }));
  const days = served.map((count, index) => ({ nodeId: index + 1, account: accountOf(index), days: count }));
  return { shares, served: days.filter(({ days: count }) => count > 0) };
}

/** Settles epochs in order and passes each to `each`. A Pomc that replaces another grants from zero and keeps the bonds. */
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
    /** Maximum total grants of the epoch's Pomc. */
    schedule: bigint;
    /** The part of the emission reserved for bonds of a previous Pomc. */
    reserved: bigint;
  }) => void,
): void {
  let granted = new Map<string, bigint>();
  let before = new Map<number, NodeBond>();
  let schedule = 0n;
  for (const [index, [facts, ofEpoch]] of epochs.entries()) {
    if (facts.replaced) {
      granted = new Map();
      schedule = 0n;
    }
    const number = index + 1;
    schedule += emission;
    const grantLimit = schedule - sum(granted.values());
    const days = factsOf(facts, emission).served;
    const due = dueBonds(before, { terms: ofEpoch, served: days });
    const reserved = reservedForBonds(due, grantLimit, emission);
    const { shares, served } = factsOf(facts, emission - reserved);
    // As in close.ts: a due bond needs no new day.
    const waiting = due.filter(({ nodeId }) => served.every((one) => one.nodeId !== nodeId));
    const all = [...served, ...waiting.map(({ nodeId, account }) => ({ nodeId, account, days: 0 }))];
    const { grants, bonds: changed } = settleBonds(before, {
      epoch: number,
      terms: ofEpoch,
      shares,
      served: all,
      grantLimit,
    });
    const earlier = granted;
    granted = addShares(granted, grants);
    const bonds = new Map(before);
    for (const bond of changed) bonds.set(bond.nodeId, bond);
    each({ terms: ofEpoch, before, bonds, granted, earlier, shares, grants, number, schedule, reserved });
    before = bonds;
  }
}

const larger = (a: bigint, b: bigint) => (a > b ? a : b);
const unbounded = 10n ** 30n;
const sum = (amounts: Iterable<bigint>) => [...amounts].reduce((total, amount) => total + amount, 0n);

describe("bonds", () => {
  it("never lower the grants of an account by a Pomc, and never exceed its schedule", () => {
    fc.assert(
      fc.property(history, (epochs) => {
        play(epochs, ({ granted, earlier, schedule }) => {
          for (const [account, amount] of earlier) {
            expect((granted.get(account) ?? 0n) >= amount).to.equal(true);
          }
          expect(sum(granted.values()) <= schedule).to.equal(true);
        });
      }),
    );
  });

  it("withhold at most the bond of each node, and nothing once it is served", () => {
    fc.assert(
      fc.property(history, (epochs) => {
        play(epochs, ({ bonds, before, terms: { amount, epochs: times, days } }) => {
          for (const [nodeId, bond] of bonds) {
            const known = before.get(nodeId);
            if (known !== bond) {
              const needed = larger(amount, BigInt(times) * bond.highest);
              expect(bond.withheld <= larger(needed, known?.withheld ?? 0n)).to.equal(true);
            }
            if (bond.servedIn === null) continue;
            expect(bond.withheld).to.equal(0n);
            if (before.get(nodeId) !== bond) expect(bond.days).to.be.at.least(days);
          }
        });
      }),
    );
  });

  it("return exactly the withheld amount: earnings are either granted by one of the Pomcs or withheld", () => {
    fc.assert(
      fc.property(history, (epochs) => {
        let earned = 0n;
        let granted = 0n;
        play(epochs, ({ shares, grants, bonds }) => {
          earned += sum(shares.map(({ amount }) => amount));
          granted += sum(grants.map(({ amount }) => amount));
          const withheld = sum([...bonds.values()].map((bond) => bond.withheld));
          expect(granted + withheld).to.equal(earned);
        });
      }),
    );
  });

  it("reduce no share within one Pomc, and take at most a quarter of an epoch's emission after a replacement", () => {
    fc.assert(
      fc.property(history, (epochs) => {
        play(ofOnePomc(epochs), ({ reserved }) => expect(reserved).to.equal(0n));
        play(epochs, ({ reserved }) => expect(reserved <= emission / 4n).to.equal(true));
      }),
    );
  });

  it("are returned when they are served: in one epoch by their own Pomc, over several epochs by its successor", () => {
    const bond: BondTerms = { amount: 600n, epochs: 0, days: 1, uptimePermille: 900 };
    const facts = (replaced: boolean, served: number): [Epoch, BondTerms] => [
      {
        replaced,
        earned: Array(nodes).fill(1_000),
        served: Array(nodes).fill(served),
        wallets: Array(nodes).fill(1),
      },
      bond,
    ];
    // 3,600 are withheld: almost the complete emission of four epochs, all of which is shared.
    const earning = Array.from({ length: 4 }, () => facts(false, 0));
    const left: bigint[] = [];
    const note = ({ bonds }: { bonds: ReadonlyMap<number, NodeBond> }) =>
      left.push(sum([...bonds.values()].map(({ withheld }) => withheld)));
    play([...earning, facts(false, 1)], note);
    expect([left.at(-2), left.at(-1)]).to.deep.equal([3_600n, 0n]);
    left.length = 0;
    const later = Array.from({ length: 14 }, () => facts(false, 0));
    play([...earning, facts(true, 1), ...later], note);
    // A quarter of 1,000 in each epoch.
    expect(left.slice(3, 6)).to.deep.equal([3_600n, 3_350n, 3_100n]);
    expect(left.slice(-2)).to.deep.equal([100n, 0n]);
  });

  it("give a machine no advantage from splitting its work over identities that have not served", () => {
    const work = fc.array(fc.array(fc.bigInt({ min: 0n, max: 400n }), { minLength: 3, maxLength: 3 }), {
      minLength: 1,
      maxLength: 12,
    });
    const inProportion = fc
      .tuple(fc.array(fc.bigInt({ min: 0n, max: 20n }), { minLength: 3, maxLength: 3 }), work)
      .map(([parts, epochs]) => epochs.map(([total = 0n]) => parts.map((part) => part * total)));
    const any = fc.oneof(
      fc.record({ epochs: work, times: fc.constant(0) }),
      fc.record({ epochs: inProportion, times: fc.integer({ min: 0, max: 4 }) }),
    );
    fc.assert(
      fc.property(any, fc.bigInt({ min: 1n, max: 600n }), ({ epochs, times }, amount) => {
        // With a bond that grows, the identities are parts of one machine: they earn in fixed proportions.
        const bond: BondTerms = { amount, epochs: times, days: 7, uptimePermille: 900 };
        const grantedTo = (ofEpoch: (parts: bigint[]) => bigint[]) => {
          let before = new Map<number, NodeBond>();
          let total = 0n;
          return epochs.map((parts, index) => {
            const shares = ofEpoch(parts).map((part, place) => {
              return { nodeId: place + 1, account: `0x${place}`, amount: part };
            });
            const settled = settleBonds(before, {
              epoch: index + 1,
              terms: bond,
              shares,
              served: [],
              grantLimit: unbounded,
            });
            before = new Map([...before, ...settled.bonds.map((one) => [one.nodeId, one] as const)]);
            total += sum(settled.grants.map((grant) => grant.amount));
            return total;
          });
        };
        const single = grantedTo((parts) => [sum(parts)]);
        const split = grantedTo((parts) => parts);
        for (const [index, total] of split.entries()) expect(total <= (single[index] ?? 0n)).to.equal(true);
      }),
    );
  });

  it("are returned in one epoch, to the account that receives the node's rewards then", () => {
    const bond: BondTerms = { amount: 100n, epochs: 0, days: 2, uptimePermille: 900 };
    const share = (amount: bigint, account = "0xa") => [{ nodeId: 1, account, amount }];
    const first = settleBonds(new Map(), {
      epoch: 1,
      terms: bond,
      shares: share(130n),
      served: [],
      grantLimit: unbounded,
    });
    expect(first.grants).to.deep.equal([{ account: "0xa", amount: 30n }]);
    const known = new Map(first.bonds.map((one) => [one.nodeId, one]));
    const day = (days: number) => [{ nodeId: 1, account: "0xb", days }];
    const second = settleBonds(known, {
      epoch: 2,
      terms: bond,
      shares: share(5n, "0xb"),
      served: day(1),
      grantLimit: unbounded,
    });
    expect(second.grants).to.deep.equal([{ account: "0xb", amount: 5n }]);
    expect(second.bonds).to.deep.equal([
      { nodeId: 1, account: "0xb", withheld: 100n, highest: 130n, days: 1, servedIn: null },
    ]);
    const half = new Map(second.bonds.map((one) => [one.nodeId, one]));
    const third = settleBonds(half, {
      epoch: 3,
      terms: bond,
      shares: [],
      served: day(1),
      grantLimit: unbounded,
    });
    expect(third.grants).to.deep.equal([{ account: "0xb", amount: 100n }]);
    expect(third.bonds).to.deep.equal([
      { nodeId: 1, account: "0xb", withheld: 0n, highest: 130n, days: 2, servedIn: 3 },
    ]);
  });

  it("grow with the highest rewards of an epoch, and do not shrink when a node earns less", () => {
    const bond: BondTerms = { amount: 100n, epochs: 3, days: 9, uptimePermille: 900 };
    let known: ReadonlyMap<number, NodeBond> = new Map();
    const grants: bigint[] = [];
    for (const [index, amount] of [80n, 80n, 80n, 200n, 1n, 400n].entries()) {
      const settled = settleBonds(known, {
        epoch: index + 1,
        terms: bond,
        served: [],
        grantLimit: unbounded,
        shares: [{ nodeId: 1, account: "0xa", amount }],
      });
      grants.push(sum(settled.grants.map((grant) => grant.amount)));
      known = new Map([...known, ...settled.bonds.map((one) => [one.nodeId, one] as const)]);
    }
    // The bond is 240, then 600 and 1,200 at most; nothing is granted before it is complete.
    expect(grants).to.deep.equal([0n, 0n, 0n, 0n, 0n, 0n]);
    expect(known.get(1)).to.include({ withheld: 841n, highest: 400n });
    const { grants: rest } = settleBonds(known, {
      epoch: 7,
      terms: bond,
      served: [],
      grantLimit: unbounded,
      shares: [{ nodeId: 1, account: "0xa", amount: 390n }],
    });
    expect(rest).to.deep.equal([{ account: "0xa", amount: 31n }]);
  });
});

describe("a day that counts for a bond", () => {
  const terms: BondTerms = { amount: 1n, epochs: 0, days: 1, uptimePermille: 900 };
  const slots = (count: number, present: (slot: number) => number[], nodeCount: (slot: number) => number) =>
    Array.from({ length: count }, (_, slot) => ({
      slot,
      ...encodeHeartbeats(nodeCount(slot), new Set(present(slot))),
    }));
  const day = { firstSlot: 0, endSlot: 20, disputes: [], challenges: [] };

  it("has enough present slots, after disputes and challenges", () => {
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

  it("ignores slots that were never committed, but counts slots before a node registered as absent", () => {
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
