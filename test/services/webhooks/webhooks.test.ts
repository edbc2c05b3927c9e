import { expect } from "chai";
import { Redis } from "ioredis";
import OpenAI from "openai";
import { validateWebhook } from "replicate";
import { Webhook as StandardWebhook } from "standardwebhooks";
import { Webhook as SvixWebhook } from "svix";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { startWebhooks } from "../../../services/webhooks/webhooks.ts";
import { type Client, signIn } from "../apiServer/client.ts";
import { join, runWorkspace } from "../apiServer/partner.ts";
import { type ApiMarket, setup, webhookKey } from "../apiServer/setup.ts";
import { createTestContext, eventually, type TestContext } from "../support/context.ts";
import { report } from "../workspace/nodeReports.ts";
import { type Received, type Receiver, startReceiver } from "./receiver.ts";

type Created = { id: string; secret: string; events: string[] | null; disabledReason: string | null };
type Delivery = {
  eventId: string;
  type: string;
  status: string;
  nextAttemptAt: string | null;
  attempts: { httpStatus: number | null; error: string | null }[];
};
type Listed = { deliveries: Delivery[]; next: string | null };
type Fault = { code: string };

describe("webhooks", function () {
  this.timeout(180_000);
  let api: ApiMarket;
  let partner: Client;
  let context: TestContext;
  let workspace: Awaited<ReturnType<typeof runWorkspace>>;
  const receivers: Receiver[] = [];

  const startService = async () => {
    context = createTestContext("webhooks");
    await startWebhooks(
      {
        LOG_LEVEL: "silent",
        HOST: "127.0.0.1",
        PORT: 0,
        PRIVATE_ADDRESSES: true,
        DATABASE_URL: api.market.urlAs("ngpu_webhooks"),
        REDIS_URL: api.market.redisUrl,
        WEBHOOK_KEYS: [webhookKey],
        SWEEP_SECONDS: 0.1,
        RETRY_HOURS: 72,
        RETRY_SECONDS: 0.2,
      },
      context,
    );
  };

  before(async () => {
    api = await setup({ limits: { perKey: 10_000, signIn: 1_000, writes: 1_000 } });
    ({ partner } = await join(api, privateKeyToAccount(generatePrivateKey())));
    const nodeId = await api.addServingNode("hooks", (request, response) => {
      const status = request.url?.endsWith("/fails") === true ? 500 : 200;
      response.writeHead(status, { "content-type": "application/json" }).end('{"done":true}');
    });
    workspace = await runWorkspace(api, partner, { name: "hooks", nodeId });
    await startService();
    await eventually("the place in the chain's history", async () => {
      const { rowCount } = await api.db.query("select from app.webhook_cursor");
      return rowCount === 1;
    });
  });
  afterEach(async () => {
    for (const { stop } of receivers.splice(0)) stop();
    const { webhooks } = (await partner.get<{ webhooks: Created[] }>("/v1/webhooks")).body;
    for (const { id } of webhooks) await partner.delete(`/v1/webhooks/${id}`);
  });
  after(async () => {
    await context?.stop();
    await api?.stop();
  });

  const receiver = async (answer?: Receiver["answer"]) => {
    const started = await startReceiver(answer);
    receivers.push(started);
    return started;
  };
  const create = async (url: string, more: Record<string, unknown> = {}) => {
    const { status, body } = await partner.post<Created>("/v1/webhooks", { url, ...more });
    expect(status, JSON.stringify(body)).to.equal(201);
    return body;
  };
  const runTask = async (path = "/") => {
    const task = { workspaceId: workspace.id, path, input: { n: 1 }, wait: false };
    return (await partner.post<{ id: string }>("/v1/tasks", task)).body.id;
  };
  const test = async (id: string) =>
    (await partner.post<{ eventId: string }>(`/v1/webhooks/${id}/test`)).body.eventId;
  const deliveries = async (id: string, query = "") =>
    (await partner.get<Listed>(`/v1/webhooks/${id}/deliveries${query}`)).body;
  const ended = (id: string, eventId: string) =>
    eventually("the delivery's end", async () =>
      (await deliveries(id)).deliveries.find((one) => one.eventId === eventId && one.status !== "pending"),
    );
  const ofTask = (id: string) => (event: { data: { task?: { id: string } } }) => event.data.task?.id === id;

  it("send a task's end, which the clients of Standard Webhooks, Svix, OpenAI and Replicate verify unchanged", async () => {
    const target = await receiver();
    const { secret } = await create(target.url);
    const taskId = await runTask();
    const { event, body, headers } = await target.has("the event", ofTask(taskId));
    const task = (await partner.get<Record<string, unknown>>(`/v1/tasks/${taskId}`)).body;
    const { result: _none, ...shown } = task;
    expect(event).to.deep.include({ type: "task.succeeded", data: { task: shown } });
    expect(event.id).to.equal(headers["webhook-id"]);
    await verifiedByAll({ body, headers, event }, secret);
    const wrong = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;
    expect(() => new StandardWebhook(wrong).verify(body, flat(headers))).to.throw();
    expect(() => new StandardWebhook(secret).verify(`${body} `, flat(headers))).to.throw();
  });

  it("send how tasks end, each event to the webhooks that ask for its type", async () => {
    const [all, failed] = [await receiver(), await receiver()];
    await create(all.url);
    await create(failed.url, { events: ["task.failed"] });
    const [good, bad] = [await runTask(), await runTask("/fails")];
    await all.has("the success", ofTask(good));
    const { event } = await failed.has("the failure", ofTask(bad));
    expect(event).to.include({ type: "task.failed" });
    expect(failed.received.map(({ event: { type } }) => type)).to.deep.equal(["task.failed"]);
  });

  it("send how batches end, with the id where OpenAI's events have it", async () => {
    const target = await receiver();
    await create(target.url);
    const form = new FormData();
    form.set("purpose", "batch");
    const requests = [
      { custom_id: "a", method: "POST", url: "/v1/completions", body: { model: workspace.id, prompt: "a" } },
      { custom_id: "b", method: "POST", url: "/v1/completions", body: { model: "77", prompt: "b" } },
    ];
    form.set("file", new Blob([requests.map((one) => JSON.stringify(one)).join("\n")]), "in.jsonl");
    const uploaded = await partner.raw("/v1/files", { method: "POST", body: form });
    const { id: input } = (await uploaded.json()) as { id: string };
    const created = await partner.post<{ id: string }>("/v1/batches", {
      input_file_id: input,
      endpoint: "/v1/completions",
      completion_window: "24h",
    });
    const { event } = await target.has("the batch", ({ type }) => type === "batch.completed");
    expect(event.data).to.deep.include({ id: created.body.id });
    expect(event.data.batch).to.deep.include({
      status: "completed",
      input_file_id: input,
      request_counts: { total: 2, completed: 1, failed: 1 },
    });
  });

  it("send what nodes report of replicas, why they do not run, and each once", async () => {
    const target = await receiver();
    await create(target.url);
    await report(api.chain, "hooks", workspace, "stopped");
    const { event } = await target.has("the stop", ({ type }) => type === "replica.stopped");
    expect(event.data.replica).to.include({ workspaceId: workspace.id, replica: 0, lease: 1 });
    await api.db.query(
      `insert into app.workspace_event (workspace_id, replica, lease, source, code, reason_key, details, position)
       values ($1, 0, 1, 'node', 'balance_too_low', 'k', '{"needed":"5"}', 1)`,
      [workspace.id],
    );
    const blocked = await target.has("the reason", ({ type }) => type === "replica.blocked");
    expect(blocked.event.data.replica).to.deep.include({ code: "balance_too_low", details: { needed: "5" } });
    await api.db.query("update app.workspace_event set count = 2, position = 2 where reason_key = 'k'");
    await report(api.chain, "hooks", workspace, "running");
    await target.has("the start", ({ type }) => type === "replica.running");
    const types = target.received.map(({ event: { type } }) => type);
    expect(types).to.have.members(["replica.stopped", "replica.blocked", "replica.running"]);
  });

  it("are sent again after a failure, with the same id and the same bytes", async () => {
    const statuses = [500, 302, 204];
    const target = await receiver((response) =>
      response.writeHead(statuses.shift() ?? 204, { location: "http://127.0.0.1:1/" }).end(),
    );
    const { id } = await create(target.url);
    const eventId = await test(id);
    const delivery = await ended(id, eventId);
    expect(delivery).to.deep.include({ status: "delivered", type: "webhook.test", nextAttemptAt: null });
    expect(delivery.attempts.map(({ httpStatus, error }) => [httpStatus, error])).to.deep.equal([
      [500, "status_not_2xx"],
      [302, "redirected"],
      [204, null],
    ]);
    expect(new Set(target.received.map(({ body }) => body)).size).to.equal(1);
    expect(target.received.map(({ headers }) => headers["webhook-id"])).to.deep.equal([
      eventId,
      eventId,
      eventId,
    ]);
  });

  it("are signed with both secrets while one is rotated, then with the new one", async () => {
    const target = await receiver();
    const first = await create(target.url);
    const rotate = (overlapSeconds: number) =>
      partner.post<Created>(`/v1/webhooks/${first.id}/rotate`, { overlapSeconds });
    const { status, body: second } = await rotate(600);
    expect(status).to.equal(201);
    const during = await test(first.id);
    const both = await target.has("the event", ({ id }) => id === during);
    await verifiedByAll(both, first.secret);
    await verifiedByAll(both, second.secret);
    const { body: third } = await rotate(0);
    const after = await test(first.id);
    const one = await target.has("the event", ({ id }) => id === after);
    await verifiedByAll(one, third.secret);
    expect(() => new StandardWebhook(second.secret).verify(one.body, flat(one.headers))).to.throw();
  });

  it("are not delayed by receivers that do not answer", async () => {
    const open = { now: 0, most: 0 };
    const dead = await receiver((response) => {
      open.now += 1;
      open.most = Math.max(open.most, open.now);
      response.once("close", () => {
        open.now -= 1;
      });
    });
    const good = await receiver();
    const { id: deadId } = await create(dead.url);
    const { id: goodId } = await create(good.url);
    for (let n = 0; n < 40; n++) await test(deadId);
    await eventually("requests to the dead receiver", () => dead.received.length > 0);
    const eventIds: string[] = [];
    for (let n = 0; n < 40; n++) eventIds.push(await test(goodId));
    for (const eventId of eventIds) await ended(goodId, eventId);
    expect((await deliveries(deadId, "?status=delivered")).deliveries).to.deep.equal([]);
    expect(open.most).to.equal(1);
  });

  it("are disabled when the receiver answers that it is gone, and when the partner says so", async () => {
    const target = await receiver((response) => response.writeHead(410).end());
    const { id } = await create(target.url);
    await test(id);
    const shown = () => partner.get<Created>(`/v1/webhooks/${id}`);
    await eventually("the end", async () => (await shown()).body.disabledReason === "gone");
    target.answer = (response) => response.writeHead(200).end();
    const before = target.received.length;
    const waiting = await test(id);
    expect((await deliveries(id, "?status=pending")).deliveries.map(({ eventId }) => eventId)).to.include(
      waiting,
    );
    expect((await partner.post<Created>(`/v1/webhooks/${id}/enable`)).body.disabledReason).to.equal(null);
    await ended(id, waiting);
    expect(target.received.length).to.be.greaterThan(before);
    const off = await partner.post<Created>(`/v1/webhooks/${id}/disable`);
    expect(off.body.disabledReason).to.equal("partner");
  });

  it("send one event again, or all since a time", async () => {
    const target = await receiver();
    const { id } = await create(target.url, { events: ["task.succeeded"] });
    const since = new Date().toISOString();
    const tasks = [await runTask(), await runTask()];
    const events = [];
    for (const task of tasks) events.push((await target.has("the event", ofTask(task))).event);
    for (const { id: eventId } of events) await ended(id, eventId);
    const replay = (body: unknown) =>
      partner.post<{ replayed: number } & Fault>(`/v1/webhooks/${id}/replay`, body);
    expect((await replay({ eventId: events[0]?.id })).body).to.deep.equal({ replayed: 1 });
    await eventually("the event again", () => target.received.length === 3);
    await ended(id, events[0]?.id ?? "");
    expect((await replay({ since })).body).to.deep.equal({ replayed: 2 });
    await eventually("both events again", () => target.received.length === 5);
    const unknown = await replay({ eventId: "00000000-0000-4000-8000-000000000000" });
    expect([unknown.status, unknown.body.code]).to.deep.equal([404, "webhook_event_not_found"]);
    for (const body of [{}, { since, eventId: events[0]?.id }]) {
      expect((await replay(body)).body.code).to.equal("request_invalid");
    }
  });

  it("are sent although Redis has lost its data, and although the service was away", async () => {
    const target = await receiver();
    const { id } = await create(target.url);
    await context.stop();
    const taskId = await runTask();
    const eventId = await test(id);
    const redis = new Redis(api.market.redisUrl);
    await redis.flushdb();
    redis.disconnect();
    await startService();
    await target.has("the task's end", ofTask(taskId));
    await ended(id, eventId);
  });

  it("can be read by a program that cannot be reached", async () => {
    const account = privateKeyToAccount(generatePrivateKey());
    const { partner: reader } = await join(api, account);
    type Page = { events: { type: string; data: unknown }[]; next: string };
    const first = (await reader.get<Page>("/v1/webhook-events")).body;
    expect(first.events).to.deep.equal([]);
    const { body } = await reader.post<{ id: string }>("/v1/workspaces", {
      image: `registry.test/chat@sha256:${"ab".repeat(32)}`,
      ports: [8080],
      cpu: 0.5,
      memoryMib: 256,
      diskGib: 1,
      maxPricePerSecond: "1000000",
    });
    await reader.delete(`/v1/workspaces/${body.id}`);
    await api.market.exported();
    const { events } = (await reader.get<Page>(`/v1/webhook-events?wait=20&after=${first.next}`)).body;
    expect(events.map(({ type }) => type)).to.deep.equal(["workspace.closed"]);
  });

  it("belong to one partner", async () => {
    const target = await receiver();
    const { id } = await create(target.url);
    const other = await signIn(api.client, privateKeyToAccount(generatePrivateKey()));
    const answers = [
      await other.get<Fault>(`/v1/webhooks/${id}`),
      await other.get<Fault>(`/v1/webhooks/${id}/deliveries`),
      await other.delete<Fault>(`/v1/webhooks/${id}`),
    ];
    for (const act of ["rotate", "disable", "enable", "test"]) {
      answers.push(await other.post<Fault>(`/v1/webhooks/${id}/${act}`, {}));
    }
    answers.push(await other.post<Fault>(`/v1/webhooks/${id}/replay`, { since: new Date().toISOString() }));
    for (const { status, body } of answers) {
      expect([status, body.code]).to.deep.equal([404, "webhook_not_found"]);
    }
    expect((await other.get<{ webhooks: unknown[] }>("/v1/webhooks")).body.webhooks).to.deep.equal([]);
  });

  it("refuse what is no URL, and the twenty-first webhook", async () => {
    for (const url of ["hook", "ftp://partner.example/", "https://user:word@partner.example/"]) {
      const { status, body } = await partner.post<Fault>("/v1/webhooks", { url });
      expect([status, body.code], url).to.deep.equal([400, "webhook_url_invalid"]);
    }
    for (let n = 0; n < 20; n++) await create("https://partner.example/hook");
    const { status, body } = await partner.post<Fault>("/v1/webhooks", { url: "https://partner.example/" });
    expect([status, body.code]).to.deep.equal([409, "webhook_limit_reached"]);
  });

  it("keep no secret in Postgres", async () => {
    const { secret, id } = await create("https://partner.example/hook");
    const { rows } = await api.db.query<{ row: string }>(
      "select to_jsonb(s)::text as row from app.webhook_secret as s where endpoint_id = $1",
      [id],
    );
    const bytes = Buffer.from(secret.slice("whsec_".length), "base64");
    expect(rows).to.have.length(1);
    for (const form of [secret.slice(6), bytes.toString("hex")]) expect(rows[0]?.row).not.to.include(form);
  });
});

const flat = (headers: Received["headers"]) => headers as Record<string, string>;

/** Throws unless each client verifies the request as its documentation says. */
async function verifiedByAll({ body, headers, event }: Received, secret: string): Promise<void> {
  // They throw when the signature is wrong.
  new StandardWebhook(secret).verify(body, flat(headers));
  new SvixWebhook(secret).verify(body, flat(headers));
  const openai = new OpenAI({ apiKey: "none", webhookSecret: secret });
  expect(await openai.webhooks.unwrap(body, flat(headers))).to.deep.equal(event);
  const request = new Request("http://partner.example/hook", {
    method: "POST",
    body,
    headers: flat(headers),
  });
  expect(await validateWebhook(request, secret)).to.equal(true);
}
