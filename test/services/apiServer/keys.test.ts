import { expect } from "chai";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { scopeNames, scopesOf } from "../../../services/apiServer/scopes.ts";
import { type Client, signIn } from "./client.ts";
import { type ApiMarket, setup } from "./setup.ts";

type Created = { id: string; apiKey: string; scopes: string[] | null; expiresAt: string | null };
type Listed = { keys: (Created & { name: string; lastUsedAt: string | null })[] };
type Fault = { code: string; details?: { needed: string[] }; error?: { code: string } };
type Operations = Record<string, Record<string, { tags: string[]; security: unknown[] }>>;

describe("apiServer: scopes, expiry and rotation of keys", function () {
  this.timeout(120_000);
  let api: ApiMarket;
  let partner: Client & { apiKey: string };
  before(async () => {
    api = await setup({ limits: { signIn: 1_000, perKey: 10_000, writes: 10_000 } });
    partner = await signIn(api.client, privateKeyToAccount(generatePrivateKey()));
  });
  after(() => api?.stop());

  const create = async (body: Record<string, unknown>, by: Client = partner) => {
    const answer = await by.post<Created>("/v1/keys", { name: "test", ...body });
    return { ...answer, client: api.client.withKey(answer.body.apiKey) };
  };
  const codeOf = ({ status, body }: { status: number; body: unknown }) => {
    const { code, error } = body as Fault;
    return [status, code ?? error?.code];
  };
  const expire = (id: string) =>
    api.db.query("update app.api_key set expires_at = now() - interval '1 second' where id = $1", [id]);

  it("refuse each operation to every key without its scope, and to no other", async () => {
    const { paths } = api.contract.document as unknown as { paths: Operations };
    const clients = new Map<string, Client>();
    for (const scope of scopeNames) clients.set(scope, (await create({ scopes: [scope] })).client);
    let operations = 0;
    for (const [path, methods] of Object.entries(paths)) {
      for (const [method, { tags, security }] of Object.entries(methods)) {
        if (security.length === 0) continue;
        operations++;
        // A key is not revoked on the way: its id does not exist.
        const url = path.replace("/keys/{id}", "/keys/0123456789abcdef").replace("{id}", "404");
        const allowed = scopesOf({ tag: tags[0] ?? "", method, path });
        expect(allowed, `${method} ${path}`).not.to.deep.equal([]);
        for (const [scope, client] of clients) {
          const init = { method: method.toUpperCase(), ...(method === "post" ? { body: "[]" } : {}) };
          const answer = await client.raw(url, { ...init, headers: { "content-type": "application/json" } });
          const isRefused = answer.status === 403;
          expect(isRefused, `${method} ${path} with ${scope}`).to.equal(
            !allowed.some((each) => each === scope),
          );
          if (isRefused)
            expect(codeOf({ status: 403, body: await answer.json() })[1]).to.equal("scope_missing");
        }
      }
    }
    expect(operations).to.be.greaterThan(20);
  });

  it("are listed with the keys; a key of a sign-in may do everything", async () => {
    const { body } = await create({
      name: "ci",
      scopes: ["tasks", "read"],
      expiresAt: "2090-01-01T00:00:00+01:00",
    });
    expect(body).to.deep.include({ scopes: ["tasks", "read"], expiresAt: "2089-12-31T23:00:00.000Z" });
    const { keys } = (await partner.get<Listed>("/v1/keys")).body;
    expect(keys.find(({ id }) => id === body.id)).to.deep.include({
      ...{ name: "ci", scopes: ["tasks", "read"], expiresAt: "2089-12-31T23:00:00.000Z", lastUsedAt: null },
    });
    expect(keys.find(({ id }) => partner.apiKey.includes(id))).to.include({ scopes: null, expiresAt: null });
  });

  it("do not grow when a key creates or rotates another", async () => {
    const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
    const narrow = await create({ scopes: ["keys", "read"], expiresAt });
    for (const scopes of [["tasks"], ["keys", "payments"]]) {
      expect(codeOf(await create({ scopes }, narrow.client))).to.deep.equal([403, "scope_missing"]);
    }
    const child = await create({ expiresAt: "2090-01-01T00:00:00Z" }, narrow.client);
    expect(child.body).to.deep.include({ scopes: ["keys", "read"], expiresAt });
    const [, ownId = ""] = partner.apiKey.split("_");
    expect(codeOf(await narrow.client.post(`/v1/keys/${ownId}/rotate`, {}))).to.deep.equal([
      403,
      "scope_missing",
    ]);
    expect((await partner.get("/v1/account")).status).to.equal(200);
  });

  it("refuse a key that has expired, and an expiry in the past", async () => {
    const { body, client } = await create({});
    expect((await client.get("/v1/account")).status).to.equal(200);
    await expire(body.id);
    expect(codeOf(await client.get("/v1/account"))).to.deep.equal([401, "api_key_expired"]);
    expect(codeOf(await client.post("/v1/chat/completions", {}))).to.deep.equal([401, "api_key_expired"]);
    expect(codeOf(await create({ expiresAt: "2001-01-01T00:00:00Z" }))).to.deep.equal([
      400,
      "expiry_in_past",
    ]);
    expect(codeOf(await create({ scopes: [] }))).to.deep.equal([400, "request_invalid"]);
    expect(codeOf(await create({ scopes: ["root"] }))).to.deep.equal([400, "request_invalid"]);
  });

  it("let both keys work during the overlap of a rotation, then the new one alone", async () => {
    const old = await create({ name: "rotated", scopes: ["read"] });
    const rotate = (id: string, body: object) =>
      partner.post<Created & { acceptedUntil: string }>(`/v1/keys/${id}/rotate`, body);
    const { status, body } = await rotate(old.body.id, { overlapSeconds: 600 });
    expect(status).to.equal(201);
    expect(Date.parse(body.acceptedUntil)).to.be.within(Date.now() + 500_000, Date.now() + 700_000);
    const next = api.client.withKey(body.apiKey);
    for (const client of [old.client, next]) expect((await client.get("/v1/account")).status).to.equal(200);
    expect(codeOf(await next.get("/v1/keys"))).to.deep.equal([403, "scope_missing"]);
    await expire(old.body.id);
    expect(codeOf(await old.client.get("/v1/account"))).to.deep.equal([401, "api_key_expired"]);
    expect((await next.get("/v1/account")).status).to.equal(200);
    expect(codeOf(await rotate(old.body.id, {}))).to.deep.equal([404, "api_key_not_found"]);
    const other = await signIn(api.client, privateKeyToAccount(generatePrivateKey()));
    expect(codeOf(await other.post(`/v1/keys/${body.id}/rotate`, {}))).to.deep.equal([
      404,
      "api_key_not_found",
    ]);
    const now = await rotate(body.id, { overlapSeconds: 0 });
    expect(now.status).to.equal(201);
    expect(codeOf(await next.get("/v1/account"))).to.deep.equal([401, "api_key_expired"]);
  });
});
