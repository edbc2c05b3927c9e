import { type ChainClient, chainOf } from "@ngpu/chain-reader/client";
import { createPool, type Database } from "@ngpu/db/pool";
import { FatalError } from "@ngpu/runtime/errors";
import { createSender, mostCallBytes, type Sender } from "@ngpu/tx-sender/send";
import { expect } from "chai";
import { createPublicClient, createTestClient, custom, http, keccak256 } from "viem";
import { generatePrivateKey, type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts";
import { createTestContext, eventually } from "../../services/support/context.ts";
import { fund, startTestMarket, type TestMarket } from "../../support/chain.ts";
import { createTestDatabase, type TestDatabase } from "../../support/postgres.ts";

describe("sending transactions", function () {
  this.timeout(120_000);
  let market: TestMarket;
  let database: TestDatabase;
  let pool: Database;
  let account: PrivateKeyAccount;
  const contexts: ReturnType<typeof createTestContext>[] = [];

  before(async () => {
    market = await startTestMarket();
  });

  after(async () => {
    await market.stop();
  });

  beforeEach(async () => {
    database = await createTestDatabase();
    pool = createPool({ url: database.url, name: "test" });
    account = privateKeyToAccount(generatePrivateKey());
    await fund(market.rpcUrl, [account.address]);
  });

  afterEach(async () => {
    for (const context of contexts.splice(0)) await context.stop();
    await pool.end();
    await database.drop();
  });

  /** A separate sender, as in another process. `die` discards its memory. */
  async function open(
    signer = account,
    client = market.client,
  ): Promise<Sender & { die: () => Promise<void> }> {
    const context = createTestContext("send");
    contexts.push(context);
    const { deployment } = market;
    const { logger, signal } = context;
    const sender = await createSender({
      pool,
      client,
      account: signer,
      deployment,
      logger,
      signal,
      pollMs: 100,
    });
    return { ...sender, die: context.stop };
  }

  const image = (index: number) => `0x${index.toString(16).padStart(64, "0")}` as const;
  const register = (sender: Sender, index: number, dedupeKey?: string) =>
    sender.send({
      kind: "test",
      contract: "DockerContract",
      functionName: "registerImage",
      args: [image(index), 1n, image(0), "example/image"],
      ...(dedupeKey === undefined ? {} : { dedupeKey }),
    });
  const statuses = async () => {
    const { rows } = await pool.query("select nonce, status from app.transaction order by nonce");
    return rows as { nonce: bigint; status: string }[];
  };

  it("returns the receipt and the events of the contract", async () => {
    const { events, receipt, refusals } = await register(await open(), 1);
    expect(receipt.status).to.equal("success");
    expect(refusals).to.deep.equal([]);
    const [event] = events;
    expect(event?.eventName).to.equal("ImageRegistered");
    if (event?.eventName === "ImageRegistered") expect(event.args.digest).to.equal(image(1));
  });

  it("sends to the given address of a contract and reads its events there", async () => {
    const previous = market.deployment.contracts.DockerContract;
    const otherAddress: `0x${string}` = `0x${"0f".repeat(20)}`;
    const code = await market.client.getCode({ address: previous });
    const chain = createTestClient({ mode: "hardhat", transport: http(market.rpcUrl) });
    await chain.setCode({ address: otherAddress, bytecode: code ?? "0x" });
    const { receipt, events } = await (await open()).send({
      kind: "test",
      contract: "DockerContract",
      at: otherAddress,
      functionName: "registerImage",
      args: [image(77), 1n, image(0), "example/image"],
    });
    expect(receipt.to).to.equal(otherAddress);
    expect(events.map(({ eventName }) => eventName)).to.deep.equal(["ImageRegistered"]);
  });

  it("sends concurrently, each under its own nonce, without waiting for receipts", async () => {
    const sender = await open();
    const sent = await Promise.all(Array.from({ length: 40 }, (_, index) => register(sender, 100 + index)));
    expect(new Set(sent.map(({ hash }) => hash)).size).to.equal(40);
    const blocks = new Set(sent.map(({ receipt }) => receipt.blockNumber));
    expect(blocks.size).to.be.lessThan(15);
    expect((await statuses()).map(({ nonce }) => Number(nonce))).to.deep.equal([...Array(40).keys()]);
  });

  it("allocates nonces to two processes that share an account", async () => {
    const [one, two] = await Promise.all([open(), open()]);
    await Promise.all(Array.from({ length: 20 }, (_, index) => register(index % 2 ? one : two, 200 + index)));
    expect((await statuses()).map(({ nonce }) => Number(nonce))).to.deep.equal([...Array(20).keys()]);
  });

  it("throws the custom error of a contract before anything is sent", async () => {
    const sender = await open();
    await register(sender, 300);
    const stranger = await open(await funded());
    const refused = await register(stranger, 300).catch((error: unknown) => error);
    expect(refused).to.be.instanceOf(FatalError);
    if (!(refused instanceof FatalError)) return;
    expect(refused.code).to.equal("transaction_reverted");
    expect(refused.details.error).to.equal("ImageTaken");
    expect(refused.details.args).to.deep.equal({ digest: image(300), owner: account.address });
    expect(await statuses()).to.have.length(1);
  });

  it("decodes the errors of refused items of a batch and keeps the rest", async () => {
    const sender = await open(market.keeper);
    const { refusals } = await sender.send({
      kind: "test",
      contract: "Measure",
      functionName: "finalize",
      args: [[998n, 999n]],
    });
    expect(refusals.map(({ index, error }) => [index, error.text])).to.deep.equal([
      [0, "MeasureRoundUnknown(roundId 998)"],
      [1, "MeasureRoundUnknown(roundId 999)"],
    ]);
  });

  it("explains a transaction that passes the simulation and reverts in its block", async () => {
    const one = await open();
    const two = await open(await funded());
    const race = await Promise.allSettled([register(one, 400), register(two, 400)]);
    const lost = race.filter((result) => result.status === "rejected");
    expect(lost).to.have.length(1);
    expect(lost[0]?.reason.code).to.equal("transaction_reverted");
    expect(lost[0]?.reason.details.hash).to.match(/^0x/);
    // Also where the winner is in the same block: the state after it says why.
    expect(lost[0]?.reason.details.error).to.equal("ImageTaken");
  });

  /** The market's endpoint with other answers in place of some receipts. */
  function withReceipts(answer: (hash: string) => unknown, onProof = () => {}): ChainClient {
    const request = async (given: { method: string; params?: unknown }) => {
      const params = given.params as unknown[] | undefined;
      const isReceipt = given.method === "eth_getTransactionReceipt";
      const odd = isReceipt ? answer(String(params?.[0])) : undefined;
      const result = odd === undefined ? await market.client.request(given as never) : odd;
      if (given.method === "eth_getBlockByNumber" && params?.[1] === true) onProof();
      return result;
    };
    return createPublicClient({
      chain: chainOf(market.deployment.chainId),
      transport: custom({ request }, { retryCount: 0 }),
      cacheTime: 0,
    }) as ChainClient;
  }

  it("keeps a mined transaction whose receipt the endpoint lacks, and settles it once it is there", async () => {
    let lacks = true;
    let askedAfterProof = 0;
    let isProven = false;
    const answer = () => {
      if (isProven) askedAfterProof += 1;
      return lacks ? null : undefined;
    };
    const client = withReceipts(answer, () => {
      isProven = true;
    });
    const sending = register(await open(account, client), 450);
    await eventually(
      "it is found in its block, and its receipt is asked for again",
      async () => askedAfterProof > 1,
    );
    expect((await statuses()).map(({ status }) => status)).to.deep.equal(["sent"]);
    lacks = false;
    expect((await sending).receipt.status).to.equal("success");
  });

  it("settles the other transactions while the receipt of one cannot be read", async () => {
    const odd = Promise.withResolvers<string>();
    let oddHash: string | undefined;
    let lasts = true;
    const client = withReceipts((hash) => {
      oddHash ??= hash;
      if (oddHash !== hash || !lasts) return undefined;
      odd.resolve(hash);
      return { transactionHash: hash, status: "0x9", logs: "none" };
    });
    const sender = await open(account, client);
    const first = register(sender, 460);
    await odd.promise;
    expect((await register(sender, 461)).receipt.status).to.equal("success");
    expect((await statuses()).map(({ status }) => status)).to.deep.equal(["sent", "mined"]);
    lasts = false;
    expect((await first).receipt.status).to.equal("success");
  });

  it("sends once for a dedupe key: within a process, across processes and after a crash", async () => {
    const one = await open();
    const two = await open(await funded());
    const sent = await Promise.all([
      register(one, 500, "a"),
      register(one, 500, "a"),
      register(two, 500, "a"),
    ]);
    expect(new Set(sent.map(({ hash }) => hash)).size).to.equal(1);
    await one.die();
    const again = await register(await open(), 500, "a");
    expect(again.hash).to.equal(sent[0].hash);
    expect(await statuses()).to.have.length(1);
  });

  it("sends the same bytes again after a crash between storing and broadcasting", async () => {
    const first = await open();
    await register(first, 600);
    await first.die();
    // The state after a process was killed right after it stored the transaction: the row, and nothing on the chain.
    const left = await signedBy(account, 1);
    await pool.query("update app.signer set next_nonce = 2");
    await pool.query(
      `insert into app.transaction (signer, nonce, kind, to_address, data, gas, max_fee, max_priority_fee, hashes, raw,
         signed_block) values ($1, 1, 'test', $2, '0x', 21000, 1, 1, array[$3], $4, 1)`,
      [account.address.toLowerCase(), account.address, left.hash, left.raw],
    );
    await register(await open(), 601);
    await eventually("both are mined", async () => (await statuses()).every((row) => row.status === "mined"));
    expect((await market.client.getTransactionReceipt({ hash: left.hash })).status).to.equal("success");
  });

  it("skips a nonce that another program used and continues with the next", async () => {
    const sender = await open();
    await register(sender, 700);
    const foreign = await signedBy(account, 1);
    const test = createTestClient({ mode: "hardhat", transport: http(market.rpcUrl) });
    await test.setIntervalMining({ interval: 0 });
    await market.client.sendRawTransaction({ serializedTransaction: foreign.raw });
    await test.mine({ blocks: 1 });
    const lost = register(sender, 701).catch((error: unknown) => error);
    await eventually("it is stored", async () => (await statuses()).length === 2);
    await test.setIntervalMining({ interval: 1 });
    expect(await lost).to.have.property("code", "nonce_used");
    expect((await register(sender, 702)).receipt.status).to.equal("success");
    expect((await statuses()).map(({ status }) => status)).to.deep.equal(["mined", "failed", "mined"]);
  });

  it("broadcasts transactions again that a reorg removed", async () => {
    const sender = await open();
    const test = createTestClient({ mode: "hardhat", transport: http(market.rpcUrl) });
    await test.setIntervalMining({ interval: 0 });
    const snapshot = await test.snapshot();
    const first = register(sender, 800);
    await eventually("it is stored", async () => (await statuses()).length === 1);
    await test.mine({ blocks: 1 });
    const { hash } = await first;
    await test.revert({ id: snapshot });
    await test.setIntervalMining({ interval: 1 });
    await eventually(
      "it is mined again",
      async () => (await market.client.getTransactionReceipt({ hash }).catch(() => undefined)) !== undefined,
      30_000,
    );
  });

  it("signs a stuck transaction again with a higher fee under the same nonce", async () => {
    const sender = await open();
    const test = createTestClient({ mode: "hardhat", transport: http(market.rpcUrl) });
    await test.setIntervalMining({ interval: 0 });
    const sending = register(sender, 900);
    await eventually("it is stored", async () => (await statuses()).length === 1);
    // Simulate a minute and ten blocks with a base fee above its maximum fee.
    const { rows } = await pool.query<{ hashes: `0x${string}`[] }>("select hashes from app.transaction");
    const [hash] = rows[0]?.hashes ?? [];
    if (hash !== undefined) await test.dropTransaction({ hash });
    const head = await market.client.getBlock();
    await pool.query(
      "update app.transaction set signed_at = now() - interval '1 minute', signed_block = signed_block - 10",
    );
    await test.setNextBlockBaseFeePerGas({ baseFeePerGas: 10n * (head.baseFeePerGas ?? 1n) });
    await test.mine({ blocks: 1 });
    await test.setIntervalMining({ interval: 1 });
    const { receipt } = await sending;
    expect(receipt.status).to.equal("success");
    expect(receipt.transactionHash).to.not.equal(hash);
    const after = await pool.query("select cardinality(hashes) as count, nonce from app.transaction");
    expect(after.rows).to.have.length(1);
    expect(after.rows[0].nonce).to.equal(0n);
    expect(after.rows[0].count).to.be.greaterThan(1);
  });

  it("rejects a database whose nonces belong to another chain", async () => {
    await pool.query("insert into app.signer values ($1, '0xother', 5)", [account.address.toLowerCase()]);
    expect(await open().catch((error: unknown) => error)).to.have.property("code", "database_chain_mismatch");
  });

  it("refuses what no endpoint takes into its pool, before it has a nonce, and sends the next one", async () => {
    const sender = await open();
    const text = "x".repeat(mostCallBytes);
    const send = () =>
      sender.send({
        kind: "test",
        contract: "DockerContract",
        functionName: "registerImage",
        args: [image(1), 1n, image(0), text],
      });
    expect(await send().catch((error: unknown) => error)).to.have.property("code", "transaction_too_large");
    expect(await statuses()).to.deep.equal([]);
    expect((await register(sender, 2)).receipt.status).to.equal("success");
  });

  it("throws signer_unfunded when the account has insufficient ETH", async () => {
    const sender = await open(privateKeyToAccount(generatePrivateKey()));
    expect(await register(sender, 1000).catch((error: unknown) => error)).to.have.property(
      "code",
      "signer_unfunded",
    );
    expect(await statuses()).to.deep.equal([]);
  });

  async function funded(): Promise<PrivateKeyAccount> {
    const other = privateKeyToAccount(generatePrivateKey());
    await fund(market.rpcUrl, [other.address]);
    return other;
  }

  async function signedBy(signer: PrivateKeyAccount, nonce: number) {
    const raw = await signer.signTransaction({
      type: "eip1559",
      chainId: market.deployment.chainId,
      nonce,
      to: signer.address,
      gas: 21_000n,
      maxFeePerGas: 10n ** 10n,
      maxPriorityFeePerGas: 10n ** 9n,
    });
    return { raw, hash: keccak256(raw) };
  }
});
