import { retirement } from "@ngpu/contracts/ignition/succession";
import type { Succession } from "@ngpu/contracts/ignition/successionParameters";
import { pomcAbi, tokenAbi } from "@ngpu/contracts-sdk/generated/abi";
import { createPool } from "@ngpu/db/pool";
import { encodeHeartbeats } from "@ngpu/protocol/heartbeatBits";
import { createWaveProofs } from "@ngpu/queries/judgedWaves";
import type { EpochDocument } from "@ngpu/rewards/document";
import { windowOf } from "@ngpu/rewards/epochs";
import { rewardContractsOf } from "@ngpu/rewards/rewardContracts";
import { createSender } from "@ngpu/tx-sender/send";
import { expect } from "chai";
import fc from "fast-check";
import { encodeFunctionData, type Hex } from "viem";
import { closeEpochs } from "../../../services/pomc/close.ts";
import { postEpoch } from "../../../services/pomc/post.ts";
import { insertRow } from "../support/chainTables.ts";
import { eventually } from "../support/context.ts";
import { accounts, freshChain, genesisSupply, nodeKey, type TestChain } from "../workspace/chain.ts";
import { addNode } from "../workspace/chainActions.ts";
import { replaceContracts } from "../workspace/generations.ts";
import { openMarket, type TestMarket } from "../workspace/market.ts";

const names = ["one", "two", "three"];
/** For each node, the number of the epoch's first slots in which it was present. */
const presence = fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 3, maxLength: 3 });
const epochs = (minLength: number) => fc.array(presence, { minLength, maxLength: 3 });
const history = fc.record({
  succession: fc.constantFrom<Succession>("market", "rewards"),
  before: epochs(1),
  /** Epochs that end after the Pomc is stopped and before pomc runs with its successor. */
  between: epochs(1),
  after: epochs(2),
});

type Fact = [table: string, row: Record<string, unknown>];

/** A market with registered nodes. The test's measurements and heartbeats are inserted into the exported tables. */
async function setup() {
  const market = await openMarket(await freshChain());
  const pool = createPool({ url: market.urlAs("ngpu_pomc"), name: "pomc" });
  const nodeIds: number[] = [];
  for (const name of names) nodeIds.push(await addNode(market.chain, name));
  const facts = nodeIds.map((nodeId): Fact => ["chain.measurement", measured(nodeId)]);
  await market.exported();
  for (const [table, row] of facts) await insertRow(market.pool, table, row);
  return {
    market,
    pool,
    attend: async (epoch: number, slots: number[]) => {
      const { slotSeconds } = market.chain.deployment.parameters;
      const first = Math.ceil(windowOf(epoch, market.chain.deployment.parameters).startsAt / slotSeconds);
      for (const place of [0, 1, 2, 3]) {
        const present = new Set(nodeIds.filter((_, index) => (slots[index] ?? 0) > place));
        const { encoding, bits } = encodeHeartbeats(nodeIds.length, present);
        const row = {
          slot: first + place,
          encoding,
          bits,
          node_count: nodeIds.length,
          block_number: 1,
        };
        facts.push(["chain.heartbeat_slot", row]);
        await insertRow(market.pool, "chain.heartbeat_slot", row);
      }
    },
    replaced: async (chain: TestChain) => {
      await market.moveTo(chain);
      for (const [table, row] of facts) await insertRow(market.pool, table, row);
    },
    stop: async () => {
      await pool.end();
      await market.stop();
    },
  };
}

const measured = (nodeId: number) => ({
  round_id: nodeId,
  node_id: nodeId,
  status: "finalized",
  draws: "0x01",
  draw_block: 1,
  opens_at: 1,
  closes_at: 2,
  submissions: 1,
  absent: false,
  down_mbps: 1,
  up_mbps: 1,
  latency_tenth_ms: 1,
  ports_reachable: 1,
  disk_free_gib: 1,
  disk_write_mibps: 1,
  expires_at: 4_000_000_000,
  block_number: 1,
});

type Setup = Awaited<ReturnType<typeof setup>>;

/** A round of pomc's leader, as the poster of the current contracts. */
async function leader({ market, pool }: Setup) {
  const { chain, context } = market;
  const { logger, signal } = context;
  const set = { abi: pomcAbi, functionName: "setPoster", args: [accounts.match.address] } as const;
  await chain.call("deployer", "Pomc", encodeFunctionData(set));
  const { deployment, client } = chain;
  const sender = await createSender({
    pool,
    client,
    account: accounts.match,
    deployment,
    logger,
    signal,
    pollMs: 20,
  });
  const proofs = createWaveProofs(deployment.parameters.waves);
  return async (epoch: number) => {
    const { timestamp } = await client.getBlock();
    await chain.pass(windowOf(epoch, deployment.parameters).settledAt + 1 - Number(timestamp));
    await market.exported();
    await eventually("the exported head is safe", async () => {
      const { rows } = await market.pool.query(
        "select from chain.head as safe join chain.head as newest using (number) where safe.tier = 'safe' and newest.tier = 'unsafe'",
      );
      return rows.length === 1;
    });
    await closeEpochs({ database: pool, deployment, proofs, logger, signal });
    await postEpoch({ pool, sender, deployment, logger });
    await market.exported();
  };
}

/** Claims every leaf of the newest epoch of each Pomc, twice, from an account that owns none of them. */
async function claimAll({ pool, chain }: TestMarket): Promise<void> {
  for (const { address, generation } of rewardContractsOf(chain.deployment)) {
    const { rows } = await pool.query<{ number: bigint; account: Hex; cumulative: bigint; proof: Hex }>(
      `select leaf.number, leaf.account, leaf.cumulative, leaf.proof #>> '{}' as proof
         from app.epoch_leaf as leaf join app.epoch as closed using (number)
        where closed.generation = $1 and number = (
          select max(number) from chain.epoch where epoch.generation = $1 and not disabled)`,
      [generation],
    );
    for (const { number, account, cumulative, proof } of [...rows, ...rows]) {
      const args = [number, account, cumulative, proof] as const;
      const data = encodeFunctionData({ abi: pomcAbi, functionName: "claim", args });
      await chain.callAt("relayer", address, data);
    }
  }
}

/** The grants of each account: all earnings of its node, less the amount still withheld. */
async function grantedBy({ pool }: TestMarket): Promise<Map<string, bigint>> {
  const { rows } = await pool.query<{ document: EpochDocument }>(
    "select document from app.epoch order by number",
  );
  const granted = new Map(names.map((name) => [nodeKey(name).address.toLowerCase(), 0n]));
  const add = (account: string, amount: bigint) =>
    granted.set(account, (granted.get(account) ?? 0n) + amount);
  const withheld = new Map<number, { account: string; withheld: bigint }>();
  for (const { document } of rows) {
    for (const { account, amount } of document.shares) add(account, BigInt(amount));
    for (const bond of document.bonds) withheld.set(bond.nodeId, bond);
  }
  for (const bond of withheld.values()) add(bond.account, -BigInt(bond.withheld));
  return granted;
}

describe("pomc, whose contract is replaced", function () {
  this.timeout(600_000);

  it("grants each epoch through one Pomc, and every account claims its grants from both exactly once", async () => {
    let paidByBoth = 0;
    await fc.assert(
      fc.asyncProperty(history, async ({ succession, before, between, after }) => {
        const test = await setup();
        const { market } = test;
        try {
          let epoch = 0;
          const oldRound = await leader(test);
          for (const slots of before) {
            await test.attend(++epoch, slots);
            await oldRound(epoch);
          }
          const previous = market.chain;
          const [stop] = retirement("rewards", previous.deployed.contracts);
          await previous.pass(previous.deployment.parameters.activationDelay);
          await previous.call("deployer", "Pomc", stop?.data ?? "0x");
          for (const slots of between) {
            await test.attend(++epoch, slots);
            const refused = await oldRound(epoch).then(
              () => undefined,
              (error: unknown) => error,
            );
            if (refused !== undefined) expect(refused).to.include({ code: "transaction_reverted" });
          }
          await test.replaced(await replaceContracts(previous, succession));
          const newRound = await leader(test);
          for (const slots of after) {
            await test.attend(++epoch, slots);
            await newRound(epoch);
          }
          await market.chain.pass(previous.deployment.parameters.activationDelay);
          await claimAll(market);
          await requirePaid(market);
          const [old, present] = rewardContractsOf(market.chain.deployment);
          const closed = await market.pool.query<{ generation: number }>(
            "select generation from app.epoch order by number",
          );
          expect(closed.rows.map(({ generation }) => generation)).to.deep.equal(
            Array.from({ length: epoch }, (_, index) => (index < (present?.epochsBefore ?? 0) ? 1 : 2)),
          );
          const { rows } = await market.pool.query("select distinct generation from chain.claim");
          if (rows.length === 2) paidByBoth += 1;
          expect(old?.epochsBefore).to.equal(0);
        } finally {
          await test.stop();
        }
      }),
      { numRuns: 3, endOnFailure: true },
    );
    expect(paidByBoth).to.be.greaterThan(0);
  });
});

/** Requires that every balance equals the account's grants, and that no tokens are left in a Pomc. */
async function requirePaid(market: TestMarket): Promise<void> {
  const { client, deployment } = market.chain;
  const token = { address: deployment.contracts.Token, abi: tokenAbi } as const;
  const balanceOf = (account: Hex) =>
    client.readContract({ ...token, functionName: "balanceOf", args: [account] });
  let sum = 0n;
  for (const [account, granted] of await grantedBy(market)) {
    expect(await balanceOf(account as Hex)).to.equal(granted);
    sum += granted;
  }
  for (const { address } of rewardContractsOf(deployment)) expect(await balanceOf(address)).to.equal(0n);
  const supply = await client.readContract({ ...token, functionName: "totalSupply" });
  expect(supply).to.equal(genesisSupply + sum);
}
