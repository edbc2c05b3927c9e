import { toJson } from "@ngpu/runtime/json";
import { expect } from "chai";
import { keccak256 } from "viem";
import { accounts, freshChain, type TestChain } from "../workspace/chain.ts";
import { addNode, assign, fund, type LeaseRef, orders, publish } from "../workspace/chainActions.ts";
import {
  claim,
  type PostedEpoch,
  postEpoch,
  registerImage,
  replaceContracts,
  withdraw,
} from "../workspace/generations.ts";
import { report } from "../workspace/nodeReports.ts";
import { type Client, signIn } from "./client.ts";
import { type ApiMarket, apiAccount, setup } from "./setup.ts";

type Books = {
  escrow: string;
  deposited: string;
  withdrawn: string;
  settled: string;
  burned: string;
  refundable: string;
  locked: string;
};
type Account = Books & {
  previous: Books[];
  authorizations: { id: string; escrow: string; usable: boolean }[];
};
type Reward = { pomc: string; epoch: string; cumulative: string; claimable: string; proof: string };

const owner = accounts.owner.address.toLowerCase();
const relayer = accounts.relayer.address.toLowerCase();
const digest = keccak256("0x01");

describe("apiServer: a market with replaced contracts", function () {
  this.timeout(240_000);
  let previous: TestChain;
  let present: TestChain;
  let api: ApiMarket;
  let partner: Client;
  let ref: LeaseRef;
  const epochs: PostedEpoch[] = [];
  const addressOf = (chain: TestChain, name: "Escrow" | "Pomc") =>
    chain.deployment.contracts[name].toLowerCase();

  before(async () => {
    previous = await freshChain();
    const nodeId = await addNode(previous, "one");
    const old = await publish(previous, {
      authorizationId: await fund(previous, 1_000n, apiAccount.address),
    });
    ref = await assign(previous, old, { nodeId, start: true });
    await report(previous, "one", ref, "running");
    await previous.pass(100);
    await report(previous, "one", ref, "stopped");
    await registerImage(previous, digest, "host/old");
    const its = { account: owner, cumulative: 100n };
    const others = { account: relayer, cumulative: 40n };
    const first = await postEpoch(previous, 1n, [its, others]);
    await claim(previous, 1n, others, first.proofs[1] ?? "0x");
    present = await replaceContracts(previous, "market");
    await fund(present, 2_000n, apiAccount.address);
    const granted = { account: owner, cumulative: 30n };
    const second = await postEpoch(present, 2n, [granted, { ...others, cumulative: 5n }]);
    await claim(present, 2n, granted, second.proofs[0] ?? "0x");
    epochs.push(first, second);
    api = await setup({ chain: present });
    await keep(first, [its, others]);
    await keep(second, [granted, { ...others, cumulative: 5n }]);
    await api.market.exported();
    partner = await signIn(api.client, accounts.owner);
  });
  after(() => api?.stop());

  /** Stores a closed epoch, as pomc does. */
  async function keep(epoch: PostedEpoch, leaves: { account: string; cumulative: bigint }[]) {
    const { number, root, total } = epoch;
    await api.db.query(
      "insert into app.epoch (number, root, total, data_hash, document) values ($1, $2, $3, $4, '{}')",
      [number, root, total, keccak256("0xda")],
    );
    for (const [place, { account, cumulative }] of leaves.entries()) {
      await api.db.query(
        "insert into app.epoch_leaf (number, account, cumulative, proof) values ($1, $2, $3, $4)",
        [number, account, cumulative, toJson(epoch.proofs[place])],
      );
    }
  }

  it("shows the balance in the current escrow and the rest in the previous one until it is withdrawn", async () => {
    const { body } = await partner.get<Account>("/v1/account");
    expect(body).to.deep.include({
      escrow: addressOf(present, "Escrow"),
      deposited: "2000000",
      settled: "0",
      refundable: "2000000",
    });
    const [remaining, ...more] = body.previous;
    expect(more).to.deep.equal([]);
    expect(remaining?.escrow).to.equal(addressOf(previous, "Escrow"));
    expect(Number(remaining?.settled)).to.be.greaterThan(0);
    const spent = BigInt(remaining?.settled ?? 0);
    // The lease of the stopped replica still has its lock.
    expect(remaining).to.include({ locked: "1000", refundable: String(1_000_000n - spent - 1_000n) });
    await orders.remove(previous, [ref]);
    await report(previous, "one", ref, "deleted");
    await api.market.exported();
    const [ended] = (await partner.get<Account>("/v1/account")).body.previous;
    // What the node waited for the stopped replica is burned, out of the lock.
    const burned = BigInt(ended?.burned ?? 0);
    expect(Number(burned)).to.be.within(0, 1_000);
    const rest = 1_000_000n - spent - burned;
    expect(ended).to.include({ locked: "0", refundable: String(rest) });
    await withdraw(previous, rest);
    await api.market.exported();
    const again = await partner.get<Account>("/v1/account");
    expect(again.body.previous).to.deep.equal([]);
    expect(again.body.refundable).to.equal("2000000");
  });

  it("lists the balance changes of both escrows with their addresses", async () => {
    const { body } = await partner.get<{ changes: { kind: string; escrow: string }[] }>(
      "/v1/account/history?limit=50",
    );
    const of = (kind: string) => body.changes.filter((one) => one.kind === kind).map(({ escrow }) => escrow);
    expect(of("deposit")).to.deep.equal([addressOf(present, "Escrow"), addressOf(previous, "Escrow")]);
    expect(new Set(of("settlement"))).to.deep.equal(new Set([addressOf(previous, "Escrow")]));
  });

  it("does not treat an authorization of the previous escrow as usable", async () => {
    const { body } = await partner.get<Account>("/v1/account");
    const shown = body.authorizations.map(({ escrow, usable }) => ({ escrow, usable }));
    expect(shown).to.deep.equal([
      { escrow: addressOf(present, "Escrow"), usable: true },
      { escrow: addressOf(previous, "Escrow"), usable: false },
    ]);
  });

  it("shows the rewards of each contract, of the previous one only while it owes any", async () => {
    const { body } = await api.client.get<Reward & { claimed: string; previous: Reward[] }>(
      `/v1/rewards/${owner}`,
    );
    expect(body).to.deep.include({
      pomc: addressOf(present, "Pomc"),
      epoch: "2",
      cumulative: "30",
      claimed: "30",
      claimable: "0",
    });
    expect(body.previous).to.have.lengthOf(1);
    expect(body.previous[0]).to.deep.include({
      pomc: addressOf(previous, "Pomc"),
      epoch: "1",
      cumulative: "100",
      claimable: "100",
      proof: epochs[0]?.proofs[0],
    });
    const other = await api.client.get<Reward & { previous: Reward[] }>(`/v1/rewards/${relayer}`);
    expect(other.body).to.deep.include({ claimable: "5", previous: [] });
    const { epoch, cumulative, proof } = body.previous[0] as Reward;
    await claim(
      previous,
      BigInt(epoch),
      { account: owner, cumulative: BigInt(cumulative) },
      proof as `0x${string}`,
    );
    await api.market.exported();
    const paid = await api.client.get<Reward & { previous: Reward[] }>(`/v1/rewards/${owner}`);
    expect(paid.body.previous).to.deep.equal([]);
  });

  it("lists the epochs of all contracts in one sequence, each with its contract", async () => {
    const { body } = await api.client.get<{ epochs: { number: string; pomc: string }[] }>("/v1/epochs");
    expect(body.epochs.map(({ number, pomc }) => ({ number, pomc }))).to.deep.equal([
      { number: "2", pomc: addressOf(present, "Pomc") },
      { number: "1", pomc: addressOf(previous, "Pomc") },
    ]);
    const one = await api.client.get<{ pomc: string }>("/v1/epochs/1");
    expect(one.body.pomc).to.equal(addressOf(previous, "Pomc"));
  });

  it("registers an image again with the current contract", async () => {
    const listed = async () =>
      (await partner.get<{ images: { reference: string }[] }>("/v1/images")).body.images;
    expect(await listed()).to.deep.equal([]);
    await registerImage(present, digest, "host/new");
    await api.market.exported();
    expect((await listed()).map(({ reference }) => reference)).to.deep.equal(["host/new"]);
  });
});
