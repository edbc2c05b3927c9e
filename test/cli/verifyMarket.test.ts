import { claimTreeOf } from "@ngpu/protocol/claimTree";
import { expect } from "chai";
import { concatHex, type Hex, pad, toHex } from "viem";
import { verifyMarket } from "../../cli/audit/verifyMarket.ts";
import { day, end, history, honest, leaf, posted, refunded } from "./recordedDay.ts";
import { honestEpoch } from "./recordedEpoch.ts";
import { account, at, earned, marketLogs, type Placed, serveMarket } from "./recordedMarket.ts";
import { assigned, market as placements } from "./recordedPlacements.ts";
import { run, sourceOf } from "./runVerify.ts";

type Difference = {
  kind: string;
  id: string;
  block: string;
  checks: Record<string, boolean>;
  detail: string;
};

/** What the command prints of a chain's logs. */
async function verified(logs: readonly Placed[], { fromEpoch = "1", omitted = [] as number[] } = {}) {
  const market = await serveMarket(logs, omitted);
  try {
    const { code, output } = await run(() =>
      verifyMarket({ ...sourceOf(market), fromEpoch, receipts: true }),
    );
    const { records, differences } = output as { records: Record<string, number>; differences: Difference[] };
    return { code, records, differences };
  } finally {
    await market.close();
  }
}

/** What it prints for people. */
async function shown(logs: readonly Placed[]): Promise<string> {
  const market = await serveMarket(logs);
  try {
    const { output } = await run(() => verifyMarket({ ...sourceOf(market), receipts: true, json: false }));
    return String(output.text);
  } finally {
    await market.close();
  }
}

/** A word of the totals of a lease, | nodeId 32 | workspaceId 64 | replica 16 | lease 32 | - 16 | amount 96 |. */
const leaseTotal = (amount: bigint, nodeId = 1): Hex =>
  toHex((BigInt(nodeId) << 224n) | (1n << 160n) | (1n << 112n) | amount, { size: 32 });
const payerTotal = (amount: bigint, owner = pad("0xa11ce", { size: 20 })): Hex =>
  concatHex([owner, toHex(amount, { size: 12 })]);
const batch = (number: bigint, changes: { total?: bigint; leases?: Hex[]; payers?: Hex[] } = {}) =>
  at(end, "Pomc", "ReceiptsCommitted", {
    number,
    root: pad("0x1"),
    total: changes.total ?? 24n,
    leaseTotals: changes.leases ?? [leaseTotal(24n)],
    payerTotals: changes.payers ?? [payerTotal(24n)],
  });

const falseRoot = pad("0x1", { size: 20 });

describe("verify market, from an RPC endpoint alone", () => {
  it("finds no difference in honest epochs, days, refunds, batches and placements, and counts them", async () => {
    const logs = await honestEpoch();
    const epoch = await verified(logs);
    expect(epoch.differences).to.deep.equal([]);
    expect([epoch.code, epoch.records.epoch]).to.deep.equal([0, 1]);
    expect(await shown(logs)).to.match(
      /^Valid\.\nRead \d+ logs of blocks 1 to \d+, proven by the receipts of their blocks\.\n/,
    );
    const days = await verified([...history, batch(1n), batch(2n), posted(honest), refunded()]);
    expect(days.differences).to.deep.equal([]);
    expect(days.records).to.include({ uptime: 1, refund: 1, receipts: 2 });
    const placed = await verified([...placements, assigned(7, 1)]);
    expect(placed.differences).to.deep.equal([]);
    expect(placed.records).to.include({ placement: 1 });
  });

  it("names each lie of a chain, the first one first", async () => {
    const lie = honest.with(2, { kind: "lease", ...leaf, downSeconds: 26 });
    const logs = [...history, batch(1n, { total: 25n }), batch(3n), posted(lie), refunded({ amount: 81n })];
    const { code, differences } = await verified(logs);
    expect(code).to.equal(2);
    expect(differences.map(({ kind, id }) => `${kind} ${id}`)).to.deep.equal([
      "receipts 1",
      "receipts 3",
      `uptime ${day}`,
      `refund ${day} 1/0/1`,
    ]);
    const text = await shown(logs);
    expect(text).to.match(
      new RegExp(
        `^Invalid; failed checks: receipts, uptime, refund\\.\n(.*\n)*Block ${end}: receipts 1 differs in total\\.`,
      ),
    );
    expect(text).to.include("the node of lease 1/0/1 was down for 26 s; the logs say 16 s.");
    expect(text).to.include("refunded 81 token units for 16 s");
  });

  it("says by how much an epoch's total differs", async () => {
    const { root } = claimTreeOf([{ account, cumulative: earned + 1n }]);
    const { code, differences } = await verified(marketLogs(root, earned + 1n));
    expect(code).to.equal(2);
    expect(differences).to.have.lengthOf(1);
    expect(differences[0]).to.deep.include({ kind: "epoch", id: "1" });
    expect(differences[0]?.detail).to.match(new RegExp(`recomputed are 0x\\w+ and ${earned}, -1 more\\.$`));
  });

  it("names an assignment to a node that was not the best", async () => {
    const { differences } = await verified([...placements, assigned(7, 2, { price: 20n })]);
    expect(differences.map(({ id, checks }) => [id, checks.best])).to.deep.equal([["1/0/1", false]]);
    expect(differences[0]?.detail).to.equal("The chain has node 2 at 20; best at block 5: 1, 2, 3.");
  });

  it("finds batches of leases that were not opened, of another node and of another payer", async () => {
    const lies = [
      ["leases", { leases: [leaseTotal(24n, 2)] }],
      ["payers", { payers: [payerTotal(24n, account)] }],
      ["total", { leases: [leaseTotal(23n)], payers: [payerTotal(23n)] }],
    ] as const;
    for (const [check, changes] of lies) {
      const { differences } = await verified([...history, batch(1n, { ...changes } as never), refunded()]);
      const failed = differences.flatMap(({ checks }) => Object.keys(checks).filter((name) => !checks[name]));
      expect(failed, check).to.include(check);
    }
  });

  it("finds a root that was posted before the evidence of its day or epoch was complete", async () => {
    const early = await verified([...history, posted(honest, end - 100)]);
    expect(early.differences.map(({ kind, checks }) => [kind, checks.over])).to.deep.equal([
      ["uptime", false],
    ]);
    const logs = marketLogs(falseRoot, 1n).map((placed) =>
      placed.log.topics[0] === marketLogs(falseRoot, 1n).at(-1)?.log.topics[0]
        ? { ...placed, block: 9 }
        : placed,
    );
    const soon = logs.filter(({ block }) => block < 20);
    const { differences } = await verified(soon);
    expect(differences.map(({ kind, checks }) => [kind, checks])).to.deep.equal([["epoch", { over: false }]]);
  });

  it("compares only records from an epoch on", async () => {
    const logs = marketLogs(falseRoot, 1n);
    expect((await verified(logs)).code).to.equal(2);
    const { code, records } = await verified(logs, { fromEpoch: "9" });
    expect([code, records.epoch]).to.deep.equal([0, 0]);
  });

  it("names the block of which an endpoint omits a log", async () => {
    const logs = [...history, posted(honest), refunded({}, end)];
    // The two last logs are of one block.
    const error = await verified(logs, { omitted: [logs.length - 2] }).catch((cause: unknown) => cause);
    expect(error).to.include({ code: "rpc_logs_missing" });
    expect(String(error)).to.include(`The endpoint gives 1 logs of block ${end}, and its receipts have 2.`);
  });
});
