import { expect } from "chai";
import { concat, type Hex, toHex } from "viem";
import {
  eventLog,
  previousContracts,
  type ScriptedLog,
  testContracts,
} from "../../packages/chain-reader/scriptedChain.ts";
import { alice, bob, ref, useExportedChain } from "./exportedChain.ts";
import { word } from "./fixtures.ts";

const authorized = eventLog("Escrow", "Authorized", {
  authorizationId: 1n,
  owner: alice,
  delegate: bob,
  maxRate: 2n ** 64n - 1n,
  daily: 2n ** 96n - 1n,
  total: 2n ** 128n - 1n,
  scope: word(0),
  expiry: 1_800_000_000,
});
const opened = eventLog("Escrow", "LeaseOpened", { ...ref, authorizationId: 1n, rate: 5n, lock: 50n });
const settled = (amount: bigint, settledAt: number): ScriptedLog =>
  eventLog("Escrow", "Settled", { ...ref, amount, fromLock: 0n, settledAt });

/** A lease's total in a batch of receipts: of node 9, replica 1 and the highest lease number. */
const totalOf = (workspaceId: bigint, amount: bigint): Hex =>
  toHex((9n << 224n) | (workspaceId << 160n) | (1n << 144n) | ((2n ** 32n - 1n) << 112n) | amount, {
    size: 32,
  });

describe("projections of money", function () {
  this.timeout(60_000);
  const { mined, rows, row, current } = useExportedChain();

  it("sum deposits, withdrawals, payments and refunds of leases, and earnings of nodes", async () => {
    const refunded = (amount: bigint) =>
      eventLog("Escrow", "Refunded", { ...ref, owner: alice, day: 9n, downSeconds: 60, amount });
    const large = 2n ** 128n - 1n;
    const deposited = (amount: bigint) =>
      eventLog("Escrow", "Deposited", { account: alice, from: bob, amount });
    await mined(
      [authorized, deposited(large), deposited(large), opened, settled(3n, 10)],
      [
        settled(4n, 20),
        settled(5n, 30),
        eventLog("Escrow", "Withdrawn", { account: alice, to: bob, amount: 2n }),
      ],
      [eventLog("Escrow", "Collected", { nodeId: 1, to: bob, amount: 6n, fee: 1n }), refunded(2n)],
      [refunded(1n)],
    );
    expect(await current("escrow_account")).to.deep.equal([
      {
        account: alice,
        generation: 2,
        deposited: 2n * large,
        withdrawn: 2n,
        settled: 12n,
        refunded: 3n,
        burned: 0n,
        block_number: 4n,
      },
    ]);
    expect((await current("node_earning"))[0]).to.deep.equal({
      node_id: 1,
      generation: 2,
      earned: 12n,
      refunded: 3n,
      collected: 6n,
      burned: 1n,
      block_number: 4n,
    });
    expect(await row("select settled, refunded from lease")).to.deep.equal({ settled: 12n, refunded: 3n });
    expect(await row("select settled from escrow_account_history where valid_from = 1")).to.deep.equal({
      settled: 3n,
    });
    expect(await row("select total, revoked from spending_authorization")).to.deep.equal({
      total: large,
      revoked: false,
    });
  });

  it("keep the rows of contracts separate from those of the contracts they replaced", async () => {
    const { Escrow: escrow, Pomc: pomc, DockerContract: docker } = previousContracts;
    const later = 2n ** 40n;
    const deposited = (amount: bigint, at?: Hex) =>
      eventLog("Escrow", "Deposited", { account: alice, from: alice, amount }, at);
    const paid = (workspaceId: bigint, amount: bigint, at?: Hex) => [
      eventLog("Escrow", "Settled", { ...ref, workspaceId, amount, fromLock: 0n, settledAt: 1 }, at),
      eventLog("Escrow", "Collected", { nodeId: 1, to: bob, amount: amount - 1n, fee: 1n }, at),
    ];
    const authorization = {
      owner: alice,
      delegate: bob,
      maxRate: 1n,
      daily: 1n,
      total: 9n,
      scope: word(0),
      expiry: 9,
    };
    const leased = (before: bigint, at?: Hex) => [
      eventLog("Escrow", "Authorized", { ...authorization, authorizationId: before + 1n }, at),
      eventLog(
        "Escrow",
        "LeaseOpened",
        { ...ref, workspaceId: before + 1n, authorizationId: before + 1n, rate: 5n, lock: 50n },
        at,
      ),
    ];
    const image = (reference: string, at?: Hex) =>
      eventLog(
        "DockerContract",
        "ImageRegistered",
        { digest: word(1), owner: alice, sizeBytes: 1n, chunkRoot: word(2), ref: reference },
        at,
      );
    const posted = (total: bigint, at?: Hex) =>
      eventLog(
        "Pomc",
        "EpochPosted",
        { number: 1n, root: toHex(total, { size: 20 }), total, dataHash: word(4), activatesAt: 50 },
        at,
      );
    const claimed = (cumulative: bigint, at?: Hex) =>
      eventLog("Pomc", "Claimed", { account: alice, cumulative }, at);
    const granted = (cumulative: bigint, at?: Hex) =>
      eventLog(
        "Pomc",
        "ClaimedMany",
        { number: 1n, grants: concat([bob, toHex(cumulative, { size: 12 })]) },
        at,
      );
    await mined(
      [deposited(100n, escrow), ...leased(0n, escrow), image("old", docker), posted(10n, pomc)],
      // Both are in use, in the same block and in alternating blocks.
      [
        deposited(70n),
        ...leased(later),
        image("new"),
        ...paid(1n, 30n, escrow),
        posted(20n),
        claimed(4n, pomc),
      ],
      [claimed(5n), granted(6n, pomc), granted(7n), ...paid(later + 1n, 20n), deposited(1n, escrow)],
      [
        eventLog("Pomc", "EpochDisabled", { number: 1n }, pomc),
        eventLog("Pomc", "EpochAttested", { number: 1n, watcher: bob, activatesAt: 77 }),
      ],
    );
    const of = (sql: string) => rows(`${sql} order by 1, generation`);
    expect(await of("select account, generation, deposited, settled from escrow_account")).to.deep.equal([
      { account: alice, generation: 1, deposited: 101n, settled: 30n },
      { account: alice, generation: 2, deposited: 70n, settled: 20n },
    ]);
    expect(await of("select node_id, generation, earned, collected, burned from node_earning")).to.deep.equal(
      [
        { node_id: 1, generation: 1, earned: 30n, collected: 29n, burned: 1n },
        { node_id: 1, generation: 2, earned: 20n, collected: 19n, burned: 1n },
      ],
    );
    expect(await of("select digest, generation, reference from image")).to.deep.equal([
      { digest: word(1), generation: 1, reference: "old" },
      { digest: word(1), generation: 2, reference: "new" },
    ]);
    expect(await of("select number, generation, total, disabled from epoch")).to.deep.equal([
      { number: 1n, generation: 1, total: 10n, disabled: true },
      { number: 1n, generation: 2, total: 20n, disabled: false },
    ]);
    expect(await of("select activates_at, generation from epoch")).to.deep.include({
      activates_at: 77n,
      generation: 2,
    });
    expect(await of("select account, generation, claimed from claim")).to.deep.equal([
      { account: bob, generation: 1, claimed: 6n },
      { account: bob, generation: 2, claimed: 7n },
      { account: alice, generation: 1, claimed: 4n },
      { account: alice, generation: 2, claimed: 5n },
    ]);
    expect(await of("select workspace_id, generation, settled from lease")).to.deep.equal([
      { workspace_id: 1n, generation: 1, settled: 30n },
      { workspace_id: later + 1n, generation: 2, settled: 20n },
    ]);
    expect(await of("select authorization_id, generation from spending_authorization")).to.deep.equal([
      { authorization_id: 1n, generation: 1 },
      { authorization_id: later + 1n, generation: 2 },
    ]);
  });

  it("identify the contract of a row by its generation", async () => {
    const minted = eventLog("Token", "MinterSet", { minter: bob, limit: 1n });
    const deposit = { account: alice, from: alice, amount: 1n };
    await mined([
      eventLog("Escrow", "Deposited", deposit, previousContracts.Escrow),
      eventLog("Escrow", "Deposited", deposit),
      minted,
    ]);
    const sql = `select generation, address from event_deposited
      join contract using (generation) where name = 'Escrow' order by log_index`;
    expect(await rows(sql)).to.deep.equal([
      { generation: 1, address: previousContracts.Escrow },
      { generation: 2, address: testContracts.Escrow },
    ]);
    // A contract that was never replaced has generation 1.
    expect(await row("select generation from event_minter_set")).to.deep.equal({ generation: 1 });
    const names = await rows("select name, count(*)::int as count from contract group by name order by name");
    expect(names.map(({ name, count }) => `${name} ${count}`)).to.deep.equal([
      "AccessManager 1",
      "ComputeNode 1",
      "DockerContract 2",
      "Escrow 2",
      "Measure 2",
      "Pomc 2",
      "Progress 2",
      "ProofWaves 2",
      "Token 1",
    ]);
  });

  it("store the root and total of a batch of task receipts, and its event's totals as logged", async () => {
    await mined([
      eventLog("Pomc", "ReceiptsCommitted", {
        number: 1n,
        root: word(5),
        total: 9n,
        leaseTotals: [totalOf(3n, 5n), totalOf(3n, 2n), totalOf(2n ** 64n - 1n, 2n)],
        payerTotals: [word(7), word(8)],
      }),
    ]);
    // By lease; an id that no bigint holds stops nothing.
    expect(
      await rows("select workspace_id, replica, lease, amount from lease_receipt order by amount"),
    ).to.deep.equal([
      { workspace_id: -1n, replica: 1, lease: 2n ** 32n - 1n, amount: 2n },
      { workspace_id: 3n, replica: 1, lease: 2n ** 32n - 1n, amount: 7n },
    ]);
    expect(await rows("select account, number, amount from payer_receipt")).to.deep.equal([
      { account: `0x${"0".repeat(40)}`, number: 1n, amount: 15n },
    ]);
    expect(await current("receipt_batch")).to.deep.equal([
      { number: 1n, root: word(5), total: 9n, block_number: 1n },
    ]);
    expect(await row("select lease_totals, payer_totals from event_receipts_committed")).to.deep.equal({
      lease_totals: [totalOf(3n, 5n), totalOf(3n, 2n), totalOf(2n ** 64n - 1n, 2n)],
      payer_totals: [word(7), word(8)],
    });
  });

  it("count what was burned of a lease's lock for its wait as spent from the lock, and as paid to nobody", async () => {
    const waited = eventLog("Escrow", "WaitCharged", { ...ref, amount: 7n, waited: 70 });
    await mined([authorized], [opened], [waited], [waited]);
    expect(await row("select settled, lock, from_lock, burned from lease")).to.deep.equal({
      settled: 0n,
      lock: 50n,
      from_lock: 14n,
      burned: 14n,
    });
    expect(await row("select settled, burned from escrow_account")).to.deep.equal({
      settled: 0n,
      burned: 14n,
    });
    expect(await current("node_earning")).to.deep.equal([]);
  });

  it("store a lease's clock and the reason for its close", async () => {
    const clock = (running: boolean, since: number) =>
      eventLog("Escrow", "LeaseClockSet", { ...ref, clock: running ? 2 : 3, since });
    const of = "select running, clock_since, settled, closed, close_reason from lease";
    await mined([authorized, opened]);
    expect(await row(of)).to.deep.equal({
      running: false,
      clock_since: null,
      settled: 0n,
      closed: false,
      close_reason: null,
    });
    await mined([clock(true, 100)], [settled(9n, 120)]);
    expect(await row(of)).to.deep.include({ running: true, clock_since: 120n, settled: 9n });
    const paid = { ...ref, amount: 4n, fromLock: 3n, settledAt: 125 };
    await mined([
      eventLog("Escrow", "LeaseClockSet", { ...ref, clock: 5, since: 122 }),
      eventLog("Escrow", "Settled", paid),
    ]);
    expect(await row("select clock, running, lock, from_lock from lease")).to.deep.equal({
      clock: "resting",
      running: false,
      lock: 50n,
      from_lock: 3n,
    });
    await mined([settled(1n, 130), eventLog("Escrow", "LeaseClosed", { ...ref, reason: 1 })]);
    expect(await row(of)).to.deep.equal({
      running: false,
      clock_since: 130n,
      settled: 14n,
      closed: true,
      close_reason: "overdrawn",
    });
  });
});
