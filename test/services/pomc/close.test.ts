import { parseDeployment } from "@ngpu/contracts-sdk/deployment";
import { encodeHeartbeats } from "@ngpu/protocol/heartbeatBits";
import { createWaveProofs } from "@ngpu/queries/judgedWaves";
import { type NodeBond, settleBonds } from "@ngpu/rewards/bonds";
import { addShares, windowOf } from "@ngpu/rewards/epochs";
import { currentRewardContract } from "@ngpu/rewards/rewardContracts";
import type { RewardTerms } from "@ngpu/rewards/terms";
import { expect } from "chai";
import type pg from "pg";
import { closeEpochs } from "../../../services/pomc/close.ts";
import { epochToPost } from "../../../services/pomc/epochStore.ts";
import { insertNode, insertRow, openChainTables, wordRow } from "../support/chainTables.ts";
import { createTestContext } from "../support/context.ts";
import { deploymentDocument } from "../support/deployment.ts";
import { insertTerms } from "../support/rewardTerms.ts";

const deployment = parseDeployment(deploymentDocument);
const { slotSeconds, emissionPerEpoch, genesis } = deployment.parameters;
const key = (n: number) => `0x${n.toString(16).padStart(40, "0")}`;
const hash = (n: number) => `0x${n.toString(16).padStart(64, "0")}`;
const proofs = createWaveProofs(deployment.parameters.waves);
const first = windowOf(1, deployment.parameters);

type Chain = pg.Pool;

/** Adds blocks; block n is 2 n seconds after genesis. */
async function addBlocks(chain: Chain, from: number, to: number, tier = "safe"): Promise<void> {
  await chain.query(
    `insert into chain.block (number, hash, parent_hash, time)
     select n, '0x' || lpad(to_hex(n), 64, '0'), '0x' || lpad(to_hex(n - 1), 64, '0'), to_timestamp($3 + 2 * n)
       from generate_series($1::bigint, $2::bigint) as n`,
    [from, to, genesis],
  );
  await chain.query(
    "insert into chain.head values ($1, $2, $3) on conflict (tier) do update set number = $2, hash = $3",
    [tier, to, hash(to)],
  );
}

const blockAt = (time: number) => Math.floor((time - genesis) / 2);

async function addSlots(chain: Chain, epoch: number, present: number[], nodeCount: number): Promise<void> {
  const window = windowOf(epoch, deployment.parameters);
  for (let slot = Math.ceil(window.startsAt / slotSeconds); slot * slotSeconds < window.endsAt; slot++) {
    const { encoding, bits } = encodeHeartbeats(nodeCount, new Set(present));
    const block_number = blockAt((slot + 1) * slotSeconds);
    await insertRow(chain, "chain.heartbeat_slot", {
      slot,
      encoding,
      node_count: nodeCount,
      bits,
      block_number,
    });
  }
}

async function addMeasurement(
  chain: Chain,
  roundId: number,
  nodeId: number,
  block_number = 2,
): Promise<void> {
  await insertRow(chain, "chain.measurement", {
    round_id: roundId,
    node_id: nodeId,
    status: "finalized",
    draws: "0x01",
    draw_block: 1,
    opens_at: genesis,
    closes_at: genesis + 60,
    submissions: 1,
    absent: false,
    down_mbps: 100,
    up_mbps: 100,
    latency_tenth_ms: 10,
    ports_reachable: 1,
    disk_free_gib: 10,
    disk_write_mibps: 10,
    expires_at: genesis + 3_600,
    block_number,
  });
}

async function setup() {
  const { chain, db: pool, close } = await openChainTables("ngpu_pomc");
  const { logger, signal } = createTestContext("pomc");
  return {
    chain,
    pool,
    close: () => closeEpochs({ database: pool, deployment, proofs, logger, signal }),
    setTerms: (terms: Partial<RewardTerms> & { fromEpoch?: number }) => insertTerms(chain, terms),
    stop: close,
  };
}

describe("closing an epoch from the exported chain", () => {
  let market: Awaited<ReturnType<typeof setup>>;

  beforeEach(async () => {
    market = await setup();
    await market.setTerms({});
    await insertNode(market.chain, { node_id: 1, key: key(1), wallet: null });
    await addMeasurement(market.chain, 1, 1);
    await addSlots(market.chain, 1, [1], 1);
  });
  afterEach(() => market.stop());

  it("waits until the settlement has ended by the safe head", async () => {
    await addBlocks(market.chain, 1, blockAt(first.settledAt) - 1);
    await addBlocks(market.chain, blockAt(first.settledAt), blockAt(first.settledAt) + 5, "unsafe");
    expect(await market.close()).to.equal(0);
  });

  it("grants the emission to a measured and present node, and only once when it runs again", async () => {
    await addBlocks(market.chain, 1, blockAt(first.settledAt));
    expect(await market.close()).to.equal(1);
    expect(await market.close()).to.equal(0);
    const { rows } = await market.pool.query("select account, cumulative from app.epoch_leaf");
    expect(rows).to.deep.equal([{ account: key(1), cumulative: emissionPerEpoch }]);
    expect(await epochToPost(market.pool, currentRewardContract(deployment))).to.include({
      number: 1n,
      total: emissionPerEpoch,
    });
  });

  it("counts a disputed slot, and no challenged one, whether disputed or not", async () => {
    const at = { block_hash: hash(2), block_time: new Date(genesis * 1000), tx_hash: hash(9) };
    const slot = Math.ceil(first.startsAt / slotSeconds);
    await insertNode(market.chain, { node_id: 2, key: key(2), wallet: null });
    await addMeasurement(market.chain, 2, 2);
    for (const [place, disputed] of [slot, slot + 1].entries()) {
      await insertRow(market.chain, "chain.event_heartbeats_disputed", {
        ...at,
        block_number: 2,
        log_index: place,
        slot: disputed,
        ...wordRow(2),
      });
    }
    await insertRow(market.chain, "chain.event_presence_challenged", {
      ...at,
      block_number: 2,
      log_index: 9,
      node_id: 2,
      first_slot: slot + 1,
      last_slot: slot + 1,
    });
    await addBlocks(market.chain, 1, blockAt(first.settledAt));
    await market.close();
    const { rows } = await market.pool.query("select document->'shares' as shares from app.epoch");
    const [one, two] = rows[0].shares as { units: string; slots: number }[];
    expect(two?.slots).to.equal(1);
    expect(one?.slots).to.be.greaterThan(1);
  });

  it("grants no task incentive before a payout burned the fee: payments and receipts change no share", async () => {
    const at = { block_hash: hash(2), block_time: new Date(genesis * 1000), tx_hash: hash(9) };
    await insertRow(market.chain, "chain.event_settled", {
      ...at,
      block_number: 2,
      log_index: 0,
      workspace_id: 1,
      node_id: 1,
      replica: 0,
      lease: 1,
      amount: 10n ** 24n,
      from_lock: 0,
      settled_at: genesis,
    });
    await insertRow(market.chain, "chain.event_receipts_committed", {
      ...at,
      block_number: 2,
      log_index: 1,
      number: 1,
      root: hash(1),
      total: 10n ** 24n,
      lease_totals: [hash(1)],
      payer_totals: [hash(1)],
    });
    await insertNode(market.chain, { node_id: 2, key: key(2), wallet: null });
    await addMeasurement(market.chain, 2, 2);
    await addBlocks(market.chain, 1, blockAt(first.settledAt));
    await market.close();
    const { rows } = await market.pool.query("select account, cumulative from app.epoch_leaf");
    expect(rows).to.deep.equal([{ account: key(1), cumulative: emissionPerEpoch }]);
  });

  it("grants a lease's task incentive once, when a payout has burned the fee of its days", async () => {
    const { daySeconds } = deployment.parameters;
    const day = Math.floor(genesis / daySeconds);
    // Two days after its own, the day has matured.
    const payout = (day + 2) * daySeconds;
    const epoch = Math.floor((payout - genesis) / deployment.parameters.epochSeconds) + 1;
    const paid = 10n ** 20n;
    const at = { block_hash: hash(2), tx_hash: hash(9), log_index: 0 };
    await market.chain.query("delete from chain.event_terms_set");
    await market.setTerms({ taskBasisPoints: 1_000 });
    await insertRow(market.chain, "chain.spending_authorization", {
      authorization_id: 1,
      generation: 1,
      owner: key(5),
      delegate: key(6),
      max_rate: 1,
      daily: paid,
      total: paid,
      scope: hash(0),
      expiry: 2_000_000_000,
      revoked: false,
      block_number: 1,
    });
    await insertRow(market.chain, "chain.lease", {
      workspace_id: 1,
      replica: 0,
      lease: 1,
      generation: 1,
      node_id: 1,
      authorization_id: 1,
      rate: 1,
      running: true,
      closed: false,
      settled: paid,
      refunded: 0,
      block_number: 2,
      clock: "running",
      lock: 0,
      from_lock: 0,
      burned: 0,
    });
    await insertRow(market.chain, "chain.lease_receipt", {
      workspace_id: 1,
      replica: 0,
      lease: 1,
      amount: paid / 2n,
      block_number: 2,
    });
    await insertRow(market.chain, "chain.event_refunded", {
      ...at,
      block_number: 3,
      block_time: new Date((genesis + 6) * 1_000),
      workspace_id: 1,
      node_id: 1,
      replica: 0,
      lease: 1,
      owner: key(5),
      day,
      down_seconds: 1,
      amount: paid / 10n,
    });
    await insertRow(market.chain, "chain.event_collected", {
      ...at,
      block_number: blockAt(payout),
      block_time: new Date(payout * 1_000),
      node_id: 1,
      '"to"': key(1),
      amount: paid,
      fee: paid / 100n,
    });
    await addBlocks(market.chain, 1, blockAt(windowOf(epoch + 1, deployment.parameters).settledAt));
    await market.close();
    const { rows } = await market.pool.query("select number, document->'tasks' as tasks from app.epoch");
    const granted = rows.filter(({ tasks }) => tasks.length > 0);
    expect(granted.map(({ number }) => Number(number))).to.deep.equal([epoch]);
    const incentive = ((paid * 9n) / 10n + paid / 2n) / 200n;
    expect(granted[0].tasks[0]).to.include({
      node: key(1),
      payer: key(5),
      incentive: String(incentive),
      nodeAmount: String((incentive * 45n) / 100n),
      payerAmount: String((incentive * 45n) / 100n),
    });
  });

  it("grants measurers their part, and nothing to one whose result differs from what the others saw", async () => {
    await market.chain.query("delete from chain.event_terms_set");
    await market.setTerms({ measurerBasisPoints: 200, measurerRate: 10n ** 18n });
    const at = {
      block_hash: hash(2),
      block_time: new Date((genesis + 4) * 1_000),
      tx_hash: hash(9),
      block_number: 2,
    };
    const values = (prefix: string, down: number) => ({
      [`${prefix}_absent`]: false,
      [`${prefix}_down_mbps`]: down,
      [`${prefix}_up_mbps`]: 50,
      [`${prefix}_latency_tenth_ms`]: 10,
      [`${prefix}_ports_reachable`]: 1,
      [`${prefix}_disk_free_gib`]: 10,
      [`${prefix}_disk_write_mibps`]: 300,
    });
    for (const [place, down] of [100, 90, 5_000].entries()) {
      await insertRow(market.chain, "chain.measurer", {
        measurer_id: place + 1,
        key: key(50 + place),
        wallet: null,
        region: null,
        block_number: 1,
      });
      await insertRow(market.chain, "chain.event_measure_submitted", {
        ...at,
        log_index: place,
        round_id: 9,
        node_id: 1,
        measurer_id: place + 1,
        port: 1,
        ...values("result", down),
      });
    }
    await insertRow(market.chain, "chain.event_measure_finalized", {
      ...at,
      log_index: 5,
      round_id: 9,
      node_id: 1,
      submissions: 3,
      expires_at: genesis + 3_600,
      ...values("median", 100),
    });
    await addBlocks(market.chain, 1, blockAt(first.settledAt));
    await market.close();
    const { rows } = await market.pool.query("select document->'measurers' as measurers from app.epoch");
    expect(
      rows[0].measurers.map((one: { account: string; amount: string }) => [one.account, one.amount]),
    ).to.deep.equal([50, 51].map((n) => [key(n), String(10n ** 18n)]));
  });

  it("applies new terms from their epoch on", async () => {
    await market.chain.query("delete from chain.event_terms_set");
    await market.setTerms({});
    await market.setTerms({ fromEpoch: 2, classes: [{ weight: 1_000_000n, rate: 1n, ceiling: 1n }] });
    await addSlots(market.chain, 2, [1], 1);
    await addBlocks(market.chain, 1, blockAt(windowOf(2, deployment.parameters).settledAt));
    await market.close();
    const { rows } = await market.pool.query("select total from app.epoch order by number");
    const slots = BigInt(deployment.parameters.epochSeconds / slotSeconds);
    expect(rows.map(({ total }) => total)).to.deep.equal([emissionPerEpoch, emissionPerEpoch + 250n * slots]);
  });

  it("waits for terms that are not exported", async () => {
    await market.chain.query("delete from chain.event_terms_set");
    await addBlocks(market.chain, 1, blockAt(first.settledAt));
    const refused = await market.close().catch((error: unknown) => error);
    expect(refused).to.include({ code: "terms_not_exported" });
  });

  it("counts nothing that reached the chain after the epoch's last block", async () => {
    await insertNode(market.chain, { node_id: 2, key: key(2), wallet: null });
    await addMeasurement(market.chain, 2, 2, blockAt(first.settledAt));
    await addBlocks(market.chain, 1, blockAt(first.settledAt) + 3);
    await market.close();
    const { rows } = await market.pool.query("select account from app.epoch_leaf");
    expect(rows).to.deep.equal([{ account: key(1) }]);
  });

  it("pays the wallet that was bound at the epoch's last block", async () => {
    const asOf = blockAt(first.settledAt) - 1;
    await market.chain.query(
      "with gone as (delete from chain.node returning *) insert into chain.node_past select gone.*, $1 from gone",
      [asOf],
    );
    await insertNode(market.chain, { node_id: 1, key: key(1), wallet: key(9), block_number: asOf });
    await addBlocks(market.chain, 1, blockAt(first.settledAt));
    await market.close();
    const { rows } = await market.pool.query("select account from app.epoch_leaf");
    expect(rows).to.deep.equal([{ account: key(9) }]);
  });

  it("catches up on several epochs, accumulates their grants, and computes the same again from the chain", async () => {
    await addSlots(market.chain, 2, [1], 1);
    await addBlocks(market.chain, 1, blockAt(windowOf(3, deployment.parameters).settledAt));
    expect(await market.close()).to.equal(3);
    const read = async () =>
      (await market.pool.query("select number, root, total, data_hash from app.epoch order by number")).rows;
    const before = await read();
    // No node was present in the third epoch, so it grants nothing.
    expect(before.map((epoch) => epoch.total)).to.deep.equal([1n, 2n, 2n].map((n) => n * emissionPerEpoch));
    await market.chain.query("delete from app.epoch");
    await market.close();
    expect(await read()).to.deep.equal(before);
  });

  it("posts nothing while nothing is granted", async () => {
    await market.chain.query("delete from chain.measurement");
    await addBlocks(market.chain, 1, blockAt(first.settledAt));
    expect(await market.close()).to.equal(1);
    expect(await epochToPost(market.pool, currentRewardContract(deployment))).to.equal(null);
  });

  it("withholds a bond until its days are served, then returns it, as computed from the documents alone", async () => {
    const half = emissionPerEpoch / 2n;
    await market.chain.query("delete from chain.event_terms_set");
    await market.setTerms({ bond: half });
    const { daySeconds, heartbeatWindowSeconds, epochSeconds } = deployment.parameters;
    const dayOver = (Math.floor(genesis / daySeconds) + 1) * daySeconds + heartbeatWindowSeconds;
    const last = Math.ceil((dayOver - genesis - 2 * slotSeconds) / epochSeconds);
    await insertNode(market.chain, { node_id: 2, key: key(2), wallet: null });
    await addBlocks(market.chain, 1, blockAt(windowOf(last - 1, deployment.parameters).settledAt));
    await market.close();
    const read = async () =>
      (await market.pool.query("select number, total, data_hash, document from app.epoch order by number"))
        .rows;
    const bonds = "select node_id, number, withheld, days, served_in from app.node_bond order by number";
    const withheld = { node_id: 1n, number: 1n, withheld: half, days: 0, served_in: null };
    expect((await read()).map(({ total }) => total)).to.deep.equal(Array(last - 1).fill(half));
    expect((await market.pool.query(bonds)).rows).to.deep.equal([withheld]);

    await addBlocks(
      market.chain,
      blockAt(windowOf(last - 1, deployment.parameters).settledAt) + 1,
      blockAt(windowOf(last, deployment.parameters).settledAt),
    );
    expect(await market.close()).to.equal(1);
    const closed = await read();
    expect(closed.at(-1)?.total).to.equal(emissionPerEpoch);
    expect((await market.pool.query(bonds)).rows).to.deep.equal([
      withheld,
      { node_id: 1n, number: BigInt(last), withheld: 0n, days: 1, served_in: BigInt(last) },
    ]);

    let known = new Map<number, NodeBond>();
    let granted = new Map<string, bigint>();
    for (const { document } of closed) {
      const { grants, bonds: changed } = settleBonds(known, {
        epoch: document.number,
        terms: { ...document.bond, amount: BigInt(document.bond.amount) },
        shares: document.shares.map((share: { amount: string }) => ({
          ...share,
          amount: BigInt(share.amount),
        })),
        served: document.served,
        grantLimit: BigInt(document.grantLimit),
      });
      known = new Map([...known, ...changed.map((bond) => [bond.nodeId, bond] as const)]);
      granted = addShares(granted, grants);
      const leaves = [...granted].map(([account, amount]) => ({ account, cumulative: String(amount) }));
      expect(document.leaves).to.deep.equal(leaves);
    }

    await market.chain.query("delete from app.epoch");
    await market.close();
    expect(await read()).to.deep.equal(closed);
  });
});
