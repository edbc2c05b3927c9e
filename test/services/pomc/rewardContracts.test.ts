import { randomUUID } from "node:crypto";
import { parseDeployment } from "@ngpu/contracts-sdk/deployment";
import { createPool, type Database } from "@ngpu/db/pool";
import { currentRewardContract, escrowOf, rewardContractsOf } from "@ngpu/rewards/rewardContracts";
import type { Sender, SendRequest } from "@ngpu/tx-sender/send";
import { expect } from "chai";
import type { Hex } from "viem";
import { dropSuperseded, epochToPost, owedByPrevious } from "../../../services/pomc/epochStore.ts";
import { receiptRound } from "../../../services/pomc/taskReceipts/commit.ts";
import { createTestDatabase, type TestDatabase } from "../../support/postgres.ts";
import { createChainTables, insertRow } from "../support/chainTables.ts";
import { createTestContext } from "../support/context.ts";
import { deploymentDocument } from "../support/deployment.ts";

const wide = 2 ** 40;
const at = (digit: string): Hex => `0x${digit.repeat(40)}`;
const { contracts, parameters } = deploymentDocument;
const payer = at("e");

/** The market was replaced after epoch 2. */
const deployment = parseDeployment({
  ...deploymentDocument,
  parameters: {
    ...parameters,
    before: { workspaces: wide, authorizations: wide, epochs: 2, batches: wide },
    emissionPerEpoch: "7",
  },
  previous: [
    {
      contracts: { DockerContract: at("a"), Escrow: at("b"), Progress: at("c"), Pomc: at("d") },
      parameters: { ...parameters, emissionPerEpoch: "5" },
    },
  ],
});
const rewardContracts = rewardContractsOf(deployment);

describe("pomc after the market was replaced", () => {
  let database: TestDatabase;
  let db: Database;

  beforeEach(async () => {
    database = await createTestDatabase();
    db = createPool({ url: database.url, name: "test" });
    await createChainTables(db);
  });
  afterEach(async () => {
    await db.end();
    await database.drop();
  });

  const close = (number: number, generation: number, total: number) =>
    insertRow(db, "app.epoch", {
      number,
      generation,
      total,
      root: `0x${number}${generation}`,
      data_hash: "0x",
      document: "{}",
    });
  const post = (number: number, generation: number, total: number, disabled = false) =>
    insertRow(db, "chain.epoch", {
      number,
      generation,
      total,
      root: `0x${number}`,
      data_hash: "0x",
      activates_at: 1,
      disabled,
      block_number: number,
    });
  const numbers = async () => {
    const { rows } = await db.query<{ number: bigint }>("select number from app.epoch order by number");
    return rows.map(({ number }) => Number(number));
  };

  it("lists each Pomc with its emission, and each escrow with its workspaces", () => {
    expect(
      rewardContracts.map(({ address, epochsBefore, emission }) => [address, epochsBefore, emission]),
    ).to.deep.equal([
      [at("d"), 0, 5n],
      [contracts.Pomc, 2, 7n],
    ]);
    const [old, own] = [1n, BigInt(wide) + 1n].map((workspaceId) => escrowOf(deployment, { workspaceId }));
    expect(old).to.deep.equal({ generation: 1, above: 0n, upTo: BigInt(wide) });
    expect(own).to.deep.equal({ generation: 2, above: BigInt(wide), upTo: null });
  });

  it("deletes epochs closed for the old Pomc after its last epoch, and all later ones", async () => {
    for (const number of [1, 2, 3, 4]) await close(number, 1, number);
    expect(await dropSuperseded(db, rewardContracts)).to.equal(2);
    expect(await numbers()).to.deep.equal([1, 2]);
    await close(3, 2, 7);
    expect(await dropSuperseded(db, rewardContracts)).to.equal(0);
    expect(await numbers()).to.deep.equal([1, 2, 3]);
  });

  it("refuses a deployment that does not list the Pomc of a closed epoch", async () => {
    await close(1, 3, 1);
    const refused = await dropSuperseded(db, rewardContracts).catch((error: unknown) => error);
    expect(refused).to.include({ code: "deployment_outdated" });
    expect(await numbers()).to.deep.equal([1]);
  });

  it("posts an epoch to the current Pomc if it is above that Pomc's last total, regardless of the old Pomc's epochs", async () => {
    await close(2, 1, 900);
    await post(2, 1, 900);
    await post(9, 1, 950);
    await close(3, 2, 7);
    expect(await epochToPost(db, currentRewardContract(deployment))).to.include({ number: 3n, total: 7n });
    await post(3, 2, 7);
    expect(await epochToPost(db, currentRewardContract(deployment))).to.equal(null);
  });

  it("reports the amount that an old Pomc does not pay after its last root is disabled", async () => {
    await close(1, 1, 400);
    await close(2, 1, 900);
    await post(1, 1, 400);
    await post(2, 1, 900);
    const owed = () => owedByPrevious(db, currentRewardContract(deployment));
    expect(await owed()).to.equal(0n);
    await db.query("update chain.epoch set disabled = true where number = 2");
    expect(await owed()).to.equal(500n);
  });

  it("makes a batch of receipts for each escrow, up to its payments, for the Pomc bound to it", async () => {
    const now = new Date();
    const later = new Date(now.getTime() + 60_000);
    await insertRow(db, "chain.block", { number: 1, hash: "0x1", parent_hash: "0x0", time: later });
    for (const tier of ["unsafe", "safe"]) {
      await insertRow(db, "chain.head", { tier, number: 1, hash: "0x1" });
    }
    // Each task took ten seconds at ten units per second. Eighty were paid from the old escrow, thirty from the new one.
    for (const [generation, paid] of [
      [1, 80],
      [2, 30],
    ] as const) {
      const id = (generation - 1) * wide + 1;
      await insertRow(db, "chain.spending_authorization", {
        authorization_id: id,
        generation,
        owner: payer,
        delegate: payer,
        max_rate: 10,
        daily: 1_000,
        total: 1_000,
        scope: "0x",
        expiry: 1,
        revoked: false,
        block_number: 1,
      });
      await insertRow(db, "chain.lease", {
        workspace_id: id,
        replica: 0,
        lease: 1,
        generation,
        node_id: 1,
        authorization_id: id,
        rate: 10,
        running: false,
        clock: "closed",
        lock: 0,
        from_lock: 0,
        burned: 0,
        settled: paid,
        refunded: 0,
        closed: true,
        block_number: 1,
      });
      const sums = { generation, refunded: 0, block_number: 1 };
      const account = { ...sums, account: payer, deposited: 100, withdrawn: 0, settled: paid, burned: 0 };
      await insertRow(db, "chain.escrow_account", account);
      const earning = { ...sums, node_id: 1, earned: paid, collected: 0, burned: 0 };
      await insertRow(db, "chain.node_earning", earning);
      await insertRow(db, "app.task", {
        id: randomUUID(),
        wallet: payer,
        key_id: "k",
        workspace_id: id,
        kind: "task",
        method: "GET",
        path: "/",
        status: "succeeded",
        runner: 1,
        node_id: 1,
        replica: 0,
        lease: 1,
        finished_at: new Date(now.getTime() + generation),
        duration_ms: 10_000,
        result_hash: `0x${"1".repeat(64)}`,
      });
    }
    const sent: [string | undefined, bigint][] = [];
    const send = async (request: SendRequest<"Pomc", "commitReceipts">) => {
      const [, leaseTotals] = request.args;
      sent.push([request.at, BigInt(`0x${leaseTotals[0]?.slice(-24)}`)]);
      return { hash: "0x" };
    };
    const { logger } = createTestContext("pomc");
    const sender = { send, address: payer } as unknown as Sender;
    await receiptRound({ pool: db, sender, deployment, logger, every: 0, settlementTimeout: 0 })();
    expect(sent).to.deep.equal([
      [at("d"), 80n],
      [contracts.Pomc, 30n],
    ]);
  });
});
