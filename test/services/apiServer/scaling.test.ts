import { dockerContractAbi, escrowAbi } from "@ngpu/contracts-sdk/generated/abi";
import { expect } from "chai";
import getPort from "get-port";
import { encodeFunctionData } from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { startApiServer } from "../../../services/apiServer/apiServer.ts";
import type { ApiEnv } from "../../../services/apiServer/env.ts";
import { defaultLimits } from "../../../services/apiServer/limits.ts";
import { createTestContext, eventually } from "../support/context.ts";
import type { LeaseRef } from "../workspace/chainActions.ts";
import { report } from "../workspace/nodeReports.ts";
import type { Client } from "./client.ts";
import { bringUp, join, newWorkspace } from "./partner.ts";
import { type ApiMarket, setup } from "./setup.ts";

type Workspace = {
  status: string;
  replicas: { wanted: number; running: number };
  scaling: { min: number; max: number; replicas: number | null; refusal: string | null } | null;
};
type Task = { id: string; status: string; ms: number; coldStartMs: number | null; code: string };

const range = { min: 0, max: 2, target: 1, idleSeconds: 3_600 };
const limits = { ...defaultLimits, perKey: 10_000, writes: 1_000 };

/** Two instances of the API: each looks at all workspaces. */
async function startTwo(env: ApiEnv) {
  const contexts = [createTestContext("apiServer"), createTestContext("apiServer")];
  const [first, second] = contexts as [(typeof contexts)[0], (typeof contexts)[0]];
  await startApiServer(first, env, limits);
  await startApiServer(second, { ...env, PORT: await getPort(), INTERNAL_PORT: await getPort() }, limits);
  return { stop: async () => void (await Promise.all(contexts.map((context) => context.stop()))) };
}

describe("apiServer: replicas that follow the requests in progress", function () {
  this.timeout(180_000);
  let api: ApiMarket;
  let partner: Client;
  let nodeId: number;
  let id: string;
  let lease: LeaseRef;
  const held: (() => void)[] = [];

  before(async () => {
    api = await setup({ startApi: startTwo });
    ({ partner } = await join(api, privateKeyToAccount(generatePrivateKey()), "100"));
    nodeId = await api.addServingNode(
      "scales",
      (request, response) => {
        const answer = () =>
          response.writeHead(200, { "content-type": "application/json" }).end('{"done":true}');
        if (request.url?.includes("hold")) held.push(answer);
        else answer();
      },
      20,
    );
  });
  after(() => api?.stop());

  const show = async () => (await partner.get<Workspace>(`/v1/workspaces/${id}`)).body;
  const chat = () => partner.raw("/v1/chat/completions", chatOf(id));
  const chatOf = (model: string) => ({
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model, messages: [{ role: "user", content: "?" }] }),
  });
  const task = (path = "/", more: object = {}) =>
    partner.post<Task>("/v1/tasks", { workspaceId: id, path, input: {}, ...more });
  const untilReplicas = (count: number) =>
    eventually(`${count} replicas on the chain`, async () => (await show()).replicas.wanted === count);
  /** The numbers that were ordered, in their order. */
  const ordered = async () => {
    const { rows } = await api.db.query<{ replicas: number }>(
      `select replicas::int4 as replicas from chain.event_replicas_set where workspace_id = $1 order by block_number, log_index`,
      [id],
    );
    return rows.map(({ replicas }) => replicas);
  };
  const storedStates = async () =>
    (await api.db.query("select from app.scaling where workspace_id = $1", [id])).rowCount;
  /** The time of idleness is over, and every gateway knows which replicas leave. */
  const passIdleness = () =>
    eventually("a number of replicas that is drained", async () => {
      if ((await show()).replicas.wanted === 0) return true;
      const { rows } = await api.db.query<{ is_drained: boolean }>(
        `update app.scaling set lower_since = lower_since - interval '2 hours', drain_since = drain_since - interval '2 hours'
         where workspace_id = $1 returning drain_since < now() as is_drained`,
        [id],
      );
      return rows[0]?.is_drained === true;
    });
  /** Recent requests still count at first, so the time passes again and again. */
  const idleToNone = () =>
    eventually("no replicas on the chain", async () => {
      await passIdleness();
      return (await show()).replicas.wanted === 0;
    });
  const call = (functionName: "requestDelete", leases: LeaseRef[]) =>
    api.chain.call(
      "match",
      "DockerContract",
      encodeFunctionData({ abi: dockerContractAbi, functionName, args: [leases] }),
    );
  const settledOf = async () => {
    const settle = encodeFunctionData({ abi: escrowAbi, functionName: "settle", args: [[lease]] });
    await api.chain.call("relayer", "Escrow", settle).catch(() => undefined);
    await api.market.exported();
    const { body } = await partner.get<{ settled: string; owed: string }>("/v1/account");
    return body;
  };

  it("begin with one, and fall to none when nothing is asked; then nothing is owed any more", async () => {
    const answer = await partner.post<{ id: string }>("/v1/workspaces", { ...newWorkspace, replicas: range });
    expect(answer.status).to.equal(201);
    ({ id } = answer.body);
    lease = await bringUp(api, id, { name: "scales", nodeId });
    expect(await show()).to.deep.include({ status: "running", replicas: { wanted: 1, running: 1 } });
    expect((await show()).scaling).to.deep.equal({
      ...range,
      waitSeconds: 300,
      replicas: null,
      refusal: null,
    });
    const { body } = await task();
    expect([body.status, body.coldStartMs]).to.deep.equal(["succeeded", null]);
    const before = await settledOf();
    await idleToNone();
    expect(await ordered()).to.deep.equal([0]);
    // What the service workspace orders and the node does.
    await call("requestDelete", [lease]);
    await report(api.chain, "scales", lease, "deleted");
    const ended = await settledOf();
    expect(BigInt(ended.settled) > BigInt(before.settled)).to.equal(true);
    await api.chain.pass(10_000);
    expect(await settledOf()).to.deep.include({ settled: ended.settled, owed: "0", locked: "0" });
    expect((await show()).status).to.equal("idle");
  });

  it("rise when something is asked, which waits and is served; its wait is shown and costs nothing", async () => {
    const waiting = chat();
    await untilReplicas(1);
    expect(await ordered()).to.deep.equal([0, 1]);
    lease = await bringUp(api, id, { name: "scales", nodeId });
    const answer = await waiting;
    expect([answer.status, await answer.json()]).to.deep.equal([200, { done: true }]);
    const coldStart = Number(answer.headers.get("x-ngpu-cold-start-ms"));
    expect(coldStart).to.be.above(0);
    const { body } = await partner.get<Task>(`/v1/tasks/${answer.headers.get("x-ngpu-task-id")}`);
    expect([body.status, body.coldStartMs]).to.deep.equal(["succeeded", coldStart]);
    expect(body.ms).to.be.below(coldStart);
    expect((await chat()).headers.get("x-ngpu-cold-start-ms")).to.equal(null);
  });

  it("rise with the requests in progress up to max, once for both instances", async () => {
    const running = [1, 2, 3].map(() => task("/hold"));
    await untilReplicas(2);
    await eventually("the requests", () => held.length === 3);
    for (const answer of held.splice(0)) answer();
    for (const { body } of await Promise.all(running)) expect(body.status).to.equal("succeeded");
    expect(await ordered()).to.deep.equal([0, 1, 2]);
  });

  it("fall only after a request has ended that a leaving replica may have; the others go elsewhere", async () => {
    const slow = task("/hold");
    await eventually("the request", () => held.length === 1);
    await api.db.query(
      "update app.task set started_at = started_at - interval '3 hours' where workspace_id = $1 and status = 'running'",
      [id],
    );
    await passIdleness();
    // With one request in progress, one replica is enough.
    expect((await show()).scaling?.replicas).to.equal(1);
    expect((await task()).body.status).to.equal("succeeded");
    expect((await show()).replicas.wanted).to.equal(2);
    held.splice(0)[0]?.();
    expect((await slow).body.status).to.equal("succeeded");
    await untilReplicas(1);
    expect(await ordered()).to.deep.equal([0, 1, 2, 1]);
  });

  it("take no requests again while an order is on its way that ends them", async () => {
    const held = await api.db.connect();
    const drainFrom = async () =>
      (
        await held.query<{ drain_from: number | null }>(
          "select drain_from from app.scaling where workspace_id = $1",
          [id],
        )
      ).rows[0]?.drain_from;
    try {
      // Another instance, which runs as long as it holds its lock, has the claim.
      await held.query("select pg_advisory_lock(-7)");
      await held.query(
        `insert into app.workspace_order (workspace_id, runner, claim) values ($1, -7, gen_random_uuid())
         on conflict (workspace_id) do update set runner = excluded.runner, claim = excluded.claim`,
        [id],
      );
      await held.query(
        "update app.scaling set lower_since = now(), peak = 0, drain_from = 0, drain_since = now() where workspace_id = $1",
        [id],
      );
      const asked = task("/", { waitForCapacity: { maxSeconds: 60 } });
      const until = Date.now() + 4_000;
      await eventually("several looks", async () => {
        expect(await drainFrom()).to.equal(0);
        return Date.now() > until;
      });
      await held.query("select pg_advisory_unlock(-7)");
      await eventually("the replica takes requests", async () => (await drainFrom()) === null);
      expect((await asked).body.status).to.equal("succeeded");
    } finally {
      held.release(true);
    }
  });

  it("survive a restart of the API, and end with a fixed number", async () => {
    await idleToNone();
    await call("requestDelete", [lease]);
    await report(api.chain, "scales", lease, "deleted");
    await api.market.exported();
    await api.restart();
    const waiting = task();
    await untilReplicas(1);
    await bringUp(api, id, { name: "scales", nodeId });
    expect((await waiting).body).to.deep.include({ status: "succeeded" });
    // Its replicas were about to leave.
    await api.db.query("update app.scaling set drain_from = 0, drain_since = now() where workspace_id = $1", [
      id,
    ]);
    const fixed = await partner.post<{ updated: string | null }>(`/v1/workspaces/${id}/update`, {
      replicas: 2,
    });
    expect(fixed.body.updated).to.match(/^0x/);
    expect(await show()).to.deep.include({ scaling: null, replicas: { wanted: 2, running: 1 } });
    await eventually("no replica leaves", async () => (await storedStates()) === 0);
    expect((await task()).body.status).to.equal("succeeded");
  });

  it("let a request wait no longer than waitSeconds, and none after stopAt", async () => {
    const publish = async (more: object) => {
      const replicas = { ...range, ...more };
      const { body } = await partner.post<{ id: string }>("/v1/workspaces", { ...newWorkspace, replicas });
      id = body.id;
    };
    await publish({ waitSeconds: 1 });
    const late = await chat();
    const { error } = (await late.json()) as { error: { type: string; code: string } };
    expect([late.status, error.type, error.code]).to.deep.equal([503, "api_error", "capacity_wait_ended"]);
    await publish({ stopAt: new Date(Date.now() - 1_000).toISOString() });
    expect((await task()).body.code).to.equal("replica_unavailable");
    await idleToNone();
  });

  it("are refused with a range that is none", async () => {
    for (const replicas of [{ min: 3, max: 2 }, { min: 0, max: 0 }, { max: 2 }, 0, { ...range, more: 1 }]) {
      const { status, body } = await partner.post<Task>("/v1/workspaces", { ...newWorkspace, replicas });
      expect([status, body.code]).to.deep.equal([400, "request_invalid"]);
    }
  });
});
