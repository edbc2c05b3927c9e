import { createHash } from "node:crypto";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { escrowAbi } from "@ngpu/contracts-sdk/generated/abi";
import { expect } from "chai";
import pg from "pg";
import { encodeFunctionData, parseEther, parseSignature } from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { readTemplates } from "../../../services/apiServer/templates.ts";
import { temporaryDir } from "../../embedded/setup.ts";
import { echo } from "../gateway/node.ts";
import { callEscrow } from "../orders/owner.ts";
import { report } from "../workspace/nodeReports.ts";
import type { Client } from "./client.ts";
import { signIn } from "./client.ts";
import {
  authorize,
  deposit,
  image,
  join as joinMarket,
  newWorkspace,
  runWorkspace,
  signTyped,
} from "./partner.ts";
import { type ApiMarket, apiAccount, setup } from "./setup.ts";

const newAccount = () => privateKeyToAccount(generatePrivateKey());
type Account = {
  deposited: string;
  owed: string;
  locked: string;
  settled: string;
  refundable: string;
  authorizations: Record<string, unknown>[];
};
type Fault = { code: string; errors?: { pointer: string }[]; details: Record<string, unknown> };

const template = {
  name: "small-chat",
  title: "A small chat model",
  description: "Chats.",
  workspace: { ...newWorkspace, name: "chat-1" },
};

describe("apiServer: money and workspaces on a real chain", () => {
  let api: ApiMarket;
  let account: ReturnType<typeof newAccount>;
  let partner: Client;
  let authorizationId: string;
  let nodeId: number;
  before(async function () {
    this.timeout(120_000);
    api = await setup({ limits: { writes: 1_000 }, templates: [template] });
    account = newAccount();
    ({ partner, authorizationId } = await joinMarket(api, account));
    nodeId = await api.addServingNode("one", echo("one"));
  });
  after(() => api?.stop());

  it("shows a deposit and an authorization as soon as the response arrives", async () => {
    const { body } = await partner.get<Account>("/v1/account");
    expect(body).to.include({
      deposited: parseEther("10").toString(),
      refundable: parseEther("10").toString(),
    });
    expect(body.authorizations[0]).to.include({
      id: authorizationId,
      delegate: apiAccount.address.toLowerCase(),
      usable: true,
      spent: "0",
      remaining: parseEther("500").toString(),
      scope: null,
    });
    expect(body.authorizations[0]?.tier).to.be.oneOf(["unsafe", "safe", "finalized"]);
  });

  it("relays a repeated authorization once", async () => {
    const { body: given } = await partner.get<Parameters<typeof signTyped>[1]>(
      "/v1/authorizations/typed-data",
    );
    const signature = await signTyped(account, given);
    const request = { authorization: given.typedData.message, signature };
    const first = await partner.post<{ authorizationId: string }>("/v1/authorizations", request);
    const second = await partner.post<{ authorizationId: string }>("/v1/authorizations", request);
    expect(first.status).to.equal(201);
    expect(second.body).to.deep.equal(first.body);
  });

  it("refuses an authorization of another wallet, for another delegate, or signed by another account", async () => {
    const { body: given } = await partner.get<Parameters<typeof signTyped>[1]>(
      "/v1/authorizations/typed-data",
    );
    const authorization = given.typedData.message;
    const signature = await signTyped(newAccount(), given);
    const forged = await partner.post<Fault>("/v1/authorizations", { authorization, signature });
    expect([forged.status, forged.body.code]).to.deep.equal([400, "signer_mismatch"]);
    const other = await partner.post<Fault>("/v1/authorizations", {
      authorization: { ...authorization, owner: newAccount().address },
      signature,
    });
    expect([other.status, other.body.code]).to.deep.equal([403, "owner_mismatch"]);
    const away = await partner.post<Fault>("/v1/authorizations", {
      authorization: { ...authorization, delegate: newAccount().address },
      signature,
    });
    expect(away.body.code).to.equal("delegate_mismatch");
  });

  it("returns the contract's error for a refused deposit", async () => {
    const answer = (await deposit(partner, account, parseEther("1000000"))) as {
      status: number;
      body: unknown;
    };
    expect(answer.status).to.equal(409);
    expect(answer.body).to.have.property("code", "wallet_balance_too_low");
    expect(answer.body).to.have.nested.property("details.error", "ERC20InsufficientBalance");
  });

  it("says of a permit that is used, expired or another account's that it is not valid", async () => {
    const refused = async (owner: ReturnType<typeof newAccount>, query = "") => {
      const { body } = await partner.get<Parameters<typeof signTyped>[1]>(
        `/v1/deposits/typed-data?amount=1${query}`,
      );
      const { v, r, s } = parseSignature(await signTyped(owner, body));
      const deadline = String(body.typedData.message.deadline);
      return partner.post<Fault>("/v1/deposits", { amount: "1", deadline, v: Number(v), r, s });
    };
    for (const answer of [await refused(newAccount()), await refused(account, "&deadline=1")]) {
      expect([answer.status, answer.body.code]).to.deep.equal([409, "permit_invalid"]);
    }
  });

  it("says why an authorization does not pay for a workspace", async () => {
    const { body: scoped } = await authorize(partner, account, `?scope=0x${"cd".repeat(32)}`);
    const { body: ended } = await authorize(partner, account);
    const revoked = [BigInt(ended.authorizationId), false] as const;
    const revoke = encodeFunctionData({ abi: escrowAbi, functionName: "revoke", args: revoked });
    await callEscrow(api, account, revoke);
    const answers = {
      authorization_scope_mismatch: scoped.authorizationId,
      authorization_ended: ended.authorizationId,
      authorization_not_found: "4711",
    };
    for (const [code, id] of Object.entries(answers)) {
      const { status, body } = await partner.post<Fault>("/v1/workspaces", {
        ...newWorkspace,
        authorizationId: id,
      });
      expect([status, body.code]).to.deep.equal([409, code]);
    }
  });

  it("publishes a template with one call, whose fields the caller replaces", async () => {
    const { body } = await api.client.get<{ templates: unknown[] }>("/v1/templates");
    expect(body.templates).to.deep.equal([template]);
    const path = "/v1/templates/small-chat/workspaces";
    const published = await partner.post<{ id: string }>(path, {
      name: "mine",
      memoryMib: 300,
      waitForNodes: true,
    });
    expect(published.status).to.equal(201);
    await api.market.exported();
    const { rows } = await api.db.query<{ image: string; memory: number; name: string }>(
      `select image, memory_mib::int4 as memory, name
       from chain.workspace join app.workspace_name using (workspace_id) where workspace_id = $1`,
      [published.body.id],
    );
    expect(rows[0]).to.deep.equal({ image: `0x${"ab".repeat(32)}`, memory: 300, name: "mine" });
    const wrong = await partner.post<Fault>(path, { memoryMib: -1 });
    expect([wrong.status, wrong.body.errors?.[0]?.pointer]).to.deep.equal([400, "/memoryMib"]);
    const unknown = await partner.post<Fault>("/v1/templates/none/workspaces", {});
    expect([unknown.status, unknown.body.code]).to.deep.equal([404, "template_not_found"]);
    await partner.delete(`/v1/workspaces/${published.body.id}`);
  });

  it("does not start with a file of templates that is not valid", () => {
    using folder = temporaryDir();
    const file = join(folder.path, "wrong.json");
    const codeOf = (text: string) => {
      writeFileSync(file, text);
      try {
        return readTemplates(file).length;
      } catch (error) {
        return (error as { code: string }).code;
      }
    };
    expect(readTemplates(undefined)).to.deep.equal([]);
    const twice = { templates: [template, template] };
    const wrong = { templates: [{ ...template, workspace: { image: "chat" } }] };
    for (const text of ["{", "{}", JSON.stringify(twice), JSON.stringify(wrong)])
      expect(codeOf(text)).to.equal("templates_invalid");
    expect(codeOf(JSON.stringify({ templates: [template] }))).to.equal(1);
  });

  it("publishes once per Idempotency-Key and refuses the key for a different request", async () => {
    const headers = { "idempotency-key": "publish-1" };
    const countOwned = async () => {
      const { rows } = await api.db.query<{ count: number }>(
        "select count(*)::int4 as count from chain.workspace where owner = $1",
        [account.address.toLowerCase()],
      );
      return rows[0]?.count ?? 0;
    };
    const before = await countOwned();
    const first = await partner.post<{ id: string; txHash: string }>("/v1/workspaces", newWorkspace, headers);
    expect(first.status).to.equal(201);
    const second = await partner.post("/v1/workspaces", newWorkspace, headers);
    expect(second.body).to.deep.equal(first.body);
    expect((await countOwned()) - before).to.equal(1);
    const other = await partner.post<Fault>("/v1/workspaces", { ...newWorkspace, cpu: 1 }, headers);
    expect([other.status, other.body.code]).to.deep.equal([409, "idempotency_mismatch"]);
  });

  it("changes image, configuration and replicas, and reports when nothing changes", async () => {
    const { body: made } = await partner.post<{ id: string }>("/v1/workspaces", newWorkspace);
    const path = `/v1/workspaces/${made.id}`;
    const other = `${image.split("@")[0]}@sha256:${"5".repeat(64)}`;
    const change = { image: other, env: { MODE: "new" }, maxDown: 2, replicas: 3 };
    const { status, body } = await partner.post<Record<string, string | null>>(`${path}/update`, change);
    expect(status).to.equal(200);
    expect(body.updated).to.match(/^0x[0-9a-f]{64}$/);
    expect(body.scaled).to.match(/^0x[0-9a-f]{64}$/);
    const { body: shown } = await partner.get<{ image: string; config: object; replicas: object }>(path);
    expect(shown.image).to.equal(other);
    expect(shown.config).to.deep.include({ env: { MODE: "new" }, maxDown: 2 });
    expect(shown.replicas).to.deep.include({ wanted: 3 });
    const again = await partner.post(`${path}/update`, change);
    expect(again.body).to.deep.equal({ id: made.id, updated: null, scaled: null });
    for (const wrong of [{}, { policy: "exclusive" }, { replicas: 0 }]) {
      expect((await partner.post<Fault>(`${path}/update`, wrong)).status).to.equal(400);
    }
    expect((await partner.post<Fault>("/v1/workspaces/999999/update", change)).status).to.equal(404);
    await partner.delete(path);
  });

  it("publishes the requested spec in the contract's units", async () => {
    const { body } = await partner.post<{ id: string }>("/v1/workspaces", {
      ...newWorkspace,
      name: "exact",
      command: ["serve", "--port", "8080"],
      env: { MODE: "fast" },
      ports: [8080, 9090],
      replicas: 2,
      policy: "exclusive",
      graceSeconds: 90,
      gpu: { model: "NVIDIA H100 80GB HBM3", count: 1, minVramGib: 79.5, minComputeCapability: "9.0" },
      region: "DE",
      expiresAt: "2100-01-01T00:00:00Z",
    });
    const { rows } = await api.db.query("select * from chain.workspace where workspace_id = $1", [body.id]);
    expect(rows[0]).to.deep.include({
      owner: account.address.toLowerCase(),
      image: `0x${"ab".repeat(32)}`,
      replicas: 2,
      policy: "exclusive",
      grace_seconds: 90,
      max_price_per_second: 1_000_000n,
      min_vram_mib: 74_896,
      min_compute_capability: 90,
      region: "DE",
      gpus: 1,
      cpu_milli: 500,
      memory_mib: 256,
      ports: 2,
      expires_at: 4_102_444_800n,
    });
    expect(JSON.parse(String(rows[0]?.config))).to.deep.equal({
      image: "registry.test/chat",
      command: ["serve", "--port", "8080"],
      env: { MODE: "fast" },
      ports: [8080, 9090],
      health: "/healthz",
    });
    const shown = await partner.get(`/v1/workspaces/${body.id}`);
    expect(shown.body).to.deep.include({ name: "exact", image, status: "pending", cpu: 0.5, region: "DE" });
  });

  it("names the invalid field of a request", async () => {
    const cases = [
      [{ image: "chat:latest" }, "image"],
      [{ cpu: 0.0001 }, "cpu"],
      [{ maxPricePerSecond: "0.5" }, "maxPricePerSecond"],
      [{ replicas: 0 }, "replicas"],
      [{ secret: "x" }, "secret"],
    ] as const;
    for (const [wrong, field] of cases) {
      const { status, body } = await partner.post<Fault>("/v1/workspaces", { ...newWorkspace, ...wrong });
      expect(status).to.equal(400);
      expect(body.errors?.[0]?.pointer).to.equal(`/${field}`);
    }
    const past = await partner.post<Fault>("/v1/workspaces", {
      ...newWorkspace,
      expiresAt: "2020-01-01T00:00:00Z",
    });
    expect(past.body.code).to.equal("expiry_in_past");
  });

  it("publishes nothing without an authorization or under another partner's authorization", async () => {
    const poor = await signIn(api.client, newAccount());
    const none = await poor.post<Fault>("/v1/workspaces", newWorkspace);
    expect([none.status, none.body.code]).to.deep.equal([409, "authorization_missing"]);
    const stolen = await poor.post<Fault>("/v1/workspaces", { ...newWorkspace, authorizationId });
    expect([stolen.status, stolen.body.code]).to.deep.equal([409, "authorization_not_found"]);
    expect(stolen.body.details.error).to.equal("AuthorizationOwnerMismatch");
    const unknown = await partner.post<Fault>("/v1/workspaces", { ...newWorkspace, authorizationId: "4711" });
    expect([unknown.status, unknown.body.code]).to.deep.equal([409, "authorization_not_found"]);
    expect(unknown.body.details.error).to.equal("AuthorizationUnknown");
  });

  it("shows a running replica with node, lease, mapped port and debt", async () => {
    const running = await runWorkspace(api, partner, { name: "one", nodeId, ports: [32_100] });
    const { body } = await partner.get<{ status: string; replicaList: Record<string, unknown>[] }>(
      `/v1/workspaces/${running.id}`,
    );
    expect(body.status).to.equal("running");
    expect(body.replicaList[0]).to.deep.include({
      lease: 1,
      state: "running",
      desired: "run",
      pricePerSecond: "1000",
    });
    expect(body.replicaList[0]?.node).to.deep.equal({ id: nodeId, region: "DE", gpuName: null });
    // No session has reported the node's host yet.
    expect(body.replicaList[0]?.endpoints).to.deep.equal([]);
    await api.db.query(
      `insert into app.session (key, session_id, role, subject_id, instance, host, version)
       values ('0x1', gen_random_uuid(), 'node', $1, 'match-1', '203.0.113.7', '1')`,
      [nodeId],
    );
    const located = await partner.get<{ replicaList: Record<string, unknown>[] }>(
      `/v1/workspaces/${running.id}`,
    );
    expect(located.body.replicaList[0]?.endpoints).to.deep.equal([
      { containerPort: 8080, host: "203.0.113.7", port: 32_100 },
    ]);
    await api.chain.pass(100);
    await api.market.exported();
    const { body: after } = await partner.get<Account>("/v1/account");
    expect(Number(after.owed)).to.be.greaterThanOrEqual(100_000);
    const parts = [after.owed, after.locked, after.settled, after.refundable];
    expect(parts.reduce((sum, part) => sum + BigInt(part), 0n)).to.equal(parseEther("10"));
  });

  it("stops, starts and deletes a workspace only for its owner", async () => {
    const running = await runWorkspace(api, partner, { name: "one", nodeId });
    const other = await signIn(api.client, newAccount());
    for (const path of ["start", "stop"]) {
      expect((await other.post(`/v1/workspaces/${running.id}/${path}`)).status).to.equal(404);
    }
    expect((await other.delete(`/v1/workspaces/${running.id}`)).status).to.equal(404);
    expect((await other.get(`/v1/workspaces/${running.id}`)).status).to.equal(404);

    const stopped = await partner.post(`/v1/workspaces/${running.id}/stop`);
    expect(stopped.body).to.deep.include({ leases: [{ replica: 0, lease: 1 }], refusals: [] });
    const desired = async () =>
      (await api.db.query("select desired from chain.assignment where workspace_id = $1", [running.id]))
        .rows[0];
    expect(await desired()).to.deep.equal({ desired: "stop" });
    await report(api.chain, "one", running, "stopped");
    await api.market.exported();
    expect((await partner.get(`/v1/workspaces/${running.id}`)).body.status).to.equal("stopped");
    await partner.post(`/v1/workspaces/${running.id}/start`);
    expect(await desired()).to.deep.equal({ desired: "run" });

    const deleted = await partner.delete(`/v1/workspaces/${running.id}`);
    expect(deleted.status).to.equal(200);
    expect(await desired()).to.deep.equal({ desired: "delete" });
    expect((await partner.get(`/v1/workspaces/${running.id}`)).body.status).to.equal("closed");
    const again = await partner.delete(`/v1/workspaces/${running.id}`);
    expect(again.status).to.equal(200);
    expect(again.body).to.deep.equal({ id: running.id, txHash: null, leases: [], refusals: [] });
    for (const path of ["start", "stop", "update"]) {
      const answer = await partner.post<Fault>(
        `/v1/workspaces/${running.id}/${path}`,
        path === "update" ? { maxDown: 2 } : undefined,
      );
      expect([answer.status, answer.body.code], path).to.deep.equal([409, "workspace_closed"]);
    }
  });

  it("refuses zero bytes in the command and the environment, and a port that is named twice", async () => {
    for (const change of [{ env: { A: "x\u0000y" } }, { command: ["\u0000"] }, { ports: [8080, 8080] }]) {
      const answer = await partner.post<Fault>("/v1/workspaces", { ...newWorkspace, ...change });
      expect([answer.status, answer.body.code]).to.deep.equal([400, "request_invalid"]);
    }
  });

  it("stops and starts a workspace without a lease, and sends nothing for what is already so", async () => {
    const { body } = await partner.post<{ id: string }>("/v1/workspaces", newWorkspace);
    for (const [path, sends, status] of [
      ["start", false, "pending"],
      ["stop", true, "stopped"],
      ["stop", false, "stopped"],
      ["start", true, "pending"],
    ] as const) {
      const answer = await partner.post(`/v1/workspaces/${body.id}/${path}`);
      expect(answer.status).to.equal(200);
      expect(answer.body).to.deep.include({ id: body.id, leases: [], refusals: [] });
      expect(typeof answer.body.txHash === "string").to.equal(sends);
      expect((await partner.get(`/v1/workspaces/${body.id}`)).body.status).to.equal(status);
    }
  });

  it("sends nothing for values that are already so", async () => {
    const { body } = await partner.post<{ id: string }>("/v1/workspaces", newWorkspace);
    const update = (change: object) => partner.post(`/v1/workspaces/${body.id}/update`, change);
    for (const change of [{ maxDown: 1 }, { replicas: 1, maxDown: 1 }]) {
      expect((await update(change)).body).to.deep.equal({ id: body.id, updated: null, scaled: null });
    }
    const scaled = await update({ replicas: 3, maxDown: 1 });
    expect(scaled.body).to.deep.include({ updated: null });
    expect(scaled.body).to.have.property("scaled").that.is.a("string");
  });

  it("sends one order for a workspace at a time", async () => {
    const { body } = await partner.post<{ id: string }>("/v1/workspaces", newWorkspace);
    const path = `/v1/workspaces/${body.id}`;
    // Another process that sends an order: it holds the lock of its number.
    const other = new pg.Client({ connectionString: api.market.urlAs("ngpu_api") });
    await other.connect();
    await other.query("select pg_advisory_lock(1)");
    await other.query(
      "insert into app.workspace_order (workspace_id, runner, claim) values ($1, 1, gen_random_uuid())",
      [body.id],
    );
    const refused = [
      await partner.post<Fault>(`${path}/stop`),
      await partner.post<Fault>(`${path}/start`),
      await partner.post<Fault>(`${path}/update`, { replicas: 2 }),
      await partner.delete<Fault>(path),
    ];
    for (const answer of refused) {
      expect([answer.status, answer.body.code]).to.deep.equal([409, "order_in_progress"]);
    }
    await other.end();
    expect((await partner.post(`${path}/stop`)).body)
      .to.have.property("txHash")
      .that.is.a("string");
    expect((await partner.delete(path)).status).to.equal(200);
  });

  it("registers an image once, and lists workspaces in pages", async () => {
    const request = {
      digest: `sha256:${"cd".repeat(32)}`,
      sizeBytes: 1_000,
      reference: "registry.test/chat",
    };
    expect((await partner.post("/v1/images", request)).status).to.equal(201);
    expect((await partner.post("/v1/images", request)).status).to.equal(200);
    const { body } = await partner.get<{ images: { digest: string }[] }>("/v1/images");
    expect(body.images.map((one) => one.digest)).to.deep.equal([`0x${"cd".repeat(32)}`]);

    const all = await partner.get<{ workspaces: { id: string }[] }>("/v1/workspaces");
    const ids: string[] = [];
    let next: string | null = "";
    while (next !== null) {
      const page: { body: { workspaces: { id: string }[]; next: string | null } } = await partner.get(
        `/v1/workspaces?limit=2${next === "" ? "" : `&after=${next}`}`,
      );
      ids.push(...page.body.workspaces.map((one) => one.id));
      next = page.body.next;
    }
    expect(ids).to.deep.equal(all.body.workspaces.map((one) => one.id));
    expect(ids.length).to.be.greaterThan(3);
  });

  it("keeps each partner's facts of an image apart, and takes the size from the manifest", async () => {
    const manifest = JSON.stringify({ config: { size: 10 }, layers: [{ size: 90 }] });
    const digest = createHash("sha256").update(manifest).digest("hex");
    const registry = createServer((request, response) => {
      response.writeHead(request.url === `/v2/chat/manifests/sha256:${digest}` ? 200 : 404).end(manifest);
    });
    await once(registry.listen(0, "127.0.0.1"), "listening");
    const served = `127.0.0.1:${(registry.address() as AddressInfo).port}/chat`;
    const { partner: stranger } = await joinMarket(api, newAccount());
    const claimed = { digest: `sha256:${digest}`, sizeBytes: "9000000000000000000" };
    const first = await stranger.post("/v1/images", { ...claimed, reference: "nowhere.invalid/chat" });
    expect([first.status, first.body]).to.deep.include(201);
    await api.market.exported();
    const second = await partner.post<{ sizeBytes: string }>("/v1/images", { ...claimed, reference: served });
    expect([second.status, second.body]).to.deep.equal([
      200,
      { digest: `0x${digest}`, reference: served, sizeBytes: "100", verified: true, txHash: null },
    ]);
    const listed = async (as: typeof partner) => {
      const { body } = await as.get<{ images: Record<string, unknown>[] }>("/v1/images");
      return body.images.find((one) => one.digest === `0x${digest}`);
    };
    expect(await listed(partner)).to.include({ reference: served, sizeBytes: "100", verified: true });
    expect(await listed(stranger)).to.include({ reference: "nowhere.invalid/chat", verified: false });
    const wrong = { ...claimed, digest: `sha256:${"ef".repeat(32)}`, reference: served };
    // Another image's manifest under the digest.
    registry.removeAllListeners("request").on("request", (_request, response) => response.end(manifest));
    const refused = await partner.post<Fault>("/v1/images", wrong);
    expect([refused.status, refused.body.code]).to.deep.equal([409, "image_manifest_invalid"]);
    registry.closeAllConnections();
    registry.close();
  });

  it("uses an authorization only for the image in its scope", async () => {
    const scoped = newAccount();
    const { partner: other } = await joinMarket(api, scoped);
    const { body } = await authorize(other, scoped, `?scope=0x${"11".repeat(32)}`);
    const answer = await other.post<Fault>("/v1/workspaces", {
      ...newWorkspace,
      authorizationId: body.authorizationId,
    });
    expect(answer.body.details.error).to.equal("AuthorizationScopeMismatch");
    // Without an authorization in the request, the older one pays, which covers the image.
    expect((await other.post("/v1/workspaces", newWorkspace)).status).to.equal(201);
  });
});
