import { expect } from "chai";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { createKey } from "../../../services/apiServer/access.ts";
import { eventually } from "../support/context.ts";
import { signedMessage, signIn } from "./client.ts";
import { type ApiMarket, setup } from "./setup.ts";

const newAccount = () => privateKeyToAccount(generatePrivateKey());

describe("apiServer: accounts and keys", () => {
  let api: ApiMarket;
  before(async function () {
    this.timeout(90_000);
    api = await setup({ limits: { signIn: 1_000 } });
  });
  after(() => api?.stop());

  it("issues a key for a signed message and stores only the hash of its secret", async () => {
    const account = newAccount();
    const partner = await signIn(api.client, account);
    expect(partner.apiKey).to.match(/^ngpu_[0-9a-f]{16}_[0-9a-f]{64}$/);
    const me = await partner.get("/v1/account");
    expect(me.status).to.equal(200);
    expect(me.body).to.include({ wallet: account.address.toLowerCase(), deposited: "0", refundable: "0" });
    const { rows } = await api.db.query("select * from app.api_key");
    expect(JSON.stringify(rows)).not.to.include(partner.apiKey.split("_")[2]);
  });

  it("has no faucet unless one is configured", async () => {
    const answer = await api.client.post("/v1/faucet", { wallet: newAccount().address });
    expect(answer.status).to.equal(404);
    expect(answer.body).to.have.property("code", "endpoint_not_found");
  });

  it("accepts a nonce once", async () => {
    const signed = await signedMessage(api.client, newAccount());
    expect((await api.client.post("/v1/accounts", signed)).status).to.equal(201);
    const again = await api.client.post("/v1/accounts", signed);
    expect(again.status).to.equal(401);
    expect(again.body).to.have.property("code", "nonce_invalid");
  });

  const wrongs = [
    ["an unknown nonce", { nonce: "abcdefgh12345678" }, "nonce_invalid"],
    ["another domain", { domain: "evil.test" }, "siwe_domain_mismatch"],
    ["another chain", { chainId: 1 }, "siwe_chain_mismatch"],
    ["an expired message", { expirationTime: new Date(Date.now() - 1_000) }, "siwe_time_invalid"],
    ["another account's signature", { signer: newAccount() }, "signer_mismatch"],
  ] as const;
  for (const [what, wrong, code] of wrongs) {
    it(`refuses ${what}`, async () => {
      const answer = await api.client.post(
        "/v1/accounts",
        await signedMessage(api.client, newAccount(), wrong),
      );
      expect(answer.status).to.equal(401);
      expect(answer.body).to.have.property("code", code);
    });
  }

  it("rejects text that is not a sign-in message", async () => {
    const answer = await api.client.post("/v1/accounts", {
      message: "hello",
      signature: `0x${"00".repeat(65)}`,
    });
    expect(answer.status).to.equal(400);
    expect(answer.body).to.have.property("code", "siwe_invalid");
    const none = await api.client.post("/v1/accounts", {});
    expect(none.body).to.have.property("code", "request_invalid");
  });

  it("refuses calls without a key, with a wrong secret and with a revoked key", async () => {
    const partner = await signIn(api.client, newAccount());
    const without = await api.client.get("/v1/account");
    expect([without.status, without.body]).to.have.nested.property("[1].code", "api_key_missing");
    const wrong = await api.client.withKey(`${partner.apiKey.slice(0, -1)}x`).get("/v1/account");
    expect(wrong.status).to.equal(401);
    const flipped = partner.apiKey.endsWith("0") ? "1" : "0";
    const near = await api.client.withKey(partner.apiKey.slice(0, -1) + flipped).get("/v1/account");
    expect(near.body).to.have.property("code", "api_key_invalid");

    const further = await partner.post<{ id: string; apiKey: string }>("/v1/keys", { name: "ci" });
    const second = api.client.withKey(further.body.apiKey);
    expect((await second.get("/v1/keys")).body)
      .to.have.property("keys")
      .with.lengthOf(2);
    expect((await partner.delete(`/v1/keys/${further.body.id}`)).status).to.equal(200);
    expect((await second.get("/v1/keys")).status).to.equal(401);
    expect((await partner.delete(`/v1/keys/${further.body.id}`)).status).to.equal(404);
  });

  it("does not revoke another account's key", async () => {
    const one = await signIn(api.client, newAccount());
    const other = await signIn(api.client, newAccount());
    const answer = await other.delete(`/v1/keys/${one.apiKey.split("_")[1]}`);
    expect(answer.status).to.equal(404);
    expect((await one.get("/v1/account")).status).to.equal(200);
  });

  it("records every call with its request id", async () => {
    const partner = await signIn(api.client, newAccount());
    const answer = await partner.get("/v1/nodes/4711");
    expect(answer.status).to.equal(404);
    const id = answer.headers.get("x-request-id");
    const row = await eventually("the call's row", async () => {
      const { rows } = await api.db.query("select * from app.call where request_id = $1", [id]);
      return rows[0];
    });
    expect(row).to.include({
      method: "GET",
      route: "/v1/nodes/:id",
      status: 404,
      key_id: partner.apiKey.split("_")[1],
    });
  });
});

describe("apiServer: limits", () => {
  let api: ApiMarket;
  before(async function () {
    this.timeout(90_000);
    api = await setup({ limits: { signIn: 3, perKey: 4, writes: 2 } });
  });
  after(() => api?.stop());

  it("counts sign-ins by address and other calls by key", async () => {
    const partner = await signIn(api.client, newAccount());
    expect((await api.client.post("/v1/auth/nonce", {})).status).to.equal(200);
    const over = await api.client.post("/v1/auth/nonce", {});
    expect(over.status).to.equal(429);
    expect(over.body).to.have.property("code", "rate_limited");
    expect(over.headers.get("retry-after")).to.match(/^\d+$/);
    const statuses: number[] = [];
    for (let times = 0; times < 6; times++) statuses.push((await partner.get("/v1/keys")).status);
    expect(statuses).to.deep.equal([200, 200, 200, 200, 429, 429]);
  });

  it("counts calls that send a transaction by wallet, across keys", async () => {
    // The sign-in limit is exhausted, so the keys are inserted into the database.
    const wallet = newAccount().address.toLowerCase();
    await api.db.query("insert into app.account (wallet) values ($1)", [wallet]);
    const statuses: number[] = [];
    for (let times = 0; times < 3; times++) {
      const key = createKey();
      await api.db.query(
        "insert into app.api_key (id, wallet, name, secret_hash) values ($1, $2, 'test', $3)",
        [key.id, wallet, key.secretHash],
      );
      statuses.push((await api.client.withKey(key.text).post("/v1/images", {})).status);
    }
    expect(statuses).to.deep.equal([400, 400, 429]);
  });
});
