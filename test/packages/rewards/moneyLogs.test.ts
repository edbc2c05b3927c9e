import type { ChainLog } from "@ngpu/rewards/chainLogs";
import { maturedDay } from "@ngpu/rewards/matured";
import { leasesOf } from "@ngpu/rewards/moneyLogs";
import { expect } from "chai";

const day = 86_400;
const lease = { workspaceId: 1n, replica: 0, lease: 1, nodeId: 1 };
const account = `0x${"11".repeat(20)}`;
const owner = `0x${"22".repeat(20)}`;

/** The logs in the order of their times, one a block. */
function logsOf(events: [time: number, name: string, args: Record<string, unknown>][]): ChainLog[] {
  return events.map(([time, name, args], index) => ({
    contract: "Escrow",
    generation: 1,
    name,
    args: { ...lease, ...args },
    block: BigInt(index + 1),
    logIndex: 0,
    time,
  }));
}

const opening: [number, string, Record<string, unknown>][] = [
  [0, "Authorized", { authorizationId: 1n, owner }],
  [0, "LeaseOpened", { authorizationId: 1n }],
];

/** What the payout of the last log burned the fee of, of the lease's payments. */
function paidBy(logs: ChainLog[], refundDays: number) {
  const blocks = { after: 0n, upTo: BigInt(logs.length) };
  const periods = { daySeconds: day, refundDays, feeBasisPoints: 100 };
  return leasesOf(logs, new Map([[1, account]]), blocks, periods)[0]?.now.paid;
}

describe("the days that a payout pays", () => {
  it("end two periods of refundDays before it", () => {
    expect(maturedDay(10 * day, { daySeconds: day, refundDays: 1 })).to.equal(8);
    expect(maturedDay(11 * day - 1, { daySeconds: day, refundDays: 1 })).to.equal(8);
    expect(maturedDay(10 * day, { daySeconds: day, refundDays: 2 })).to.equal(7);
    expect(maturedDay(12 * day - 1, { daySeconds: day, refundDays: 2 })).to.equal(7);
    expect(maturedDay(12 * day, { daySeconds: day, refundDays: 2 })).to.equal(9);
  });

  it("never include one that can still be refunded", () => {
    for (const refundDays of [1, 2]) {
      for (let today = 4; today < 40; today++) {
        const last = maturedDay(today * day, { daySeconds: day, refundDays });
        expect(today - last > refundDays).to.equal(true);
      }
    }
  });
});

describe("leases from the chain's logs", () => {
  const settled = (time: number, amount: bigint): (typeof opening)[number] => [time, "Settled", { amount }];
  const collected = (time: number): (typeof opening)[number] => [time, "Collected", {}];

  it("count what was settled on the days that the payout paid, and no later day", () => {
    const logs = logsOf([
      ...opening,
      settled(7 * day + 100, 5n),
      settled(8 * day + 100, 70n),
      settled(9 * day + 100, 900n),
      collected(10 * day + 200),
    ]);
    expect(paidBy(logs, 1)).to.equal(75n);
    expect(paidBy(logs, 2)).to.equal(5n);
  });

  it("are not paid a second time by another payout of the same days", () => {
    const logs = logsOf([
      ...opening,
      settled(7 * day + 100, 5n),
      collected(10 * day + 200),
      collected(11 * day),
    ]);
    const blocks = { after: 4n, upTo: 5n };
    const periods = { daySeconds: day, refundDays: 2, feeBasisPoints: 100 };
    expect(leasesOf(logs, new Map([[1, account]]), blocks, periods)).to.deep.equal([]);
  });
});
