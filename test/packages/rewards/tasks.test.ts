import { isNear, type MeasurerResult, shareMeasurers } from "@ngpu/rewards/measurers";
import { incentiveOf, type LeaseFacts, shareTasks } from "@ngpu/rewards/tasks";
import { expect } from "chai";
import fc from "fast-check";
import { account, anyTerms, plainTerms, sum, token } from "./market.ts";

const unlimited = 10n ** 30n;
const amounts = fc.bigInt({ min: 0n, max: 10n ** 24n });

const lease = (changes: Partial<LeaseFacts> = {}): LeaseFacts => ({
  workspaceId: 1n,
  replica: 0,
  lease: 1,
  nodeId: 1,
  node: account(1),
  payer: account(2),
  feeBasisPoints: 100,
  before: { paid: 0n, receipts: 0n },
  now: { paid: 10_000n * token, receipts: 10_000n * token },
  ...changes,
});

const anyLease = fc
  .record({
    paid: amounts,
    receipts: amounts,
    more: amounts,
    moreReceipts: amounts,
    fee: fc.integer({ min: 0, max: 1_000 }),
  })
  .map(({ paid, receipts, more, moreReceipts, fee }) =>
    lease({
      feeBasisPoints: fee,
      before: { paid, receipts },
      now: { paid: paid + more, receipts: receipts + moreReceipts },
    }),
  );

const granted = (leases: readonly LeaseFacts[], terms = plainTerms(), limit = unlimited) =>
  sum(shareTasks(leases, limit, terms).map(({ nodeAmount, payerAmount }) => nodeAmount + payerAmount));

describe("task incentives", () => {
  it("are half of the fee for what was paid, and all of it for what receipts account for", () => {
    expect(incentiveOf({ paid: 10_000n, receipts: 0n }, 100)).to.equal(50n);
    expect(incentiveOf({ paid: 10_000n, receipts: 10_000n }, 100)).to.equal(100n);
    expect(incentiveOf({ paid: 10_000n, receipts: 99_999n }, 100)).to.equal(100n);
    expect(incentiveOf({ paid: -5n, receipts: 7n }, 100)).to.equal(0n);
  });

  it("go to the node and the payer, each its part", () => {
    const [share] = shareTasks([lease()], unlimited, plainTerms());
    expect(share).to.include({ incentive: 100n * token, nodeAmount: 45n * token, payerAmount: 45n * token });
  });

  it("lose at least a tenth of the fee to who deals with itself, whatever it pays and claims as tasks", () => {
    fc.assert(
      fc.property(fc.array(anyLease, { minLength: 1, maxLength: 8 }), anyTerms, (leases, terms) => {
        // What these leases paid was burned as their fee, rounded up for each payout.
        const fee = sum(
          leases.map(
            ({ now, before, feeBasisPoints }) =>
              ((now.paid - before.paid) * BigInt(feeBasisPoints)) / 10_000n + 1n,
          ),
        );
        const fresh = leases.map((one) => ({
          ...one,
          now: { paid: one.now.paid - one.before.paid, receipts: one.now.receipts },
          before: { paid: 0n, receipts: 0n },
        }));
        expect(granted(fresh, terms) * 10n <= fee * 9n).to.equal(true);
      }),
    );
  });

  it("are bounded by the fee that the same lease burned: others' fees are out of reach", () => {
    const stranger = lease({ workspaceId: 2n, nodeId: 2 });
    const greedy = lease({ now: { paid: 1n, receipts: 10n ** 24n } });
    expect(granted([stranger, greedy])).to.equal(granted([stranger]));
  });

  it("grant the parts of a lease no more than the whole, in one epoch or in several", () => {
    fc.assert(
      fc.property(anyLease, fc.integer({ min: 1, max: 99 }), (one, percent) => {
        const part = (amount: bigint) => (amount * BigInt(percent)) / 100n;
        const from = { paid: 0n, receipts: 0n };
        const half = { paid: part(one.now.paid), receipts: part(one.now.receipts) };
        const rest = { paid: one.now.paid - half.paid, receipts: one.now.receipts - half.receipts };
        const whole = granted([{ ...one, before: from }]);
        const pieces = granted([
          { ...one, before: from, now: half },
          { ...one, lease: 2, before: from, now: rest },
        ]);
        expect(pieces <= whole).to.equal(true);
        const inTurn = granted([{ ...one, before: from, now: half }]) + granted([{ ...one, before: half }]);
        expect(inTurn <= whole).to.equal(true);
      }),
    );
  });

  it("never exceed what the emission has left", () => {
    fc.assert(
      fc.property(fc.array(anyLease, { maxLength: 12 }), anyTerms, amounts, (leases, terms, limit) => {
        expect(granted(leases, terms, limit) <= limit).to.equal(true);
      }),
    );
  });
});

describe("the measurers' part", () => {
  const seen = { downMbps: 900n, upMbps: 800n, portsReachable: 4n, diskWriteMibps: 500n };
  const result = (measurerId: number, changes: Partial<MeasurerResult> = {}): MeasurerResult => ({
    measurerId,
    account: account(measurerId),
    result: seen,
    median: seen,
    ...changes,
  });

  it("is shared by results, up to the rate of one", () => {
    const terms = plainTerms({ measurerBasisPoints: 200, measurerRate: 2n * token });
    const results = [result(1), result(1), result(1), result(2)];
    const shares = shareMeasurers(results, 1_000n * token, terms);
    expect(shares.map(({ amount }) => amount)).to.deep.equal([6n * token, 2n * token]);
    const scarce = shareMeasurers(results, 100n * token, terms);
    expect(scarce.map(({ amount }) => amount)).to.deep.equal([(3n * token) / 2n, token / 2n]);
  });

  it("is lost for an epoch by one result that contradicts what the others saw", () => {
    const terms = plainTerms({ measurerBasisPoints: 200, measurerRate: token });
    expect(isNear(result(1, { result: null, median: null }))).to.equal(true);
    for (const other of [null, { ...seen, portsReachable: 3n }]) {
      expect(isNear(result(1, { result: other }))).to.equal(false);
      const results = [result(1), result(1, { result: other }), result(2)];
      expect(shareMeasurers(results, 1_000n * token, terms)).to.deep.equal([
        { measurerId: 2, account: account(2), results: 1, amount: token },
      ]);
    }
  });

  it("is not paid for a result with other rates, and a line slower or faster than the others' loses nothing else", () => {
    const terms = plainTerms({ measurerBasisPoints: 200, measurerRate: token });
    for (const downMbps of [100n, 9_000n]) {
      const far = { ...seen, downMbps };
      expect(isNear(result(1, { result: far }))).to.equal(false);
      const results = [result(1), result(1, { result: far }), result(2), result(3, { result: far })];
      expect(shareMeasurers(results, 1_000n * token, terms)).to.deep.equal([
        { measurerId: 1, account: account(1), results: 1, amount: token },
        { measurerId: 2, account: account(2), results: 1, amount: token },
      ]);
      expect(shareMeasurers([result(3, { result: far })], 1_000n * token, terms)).to.deep.equal([]);
    }
  });

  it("never exceeds its part of the emission", () => {
    fc.assert(
      fc.property(
        anyTerms,
        fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 60 }),
        amounts,
        (terms, ids, emission) => {
          const shares = shareMeasurers(
            ids.map((id) => result(id)),
            emission,
            terms,
          );
          const most = (emission * BigInt(terms.measurerBasisPoints)) / 10_000n;
          expect(sum(shares.map(({ amount }) => amount)) <= most).to.equal(true);
        },
      ),
    );
  });
});
