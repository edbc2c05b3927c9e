import { expect } from "chai";
import { concat, type Hex, numberToHex, pad, toHex } from "viem";
import {
  createScriptedChain,
  eventLog,
  previousContracts,
  type ScriptedLog,
  testContracts,
} from "../../packages/chain-reader/scriptedChain.ts";
import { measurement, spec, workspaceSpec } from "./fixtures.ts";
import { type Exporter, setup, startExporter, untilStored } from "./setup.ts";

const word = (value: number, size = 32): Hex => pad(numberToHex(value), { size });
const alice = word(0xa11ce, 20);
const bob = word(0xb0b, 20);
const zero = word(0, 20);
const ref = { workspaceId: 1n, nodeId: 1, replica: 0, lease: 1 };

const registered = (overrides: Record<string, unknown> = {}): ScriptedLog =>
  eventLog("ComputeNode", "NodeRegistered", {
    nodeId: 1,
    key: alice,
    wallet: zero,
    spec: spec(4),
    pricePerSecond: 7n,
    gpuName: "NVIDIA H200",
    gpuUuids: [word(1), word(2)],
    ...overrides,
  });
const authorized = eventLog("Escrow", "Authorized", {
  authorizationId: 1n,
  owner: alice,
  delegate: bob,
  maxRate: 2n ** 64n - 1n,
  total: 2n ** 128n - 1n,
  scope: word(0),
  expiry: 1_800_000_000,
});
const opened = eventLog("Escrow", "LeaseOpened", { ...ref, authorizationId: 1n, rate: 5n });
const assigned = (overrides: Record<string, unknown> = {}): ScriptedLog =>
  eventLog("DockerContract", "Assigned", {
    ...ref,
    fence: word(9, 8),
    pricePerSecond: 5n,
    start: true,
    ...overrides,
  });
const settled = (amount: bigint, settledAt: number): ScriptedLog =>
  eventLog("Escrow", "Settled", { ...ref, amount, settledAt });
const stateChanged = (state: number, sequence = 1): ScriptedLog =>
  eventLog("DockerContract", "StateChanged", { ...ref, state, sequence, detail: word(8080) });

describe("projections", function () {
  this.timeout(60_000);
  let market: Awaited<ReturnType<typeof setup>>;
  let exporter: Exporter;
  let chain: ReturnType<typeof createScriptedChain>;

  before(async () => {
    market = await setup();
  });

  beforeEach(() => {
    // Each test has its own chain: the rows of the previous one have another origin and are dropped.
    chain = createScriptedChain();
    exporter = startExporter(market.database, chain.client);
  });

  afterEach(() => exporter.stop());

  after(() => market.drop());

  /** Mines one block for each list of logs and reads rows once the last is stored. */
  async function mined(...blocks: ScriptedLog[][]) {
    chain.mine(...blocks);
    await untilStored(market.db, chain);
  }

  const rows = async (sql: string): Promise<Record<string, unknown>[]> => (await market.db.query(sql)).rows;
  const row = async (sql: string) => (await rows(sql))[0] ?? {};
  /** A projection's rows without the log index of the last change. */
  const present = async (name: string): Promise<Record<string, unknown>[]> =>
    (await rows(`select * from ${name}`)).map(({ log_index: _, ...row }) => row);

  it("store a node as registered, with a null wallet if it has bound none", async () => {
    await mined([registered()]);
    expect((await present("node"))[0]).to.deep.equal({
      node_id: 1,
      key: alice,
      wallet: null,
      gpu_model: word(4, 8),
      gpu_name: "NVIDIA H200",
      gpu_count: 4,
      vram_mib: 81_920,
      compute_capability: 90,
      cpu_milli: 64_000,
      memory_mib: 262_144,
      disk_gib: 2_000,
      ports: 100,
      region: "DE",
      price_per_second: 7n,
      status: "online",
      gpu_uuids: [word(1), word(2)],
      registered_block: 1n,
      block_number: 1n,
    });
  });

  it("keep one version for each block, with its last changes in log order", async () => {
    const wallet = (to: Hex) => eventLog("ComputeNode", "NodeWalletSet", { nodeId: 1, wallet: to });
    const status = (to: number) => eventLog("ComputeNode", "NodeStatusChanged", { nodeId: 1, status: to });
    await mined(
      [registered(), wallet(bob), status(3), wallet(zero)],
      [],
      [status(1), status(2), wallet(bob)],
    );
    expect(
      await rows("select wallet, status, valid_from, valid_to from node_history order by valid_from"),
    ).to.deep.equal([
      { wallet: null, status: "maintenance", valid_from: 1n, valid_to: 3n },
      { wallet: bob, status: "offline", valid_from: 3n, valid_to: null },
    ]);
  });

  it("store any strings from the chain, even with bytes that Postgres text cannot contain", async () => {
    const odd = { ...spec(4), region: "0x00ff" };
    await mined([registered({ gpuName: `a\0b "quoted" \u{1F680} \\u0000`, spec: odd, gpuUuids: [] })]);
    expect(await row("select gpu_name, region, gpu_uuids from node")).to.deep.equal({
      gpu_name: `a\uFFFDb "quoted" \u{1F680} \\u0000`,
      region: "0x00ff",
      gpu_uuids: [],
    });
  });

  it("store a workspace with its spec, and its changes", async () => {
    const published = eventLog("DockerContract", "WorkspacePublished", {
      workspaceId: 1n,
      owner: alice,
      image: word(3),
      authorizationId: 1n,
      replicas: 2,
      spec: { ...workspaceSpec(3), region: "0x4652", maxPricePerSecond: 2n ** 64n - 1n },
      config: '{"image":"host/name"}',
    });
    await mined([published], [eventLog("DockerContract", "ReplicasSet", { workspaceId: 1n, replicas: 5 })]);
    const { published_tx: hash, ...workspace } = (await present("workspace"))[0] ?? {};
    expect(hash).to.match(/^0x[0-9a-f]{64}$/);
    expect(workspace).to.deep.equal({
      workspace_id: 1n,
      generation: 2,
      owner: alice,
      authorization_id: 1n,
      image: word(3),
      replicas: 5,
      policy: "exclusive",
      grace_seconds: 60,
      max_price_per_second: 2n ** 64n - 1n,
      gpu_model: word(0, 8),
      min_vram_mib: 0,
      min_compute_capability: 0,
      region: "FR",
      gpus: 1,
      cpu_milli: 1_000,
      memory_mib: 2_048,
      disk_gib: 10,
      ports: 1,
      expires_at: 0n,
      config_hash: word(4),
      config: '{"image":"host/name"}',
      status: "open",
      published_block: 1n,
      block_number: 2n,
    });
    await mined([eventLog("DockerContract", "WorkspaceClosed", { workspaceId: 1n })]);
    expect(await row("select status, replicas from workspace")).to.deep.equal({
      status: "closed",
      replicas: 5,
    });
  });

  it("keep every lease, the released ones with their reason", async () => {
    const released = eventLog("DockerContract", "Released", { ...ref, reason: 1 });
    const lost = eventLog("DockerContract", "LeaseLost", { ...ref, releasableAt: 1_234 });
    const of = "select lease, state, desired, lost_until, release_reason from assignment order by lease";
    await mined([assigned()], [stateChanged(3)], [lost]);
    expect(await rows(of)).to.deep.equal([
      { lease: 1, state: "running", desired: "run", lost_until: 1_234n, release_reason: null },
    ]);
    await mined([stateChanged(3, 2)]);
    expect(await row(of)).to.deep.include({ lost_until: null });
    await mined([lost, released, assigned({ lease: 2, start: false, nodeId: 2 })]);
    expect(await rows(of)).to.deep.equal([
      { lease: 1, state: "released", desired: "run", lost_until: null, release_reason: "lost" },
      { lease: 2, state: "assigned", desired: "hold", lost_until: null, release_reason: null },
    ]);
    const { hash } = chain.blocks()[1] as { hash: Hex };
    expect(
      await row("select assigned_block, assigned_block_hash, sequence, detail, fence from assignment"),
    ).to.deep.equal({
      assigned_block: 1n,
      assigned_block_hash: hash,
      sequence: 2n,
      detail: word(8080),
      fence: word(9, 8),
    });
  });

  it("store the desired state of each of the owner's requests", async () => {
    const order = (event: string) => eventLog("DockerContract", event, ref);
    await mined([assigned({ start: false })]);
    const seen: unknown[] = [];
    for (const event of ["StartRequested", "StopRequested", "StartRequested", "DeleteRequested"]) {
      await mined([order(event)]);
      seen.push((await row("select desired from assignment")).desired);
    }
    expect(seen).to.deep.equal(["run", "stop", "run", "delete"]);
  });

  it("return the state at any past block", async () => {
    await mined(
      [assigned({ start: false })],
      [stateChanged(2), eventLog("DockerContract", "StartRequested", ref)],
      [stateChanged(3, 2)],
    );
    const at = (block: number) =>
      row(
        `select state, desired from assignment_history where valid_from <= ${block} and (valid_to is null or valid_to > ${block})`,
      );
    expect(await at(0)).to.deep.equal({});
    expect(await at(1)).to.deep.equal({ state: "assigned", desired: "hold" });
    expect(await at(2)).to.deep.equal({ state: "ready", desired: "run" });
    expect(await at(3)).to.deep.equal({ state: "running", desired: "run" });
    await mined([]);
    expect(await at(4)).to.deep.equal({ state: "running", desired: "run" });
  });

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
    expect(await present("escrow_account")).to.deep.equal([
      {
        account: alice,
        generation: 2,
        deposited: 2n * large,
        withdrawn: 2n,
        settled: 12n,
        refunded: 3n,
        block_number: 4n,
      },
    ]);
    expect((await present("node_earning"))[0]).to.deep.equal({
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
      eventLog("Escrow", "Settled", { ...ref, workspaceId, amount, settledAt: 1 }, at),
      eventLog("Escrow", "Collected", { nodeId: 1, to: bob, amount: amount - 1n, fee: 1n }, at),
    ];
    const authorization = { owner: alice, delegate: bob, maxRate: 1n, total: 9n, scope: word(0), expiry: 9 };
    const leased = (before: bigint, at?: Hex) => [
      eventLog("Escrow", "Authorized", { ...authorization, authorizationId: before + 1n }, at),
      eventLog(
        "Escrow",
        "LeaseOpened",
        { ...ref, workspaceId: before + 1n, authorizationId: before + 1n, rate: 5n },
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
      [eventLog("Pomc", "EpochDisabled", { number: 1n }, pomc)],
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
      "Measure 1",
      "Pomc 2",
      "Progress 2",
      "Token 1",
    ]);
  });

  it("store the root and total of a batch of task receipts, and its event's totals as logged", async () => {
    await mined([
      eventLog("Pomc", "ReceiptsCommitted", {
        number: 1n,
        root: word(5),
        total: 9n,
        nodeTotals: [word(6)],
        payerTotals: [word(7), word(8)],
      }),
    ]);
    expect(await present("receipt_batch")).to.deep.equal([
      { number: 1n, root: word(5), total: 9n, block_number: 1n },
    ]);
    expect(await row("select node_totals, payer_totals from event_receipts_committed")).to.deep.equal({
      node_totals: [word(6)],
      payer_totals: [word(7), word(8)],
    });
  });

  it("store a lease's clock and the reason for its close", async () => {
    const clock = (running: boolean, since: number) =>
      eventLog("Escrow", "LeaseClockSet", { ...ref, running, since });
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
    await mined([settled(1n, 130), eventLog("Escrow", "LeaseClosed", { ...ref, reason: 1 })]);
    expect(await row(of)).to.deep.equal({
      running: false,
      clock_since: 130n,
      settled: 10n,
      closed: true,
      close_reason: "overdrawn",
    });
  });

  it("store a measurement from its request to its result or its failure", async () => {
    const roundId = 1n;
    const submit = eventLog("Measure", "MeasureSubmitted", {
      roundId,
      nodeId: 1,
      measurerId: 1,
      port: 80,
      result: measurement(5),
    });
    const request = { roundId, nodeId: 1, opensAt: 5, closesAt: 9, drawBlock: 4, draws: word(7) };
    const of = "select status, draws, draw_block, submissions from measurement where round_id = 1";
    const common = { draws: word(7), draw_block: 4n };
    await mined([eventLog("Measure", "MeasureRequested", request)]);
    expect(await row(of)).to.deep.equal({ status: "requested", ...common, submissions: 0 });
    await mined([submit]);
    expect(await row(of)).to.deep.equal({ status: "submitted", ...common, submissions: 1 });
    await mined(
      [eventLog("Measure", "MeasureRequested", { ...request, roundId: 2n })],
      [eventLog("Measure", "MeasureFailed", { roundId: 2n, nodeId: 1, submissions: 0 })],
    );
    expect((await row("select status from measurement where round_id = 2")) as object).to.deep.equal({
      status: "failed",
    });
    const finalized = { roundId, nodeId: 1, submissions: 1, median: measurement(5), expiresAt: 99 };
    await mined([eventLog("Measure", "MeasureFinalized", finalized)]);
    const last = await row(
      "select status, absent, down_mbps, up_mbps, ports_reachable, expires_at from measurement where round_id = 1",
    );
    expect(last).to.deep.equal({
      status: "finalized",
      absent: false,
      down_mbps: 5n,
      up_mbps: 4_294_967_295n,
      ports_reachable: 1,
      expires_at: 99n,
    });
  });

  it("store images, measurers, progress, heartbeats, epochs and claims", async () => {
    const image = { digest: word(1), owner: alice, sizeBytes: 10n, chunkRoot: word(2), ref: "host/name" };
    const epoch = {
      number: 1n,
      root: toHex(3, { size: 20 }),
      total: 100n,
      dataHash: word(4),
      activatesAt: 50,
    };
    const claim = (cumulative: bigint) => eventLog("Pomc", "Claimed", { account: alice, cumulative });
    const grantOf = (account: Hex, cumulative: bigint) => concat([account, toHex(cumulative, { size: 12 })]);
    const grants = concat([grantOf(alice, 50n), grantOf(bob, 7n)]);
    await mined(
      [
        eventLog("DockerContract", "ImageRegistered", image),
        eventLog("Measure", "MeasurerRegistered", {
          measurerId: 1,
          key: alice,
          wallet: bob,
          region: "0x0000",
        }),
        eventLog("Progress", "ProgressReported", { ...ref, milestone: 4 }),
        eventLog("ComputeNode", "HeartbeatsCommitted", {
          slot: 28n,
          encoding: 1,
          nodeCount: 3,
          bits: "0xABcd",
        }),
        eventLog("Pomc", "EpochPosted", epoch),
        claim(30n),
        eventLog("Pomc", "ClaimedMany", { number: 1n, grants }),
      ],
      [eventLog("Pomc", "EpochDisabled", { number: 1n })],
    );
    expect(await row("select reference, size_bytes from image")).to.deep.equal({
      reference: "host/name",
      size_bytes: 10n,
    });
    expect(await row("select measurer_id, wallet, region from measurer")).to.deep.equal({
      measurer_id: 1,
      wallet: bob,
      region: null,
    });
    expect(await row("select lease, milestone from progress")).to.deep.equal({
      lease: 1,
      milestone: "verified",
    });
    expect(await row("select slot, encoding, node_count, bits from heartbeat_slot")).to.deep.equal({
      slot: 28n,
      encoding: "absentees",
      node_count: 3,
      bits: "0xabcd",
    });
    expect(await row("select number, total, activates_at, disabled from epoch")).to.deep.equal({
      number: 1n,
      total: 100n,
      activates_at: 50n,
      disabled: true,
    });
    for (const [account, claimed] of [
      [alice, 50n],
      [bob, 7n],
    ] as const) {
      expect(await row(`select claimed from claim where account = '${account}'`)).to.deep.equal({ claimed });
    }
  });

  it("revert the changes of reorganized blocks and restore the versions that they ended", async () => {
    await mined([registered()], [], [eventLog("ComputeNode", "NodeStatusChanged", { nodeId: 1, status: 2 })]);
    chain.rewind(1);
    await mined([], [eventLog("ComputeNode", "NodeStatusChanged", { nodeId: 1, status: 3 })]);
    expect(
      await rows("select status, valid_from, valid_to from node_history order by valid_from"),
    ).to.deep.equal([
      { status: "online", valid_from: 1n, valid_to: 4n },
      { status: "maintenance", valid_from: 4n, valid_to: null },
    ]);
    expect(await row("select count(*) as events from event_node_status_changed")).to.deep.equal({
      events: 1n,
    });
  });

  it("distinguish contracts that emit the same event, and ignore contracts outside the market", async () => {
    const refused = { index: 3n, reason: "0xAB" };
    await mined([
      eventLog("ComputeNode", "ItemRefused", refused),
      eventLog("ComputeNode", "ItemRefused", refused, word(0xbad, 20)),
      eventLog("Progress", "ItemRefused", refused),
    ]);
    const sql =
      "select contract, index, reason, log_index, block_hash from event_item_refused order by log_index";
    const { hash } = chain.head();
    expect(testContracts.Progress).to.not.equal(testContracts.ComputeNode);
    expect(await rows(sql)).to.deep.equal([
      { contract: "ComputeNode", index: 3n, reason: "0xab", log_index: 0, block_hash: hash },
      { contract: "Progress", index: 3n, reason: "0xab", log_index: 2, block_hash: hash },
    ]);
  });
});
