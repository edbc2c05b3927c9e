import { expect } from "chai";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { eventually } from "../support/context.ts";
import type { Client } from "./client.ts";
import { bringUp, join, newWorkspace } from "./partner.ts";
import { type ApiMarket, setup } from "./setup.ts";

type Task = {
  id: string;
  status: string;
  queue: { position: number; until: string } | null;
  error: { code: string } | null;
};
type Answer = Task & { code: string; details: { taskId: string } };

describe("apiServer: tasks that wait for a replica", function () {
  this.timeout(180_000);
  let api: ApiMarket;
  let partner: Client;
  let nodeId: number;
  const served: string[] = [];

  before(async () => {
    api = await setup({ limits: { perKey: 10_000, writes: 1_000 } });
    ({ partner } = await join(api, privateKeyToAccount(generatePrivateKey()), "100"));
    nodeId = await api.addServingNode("waits", (request, response) => {
      served.push(new URL(request.url ?? "/", "http://container").searchParams.get("n") ?? "");
      response.writeHead(200, { "content-type": "application/json" }).end('{"done":true}');
    });
  });
  after(() => api?.stop());
  beforeEach(() => served.splice(0));

  const publish = async () => (await partner.post<{ id: string }>("/v1/workspaces", newWorkspace)).body.id;
  const run = (workspaceId: string, more: Record<string, unknown> = {}) =>
    partner.post<Answer>("/v1/tasks", {
      workspaceId,
      input: {},
      wait: false,
      waitForCapacity: { maxSeconds: 600 },
      ...more,
    });
  const show = async (id: string) => (await partner.get<Task>(`/v1/tasks/${id}`)).body;
  const ended = (id: string) =>
    eventually("the task's end", async () => {
      const task = await show(id);
      return task.status !== "queued" && task.status !== "running" && task;
    });

  it("show their place, and run in order when there is one", async () => {
    const workspaceId = await publish();
    const ids: string[] = [];
    for (let n = 0; n < 3; n++) {
      const { status, body } = await run(workspaceId, { path: `/?n=${n}` });
      expect([status, body.status, body.queue?.position]).to.deep.equal([202, "queued", n + 1]);
      expect(Date.parse(body.queue?.until ?? "")).to.be.within(Date.now() + 500_000, Date.now() + 700_000);
      ids.push(body.id);
    }
    const waiting = run(workspaceId, { wait: true, path: "/?n=3" });
    await eventually("the fourth task", async () => {
      const { tasks } = (await partner.get<{ tasks: Task[] }>("/v1/tasks?limit=1")).body;
      return tasks[0]?.queue?.position === 4;
    });
    expect(served).to.deep.equal([]);
    await bringUp(api, workspaceId, { name: "waits", nodeId });
    for (const id of ids) expect(await ended(id)).to.include({ status: "succeeded", queue: null });
    const { status, body } = await waiting;
    expect([status, body.status]).to.deep.equal([200, "succeeded"]);
    expect(served.toSorted()).to.deep.equal(["0", "1", "2", "3"]);
  });

  it("can be cancelled, and leave the queue when their client does", async () => {
    const workspaceId = await publish();
    const { body: first } = await run(workspaceId);
    const leaving = new AbortController();
    const left = partner.raw("/v1/tasks", {
      method: "POST",
      headers: { "content-type": "application/json" },
      signal: leaving.signal,
      body: JSON.stringify({ workspaceId, waitForCapacity: { maxSeconds: 600 } }),
    });
    await eventually("the second task", async () => {
      const { tasks } = (await partner.get<{ tasks: Task[] }>("/v1/tasks?limit=1")).body;
      return tasks[0]?.queue?.position === 2;
    });
    const { body: third } = await run(workspaceId);
    expect(third.queue?.position).to.equal(3);
    leaving.abort();
    await left.catch(() => undefined);
    await eventually("its place", async () => (await show(third.id)).queue?.position === 2);
    const cancelled = await partner.post<Task>(`/v1/tasks/${first.id}/cancel`);
    expect(cancelled.body).to.deep.include({ status: "aborted", queue: null });
    expect(cancelled.body.error?.code).to.equal("task_cancelled");
    expect((await show(third.id)).queue?.position).to.equal(1);
    await partner.post(`/v1/tasks/${third.id}/cancel`);
    expect(served).to.deep.equal([]);
  });

  it("fail after the time that was stated, and when their workspace is closed", async () => {
    const workspaceId = await publish();
    const late = await run(workspaceId, { wait: true, waitForCapacity: { maxSeconds: 1 } });
    expect([late.status, late.body.code]).to.deep.equal([503, "capacity_wait_ended"]);
    expect(await show(late.body.details.taskId)).to.deep.include({ status: "failed", queue: null });
    const { body: waiting } = await run(workspaceId);
    await partner.delete(`/v1/workspaces/${workspaceId}`);
    expect((await ended(waiting.id)).error?.code).to.equal("workspace_closed");
  });

  it("are refused without a replica where the partner does not ask for the queue, or the queue is full", async () => {
    const workspaceId = await publish();
    const refused = await run(workspaceId, { wait: true, waitForCapacity: undefined });
    expect([refused.status, refused.body.code]).to.deep.equal([503, "replica_unavailable"]);
    await api.db.query(
      `insert into app.task (id, wallet, key_id, workspace_id, kind, method, path, runner, wait_until)
       select gen_random_uuid(), '0x', '', $1, 'task', 'POST', '/', 0, now() + interval '1 hour' from generate_series(1, 1000)`,
      [workspaceId],
    );
    const full = await run(workspaceId);
    expect([full.status, full.body.code]).to.deep.equal([429, "queue_full"]);
    await api.db.query("delete from app.task where workspace_id = $1 and wallet = '0x'", [workspaceId]);
    for (const maxSeconds of [0, 3_601, 1.5]) {
      const { body } = await run(workspaceId, { waitForCapacity: { maxSeconds } });
      expect(body.code).to.equal("request_invalid");
    }
  });
});
