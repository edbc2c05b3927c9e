import { randomUUID } from "node:crypto";
import { expect } from "chai";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { scopeNames, scopesOf } from "../../../services/apiServer/scopes.ts";
import { echo } from "../gateway/node.ts";
import { type Client, signIn } from "./client.ts";
import { memberCases } from "./memberCases.ts";
import { join, newWorkspace, runWorkspace } from "./partner.ts";
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
    api = await setup({ limits: { signIn: 1_000, perKey: 10_000, writes: 10_000, perAddress: 10_000 } });
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
        const url = path
          .replace("/keys/{id}", "/keys/0123456789abcdef")
          .replace("{wallet}", `0x${"01".repeat(20)}`)
          .replaceAll(/\{\w+\}/g, "404");
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

  it("refuse each operation to callers without a valid key, and to other partners", async () => {
    const { paths } = api.contract.document as unknown as { paths: Operations };
    const revoked = await create({});
    await partner.delete(`/v1/keys/${revoked.body.id}`);
    const expired = await create({});
    await expire(expired.body.id);
    const [, id = "", secret = ""] = (await create({})).body.apiKey.split("_");
    const wrong = `ngpu_${id}_${secret.replace(/^./, (digit) => (digit === "0" ? "1" : "0"))}`;
    const callers = [
      { what: "none", client: api.client, code: "api_key_missing" },
      { what: "no key", client: api.client.withKey("abc"), code: "api_key_invalid" },
      {
        what: "unknown",
        client: api.client.withKey(`ngpu_${"0".repeat(16)}_${secret}`),
        code: "api_key_invalid",
      },
      { what: "wrong secret", client: api.client.withKey(wrong), code: "api_key_invalid" },
      { what: "revoked", client: revoked.client, code: "api_key_invalid" },
      { what: "expired", client: expired.client, code: "api_key_expired" },
    ];
    let calls = 0;
    for (const [path, methods] of Object.entries(paths)) {
      for (const [method, { security }] of Object.entries(methods)) {
        if (security.length === 0) continue;
        const init = {
          method: method.toUpperCase(),
          headers: { "content-type": "application/json" },
          ...(method === "post" ? { body: "{}" } : {}),
        };
        for (const { what, client, code } of callers) {
          const answer = await client.raw(path.replaceAll(/\{\w+\}/g, "1"), init);
          const found = codeOf({ status: answer.status, body: await answer.json() });
          expect(found, `${method} ${path} with ${what}`).to.deep.equal([401, code]);
          calls += 1;
        }
      }
    }
    expect(calls).to.be.greaterThan(200);
  });

  it("show and change nothing of another partner", async () => {
    const { paths } = api.contract.document as unknown as { paths: Operations };
    const { partner: owner } = await join(api, privateKeyToAccount(generatePrivateKey()));
    const workspace = (await owner.post<{ id: string }>("/v1/workspaces", newWorkspace)).body.id;
    const task = randomUUID();
    const [, ownKey = ""] = (await create({}, owner)).body.apiKey.split("_");
    const { rows } = await api.db.query<{ wallet: string }>("select wallet from app.api_key where id = $1", [
      ownKey,
    ]);
    await api.db.query(
      `insert into app.task (id, wallet, key_id, workspace_id, kind, method, path, runner)
       values ($1, $2, $3, $4, 'task', 'POST', '/', 0)`,
      [task, rows[0]?.wallet, ownKey, workspace],
    );
    const hook = await owner.post<{ id: string }>("/v1/webhooks", { url: "https://partner.example/hook" });
    const ids: Record<string, string> = {
      workspaces: workspace,
      tasks: task,
      keys: ownKey,
      webhooks: hook.body.id,
    };
    const bodies: Record<string, unknown> = {
      "/exec": { command: ["true"] },
      "/replay": { since: new Date().toISOString() },
      "/update": { replicas: 2 },
    };
    let operations = 0;
    for (const [path, methods] of Object.entries(paths)) {
      const [, subject = ""] = /^\/v1\/(\w+)\/\{id\}/.exec(path) ?? [];
      const id = ids[subject];
      for (const [method, { security }] of Object.entries(methods)) {
        if (security.length === 0 || id === undefined) continue;
        operations += 1;
        const suffix = path.slice(path.lastIndexOf("/"));
        const answer = await partner.raw(path.replace("{id}", id).replace("{session}", randomUUID()), {
          method: method.toUpperCase(),
          headers: { "content-type": "application/json" },
          ...(method === "post" ? { body: JSON.stringify(bodies[suffix] ?? {}) } : {}),
        });
        expect([404, 426], `${method} ${path}`).to.include(answer.status);
      }
    }
    expect(operations).to.be.greaterThan(20);
    for (const [list, own] of [
      ["workspaces", workspace],
      ["tasks", task],
      ["keys", ownKey],
      ["webhooks", hook.body.id],
    ] as const) {
      expect(JSON.stringify((await owner.get(`/v1/${list}`)).body), list).to.include(own);
      expect(JSON.stringify((await partner.get(`/v1/${list}`)).body), list).not.to.include(`"${own}"`);
    }
    const chat = await partner.post("/v1/chat/completions", {
      model: `ws-${workspace}`,
      messages: [{ role: "user", content: "?" }],
    });
    expect(codeOf(chat)).to.deep.equal([404, "model_not_found"]);
    expect(codeOf(await partner.post("/v1/tasks", { workspaceId: workspace }))).to.deep.equal([
      404,
      "workspace_not_found",
    ]);
  });

  it("let a key make as many calls a minute as it may, its successor included", async () => {
    const limited = await create({ ratePerMinute: 3 });
    for (let n = 0; n < 2; n++) expect((await limited.client.get("/v1/account")).status).to.equal(200);
    const rotated = await partner.post<Created>(`/v1/keys/${limited.body.id}/rotate`, {});
    const next = api.client.withKey(rotated.body.apiKey);
    expect((await next.get("/v1/account")).status).to.equal(200);
    for (const client of [next, limited.client]) {
      expect(codeOf(await client.get("/v1/account"))).to.deep.equal([429, "rate_limited"]);
    }
    expect((await partner.get("/v1/account")).status).to.equal(200);
  });

  it("let a key spend what it may a day, its successor included", async () => {
    const { partner: owner } = await join(api, privateKeyToAccount(generatePrivateKey()));
    const nodeId = await api.addServingNode("spend", echo("spend"));
    const day = 86_400n;
    const price = 1_000n;
    const limit = String(3n * price * day);
    const { body, client } = await create({ spendPerDay: limit }, owner);
    const order = { ...newWorkspace, maxPricePerSecond: String(price) };
    const { id } = await runWorkspace(api, client, { name: "spend", nodeId, newWorkspace: order });
    const codes = async (answer: Promise<{ status: number; body: unknown }>) => codeOf(await answer);
    const refused = [409, "spend_limit_reached"];
    expect(await codes(client.post("/v1/workspaces", { ...order, replicas: 3 }))).to.deep.equal(refused);
    const scale = (replicas: number, by = client) => by.post(`/v1/workspaces/${id}/update`, { replicas });
    expect((await scale(3)).status).to.equal(200);
    expect(await codes(scale(4))).to.deep.equal(refused);
    expect(await codes(client.post("/v1/keys", { name: "wider" }))).to.deep.equal([403, "key_limited"]);
    const run = (by: Client) => by.post<{ status: string }>("/v1/tasks", { workspaceId: id, input: {} });
    expect((await run(client)).body.status).to.equal("succeeded");
    await api.db.query("update app.key_spending set amount = $2 where key_id = $1", [body.id, limit]);
    const rotated = (await client.post<Created>(`/v1/keys/${body.id}/rotate`, {})).body;
    const next = api.client.withKey(rotated.apiKey);
    for (const by of [client, next]) {
      expect(await codes(run(by))).to.deep.equal(refused);
      const chat = { model: `ws-${id}`, messages: [{ role: "user", content: "?" }] };
      expect(await codes(by.post("/v1/chat/completions", chat))).to.deep.equal(refused);
    }
    expect(await codes(scale(4, next))).to.deep.equal(refused);
    expect((await run(owner)).body.status).to.equal("succeeded");
    const { keys } = (await owner.get<Listed>("/v1/keys")).body;
    expect(keys.find((key) => key.id === rotated.id)).to.include({ spendPerDay: limit, spentToday: limit });
    await owner.delete(`/v1/workspaces/${id}`);
    await api.market.exported();
    expect((await next.post("/v1/workspaces", { ...order, replicas: 3 })).status).to.equal(201);
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
      name: "ci",
      scopes: ["tasks", "read"],
      expiresAt: "2089-12-31T23:00:00.000Z",
      lastUsedAt: null,
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

  describe("members of accounts", () => memberCases(() => api));
});
