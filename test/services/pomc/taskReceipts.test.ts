import { resultHashOf, taskHashOf, verifyTaskReceipt } from "@ngpu/protocol/taskReceiptTree";
import { expect } from "chai";
import fc from "fast-check";
import { type Hex, keccak256, toHex } from "viem";
import {
  leaseKey,
  makeBatch,
  type Paid,
  type ServedTask,
} from "../../../services/pomc/taskReceipts/decide.ts";
import { runs } from "../../support/runs.ts";

const payerOf = (index: number): Hex => toHex(index + 1, { size: 20 });

/** Each payer has one workspace; a lease of it runs on one node. */
const task = fc
  .record({
    id: fc.uuid(),
    payer: fc.nat({ max: 3 }),
    replica: fc.nat({ max: 2 }),
    rate: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    durationMs: fc.nat({ max: 10_000_000 }),
    succeeded: fc.boolean(),
    pending: fc.boolean(),
  })
  .map(
    ({ payer, replica, ...others }): ServedTask => ({
      ...others,
      payer: payerOf(payer),
      workspaceId: BigInt(payer),
      replica,
      lease: 1,
      nodeId: 1 + ((payer + replica) % 3),
      finishedAt: 1_700_000_000_000n,
      resultHash: keccak256("0x01"),
    }),
  );
const sum = fc.bigInt({ min: -5n, max: 2n ** 80n });

const paid: fc.Arbitrary<Paid> = fc
  .record({
    leases: fc.array(sum, { minLength: 12, maxLength: 12 }),
    others: fc.array(sum, { minLength: 8 }),
  })
  .map(({ leases, others }) => ({
    leases: new Map(
      leases.map((left, place) => [
        leaseKey({ workspaceId: BigInt(place >> 2), replica: place & 3, lease: 1 }),
        left,
      ]),
    ),
    payers: new Map(others.slice(0, 4).map((left, place) => [payerOf(place), left])),
    nodes: new Map(others.slice(4, 8).map((left, place) => [place, left])),
  }));

const amountIn = (word: Hex) => BigInt(`0x${word.slice(-24)}`);

describe("task receipts", () => {
  it("never exceed what was paid, by lease, payer and node, and both totals are equal", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(task, { minLength: 1, maxLength: 40, selector: ({ id }) => id }),
        paid,
        (tasks, left) => {
          const batch = makeBatch(tasks, left);
          if (batch === undefined) {
            expect(tasks.every(({ pending }) => pending)).to.equal(true);
            return;
          }
          const { receipts } = batch;
          const spent = (of: (receipt: (typeof receipts)[number]) => unknown, key: unknown) =>
            receipts
              .filter((receipt) => of(receipt) === key)
              .reduce((total, { amount }) => total + amount, 0n);
          const within = (amount: bigint, limit: bigint | undefined) =>
            expect(amount === 0n || amount <= (limit ?? 0n)).to.equal(true);
          for (const receipt of receipts) {
            within(spent(leaseKey, leaseKey(receipt)), left.leases.get(leaseKey(receipt)));
            within(
              spent(({ payer }) => payer, receipt.payer),
              left.payers.get(receipt.payer),
            );
            within(
              spent(({ nodeId }) => nodeId, receipt.nodeId),
              left.nodes.get(receipt.nodeId),
            );
            expect(verifyTaskReceipt(batch.root, receipt, receipt.proof)).to.equal(true);
            const { rate = 0n } = tasks.find(({ id }) => id === receipt.taskId) ?? {};
            expect(receipt.amount <= (rate * BigInt(receipt.durationMs)) / 1_000n).to.equal(true);
          }
          for (const totals of [batch.leaseTotals, batch.payerTotals]) {
            expect(totals.reduce((total, word) => total + amountIn(word), 0n)).to.equal(batch.total);
          }
        },
      ),
      { numRuns: runs(100) },
    );
  });

  it("end a batch before the 513th lease or payer, and need at least one task", () => {
    const tasks = Array.from(
      { length: 600 },
      (_, index): ServedTask => ({
        id: `${index}`,
        payer: payerOf(0),
        workspaceId: 1n,
        replica: 0,
        lease: 1,
        nodeId: index + 1,
        finishedAt: 1n,
        durationMs: 1_000,
        succeeded: true,
        resultHash: keccak256("0x"),
        rate: 1n,
        pending: false,
      }),
    );
    const nothing = { leases: new Map(), payers: new Map(), nodes: new Map() };
    expect(makeBatch(tasks, nothing)?.receipts.length).to.equal(512);
    expect(makeBatch([], nothing)).to.equal(undefined);
  });

  it("wait for a later batch while their lease runs and less is paid than they cost", () => {
    const cost = { durationMs: 5_000, rate: 2n };
    const one: ServedTask = {
      id: "one",
      payer: payerOf(0),
      workspaceId: 1n,
      replica: 0,
      lease: 1,
      nodeId: 1,
      pending: true,
      finishedAt: 1n,
      succeeded: true,
      resultHash: keccak256("0x"),
      ...cost,
    };
    const left = (amount: bigint) => ({
      leases: new Map([[leaseKey(one), amount]]),
      payers: new Map([[one.payer, 100n]]),
      nodes: new Map([[1, 100n]]),
    });
    expect(makeBatch([one], left(9n))).to.equal(undefined);
    expect(makeBatch([one], left(10n))?.total).to.equal(10n);
    expect(makeBatch([{ ...one, pending: false }], left(9n))?.total).to.equal(9n);
  });

  it("hash a result with its task, for any order of its fields", () => {
    expect(resultHashOf("a", { x: 1, y: [2n] })).to.equal(resultHashOf("a", { y: ["2"], x: 1 }));
    expect(resultHashOf("a", { x: 1 })).to.not.equal(resultHashOf("b", { x: 1 }));
    expect(resultHashOf("a", undefined)).to.equal(resultHashOf("a", null));
    expect(taskHashOf("a")).to.not.equal(taskHashOf("b"));
  });
});
