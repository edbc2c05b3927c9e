import { expect } from "chai";
import { concat, type Hex, toHex } from "viem";
import { eventLog, type ScriptedLog, testContracts } from "../../packages/chain-reader/scriptedChain.ts";
import { alice, bob, ref, useExportedChain } from "./exportedChain.ts";
import { measurement, spec, word, workspaceSpec } from "./fixtures.ts";

const zero = word(0, 20);
const registered = (overrides: Record<string, unknown> = {}): ScriptedLog =>
  eventLog("ComputeNode", "NodeRegistered", {
    nodeId: 1,
    key: alice,
    wallet: zero,
    isBound: false,
    spec: spec(4),
    pricePerSecond: 7n,
    gpuName: "NVIDIA H200",
    gpuUuids: [word(1), word(2)],
    ...overrides,
  });
const assigned = (overrides: Record<string, unknown> = {}): ScriptedLog =>
  eventLog("DockerContract", "Assigned", {
    ...ref,
    fence: word(9, 8),
    pricePerSecond: 5n,
    start: true,
    decidedAt: 1n,
    position: 0,
    excluded: "0x",
    ...overrides,
  });
const stateChanged = (state: number, sequence = 1): ScriptedLog =>
  eventLog("DockerContract", "StateChanged", { ...ref, state, sequence, detail: word(8080) });

describe("projections", function () {
  this.timeout(60_000);
  const { chain, mined, rows, row, current } = useExportedChain();

  it("store a node as registered, with a null wallet if it has bound none", async () => {
    await mined([registered()]);
    expect((await current("node"))[0]).to.deep.equal({
      node_id: 1,
      key: alice,
      wallet: null,
      nominated_wallet: null,
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

  it("store the wallet that a node asks for apart from the one that consented, and its keys", async () => {
    const of = (name: string, args: object) => eventLog("ComputeNode", name, { nodeId: 1, ...args });
    await mined(
      [registered({ wallet: bob })],
      [of("NodeWalletSet", { wallet: bob })],
      [of("NodeWalletSet", { wallet: zero }), of("NodeWalletNominated", { wallet: alice })],
      [of("NodeKeySet", { key: bob })],
      [of("NodeKeySet", { key: zero })],
      [registered({ nodeId: 2, wallet: bob, isBound: true })],
    );
    expect(
      await rows(
        "select wallet, nominated_wallet, key, valid_from from node_history where node_id = 1 order by valid_from",
      ),
    ).to.deep.equal([
      { wallet: null, nominated_wallet: bob, key: alice, valid_from: 1n },
      { wallet: bob, nominated_wallet: null, key: alice, valid_from: 2n },
      { wallet: null, nominated_wallet: alice, key: alice, valid_from: 3n },
      { wallet: null, nominated_wallet: alice, key: bob, valid_from: 4n },
      { wallet: null, nominated_wallet: alice, key: zero, valid_from: 5n },
    ]);
    expect(await row("select wallet, nominated_wallet from node where node_id = 2")).to.deep.equal({
      wallet: bob,
      nominated_wallet: null,
    });
  });

  it("flag the nodes that name the same GPU", async () => {
    await mined([
      registered({ gpuUuids: [word(1), word(2)] }),
      registered({ nodeId: 2, gpuUuids: [word(2), word(3)] }),
      registered({ nodeId: 3, gpuUuids: [word(4), word(4)] }),
    ]);
    expect(await rows("select gpu_uuid, node_ids from node_gpu_shared")).to.deep.equal([
      { gpu_uuid: word(2), node_ids: [1, 2] },
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
    const { published_tx: hash, ...workspace } = (await current("workspace"))[0] ?? {};
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
      stopped: false,
      published_block: 1n,
      block_number: 2n,
    });
    for (const stopped of [true, false, true]) {
      await mined([eventLog("DockerContract", "StoppedSet", { workspaceId: 1n, stopped })]);
      expect(await row("select status, stopped from workspace")).to.deep.equal({ status: "open", stopped });
    }
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
    const { hash } = chain().blocks()[1] as { hash: Hex };
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
    chain().rewind(1);
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
    const { hash } = chain().head();
    expect(testContracts.Progress).to.not.equal(testContracts.ComputeNode);
    expect(await rows(sql)).to.deep.equal([
      { contract: "ComputeNode", index: 3n, reason: "0xab", log_index: 0, block_hash: hash },
      { contract: "Progress", index: 3n, reason: "0xab", log_index: 2, block_hash: hash },
    ]);
  });
});
