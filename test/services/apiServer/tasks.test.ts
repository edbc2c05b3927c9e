import { expect } from "chai";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { echo, type NodeServer } from "../gateway/node.ts";
import { eventually } from "../support/context.ts";
import type { Client } from "./client.ts";
import { signIn } from "./client.ts";
import { join, runWorkspace } from "./partner.ts";
import { type ApiMarket, setup } from "./setup.ts";

type Task = {
  id: string;
  status: string;
  nodeId: number | null;
  ms: number | null;
  httpStatus: number | null;
  result: unknown;
  error: { code: string } | null;
};
type Fault = { code: string; details: Record<string, unknown> };
type OpenAiFault = { error: { code: string; type: string; param: string | null } };

/** A container that chats, streams word by word on request, and acts according to the path. */
function container(state: { asked: string[]; release: Promise<void>; remaining: boolean }): NodeServer {
  return async (incoming, outgoing) => {
    const path = incoming.url?.replace(/^\/w\/\d+\/\d+\/\d+/, "") ?? "";
    state.asked.push(path);
    if (path === "/slow") await state.release;
    if (path === "/refuse") {
      outgoing.writeHead(422, { "content-type": "application/json" });
      outgoing.end('{"detail":"no"}');
      return;
    }
    if (path === "/picture") {
      outgoing.writeHead(200, { "content-type": "image/png" });
      outgoing.end(Buffer.from([137, 80, 78, 71]));
      return;
    }
    if (path !== "/v1/chat/completions") return echo("container")(incoming, outgoing);
    const parts: Buffer[] = [];
    for await (const part of incoming as AsyncIterable<Buffer>) parts.push(part);
    const asked = JSON.parse(Buffer.concat(parts).toString()) as {
      stream?: boolean;
      model: string;
      endless?: boolean;
    };
    if (asked.stream !== true) {
      outgoing.writeHead(200, { "content-type": "application/json" });
      outgoing.end(
        JSON.stringify({ model: asked.model, choices: [{ message: { content: "hello there" } }] }),
      );
      return;
    }
    outgoing.stream.once("close", () => {
      state.remaining = true;
    });
    outgoing.writeHead(200, { "content-type": "text/event-stream" });
    const say = (choice: object) => outgoing.write(`data: ${JSON.stringify({ choices: [choice] })}\n\n`);
    say({ delta: { content: "hello " } });
    await state.release;
    if (asked.endless === true) return;
    say({ delta: { content: "wörld" } });
    say({ delta: {}, finish_reason: "stop" });
    outgoing.end("data: [DONE]\n\n");
  };
}

describe("apiServer: tasks and chat", () => {
  let api: ApiMarket;
  let partner: Client;
  let workspaceId: string;
  let nodeId: number;
  let release: () => void;
  const state = { asked: [] as string[], release: Promise.resolve(), remaining: false };
  const hold = () => {
    state.release = new Promise((resolve) => {
      release = resolve;
    });
  };
  before(async function () {
    this.timeout(120_000);
    api = await setup();
    ({ partner } = await join(api, privateKeyToAccount(generatePrivateKey())));
    nodeId = await api.addServingNode("one", container(state));
    ({ id: workspaceId } = await runWorkspace(api, partner, {
      name: "one",
      nodeId,
      newWorkspace: { name: "chat" },
    }));
    await eventually("the gateway knows the replica", async () => {
      const answer = await partner.post("/v1/tasks", { workspaceId, path: "/", method: "GET" });
      return answer.status === 200;
    });
  });
  after(() => api?.stop());

  it("returns and records the container's response, the node and the duration", async () => {
    const { status, body, headers } = await partner.post<Task>("/v1/tasks", {
      workspaceId,
      path: "/do",
      input: { a: 1 },
    });
    expect(status).to.equal(200);
    expect(body).to.include({ status: "succeeded", nodeId, httpStatus: 200 });
    expect(body.ms).to.be.a("number");
    expect(body.result).to.include({ method: "POST", bytes: 7 });
    const { rows } = await api.db.query(
      "select status, node_id, lease, duration_ms from app.task where id = $1",
      [body.id],
    );
    expect(rows[0]).to.include({
      status: "succeeded",
      node_id: BigInt(nodeId),
      lease: 1n,
      duration_ms: body.ms,
    });
    const shown = await partner.get<Task>(`/v1/tasks/${body.id}`);
    expect(shown.body).to.deep.equal(body);
    const call = await eventually("the call's row", async () => {
      const found = await api.db.query("select node_id from app.call where request_id = $1", [
        headers.get("x-request-id"),
      ]);
      return found.rows[0];
    });
    expect(call).to.deep.equal({ node_id: BigInt(nodeId) });
  });

  it("records an error response of the container as a failed task with its result", async () => {
    const { status, body } = await partner.post<Task>("/v1/tasks", { workspaceId, path: "/refuse" });
    expect(status).to.equal(200);
    expect(body).to.deep.include({ status: "failed", httpStatus: 422, result: { detail: "no" } });
    expect(body.error?.code).to.equal("container_error");
  });

  it("stores binary responses as base64", async () => {
    const { body } = await partner.post<Task>("/v1/tasks", { workspaceId, path: "/picture", method: "GET" });
    expect(body.result).to.deep.equal({ base64: "iVBORw==", contentType: "image/png" });
  });

  it("stores text that jsonb cannot represent", async () => {
    const { body } = await partner.post<Task>("/v1/tasks", {
      workspaceId,
      path: "/do",
      input: "a\u0000b\ud800",
    });
    expect(body.status).to.equal("succeeded");
  });

  it("runs in the background with wait: false", async () => {
    hold();
    const { status, body } = await partner.post<Task>("/v1/tasks", {
      workspaceId,
      path: "/slow",
      wait: false,
    });
    expect(status).to.equal(202);
    expect(body.status).to.be.oneOf(["queued", "running"]);
    release();
    const ended = await eventually("the task's end", async () => {
      const shown = await partner.get<Task>(`/v1/tasks/${body.id}`);
      return shown.body.status === "succeeded" ? shown.body : undefined;
    });
    expect(ended).to.include({ nodeId, httpStatus: 200 });
  });

  it("runs once per Idempotency-Key, also for a concurrent repetition", async () => {
    hold();
    const before = state.asked.filter((path) => path === "/slow").length;
    const headers = { "idempotency-key": "task-1" };
    const ask = () => partner.post<Task>("/v1/tasks", { workspaceId, path: "/slow" }, headers);
    const first = ask();
    await eventually(
      "the container is asked",
      () => state.asked.filter((path) => path === "/slow").length > before,
    );
    const second = ask();
    release();
    const [one, two] = await Promise.all([first, second]);
    expect(one.body.id).to.equal(two.body.id);
    expect((await ask()).body.id).to.equal(one.body.id);
    expect(state.asked.filter((path) => path === "/slow").length).to.equal(before + 1);
  });

  it("does not expose another partner's workspace or task", async () => {
    const other = await signIn(api.client, privateKeyToAccount(generatePrivateKey()));
    const { body } = await partner.post<Task>("/v1/tasks", { workspaceId, path: "/do" });
    expect((await other.post("/v1/tasks", { workspaceId, path: "/do" })).status).to.equal(404);
    expect((await other.get(`/v1/tasks/${body.id}`)).status).to.equal(404);
    expect((await other.get("/v1/tasks")).body).to.deep.equal({ tasks: [], next: null });
    const chat = await other.post<OpenAiFault>("/v1/chat/completions", {
      model: workspaceId,
      messages: [{ role: "user", content: "?" }],
    });
    expect([chat.status, chat.body.error.code]).to.deep.equal([404, "model_not_found"]);
  });

  for (const path of ["/../../8/0/1/x", "/a/%2e%2e/b", "/a\\..\\b", "no-slash", "/a b"]) {
    it(`rejects the path ${path}`, async () => {
      const { status } = await partner.post("/v1/tasks", { workspaceId, path });
      expect(status).to.equal(400);
    });
  }

  it("returns 503 when no replica runs, and accepts the same key again", async () => {
    const idle = await partner.post<{ id: string }>("/v1/workspaces", {
      image: `registry.test/chat@sha256:${"ab".repeat(32)}`,
      ports: [8080],
      cpu: 0.1,
      memoryMib: 64,
      diskGib: 1,
      maxPricePerSecond: "1000000",
    });
    const headers = { "idempotency-key": "task-2" };
    const ask = () => partner.post<Fault>("/v1/tasks", { workspaceId: idle.body.id, path: "/" }, headers);
    const first = await ask();
    expect([first.status, first.body.code]).to.deep.equal([503, "replica_unavailable"]);
    const second = await ask();
    expect(second.status).to.equal(503);
    expect(second.body.details.taskId).not.to.equal(first.body.details.taskId);
    const shown = await partner.get<Task>(`/v1/tasks/${String(first.body.details.taskId)}`);
    expect(shown.body).to.deep.include({ status: "failed", nodeId: null });
  });

  it("chats by id, ws-id and name, and passes on the container's model name", async () => {
    for (const model of [workspaceId, `ws-${workspaceId}`, "chat", "chat/llama3"]) {
      const { status, body, headers } = await partner.post<Record<string, unknown>>("/v1/chat/completions", {
        model,
        messages: [{ role: "user", content: "hi" }],
      });
      expect(status).to.equal(200);
      expect(body.model).to.equal(model.split("/")[1]);
      expect(headers.get("x-ngpu-node-id")).to.equal(String(nodeId));
    }
  });

  it("streams without buffering and records the content as a task", async () => {
    hold();
    const answer = await partner.raw("/v1/chat/completions", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model: "chat", stream: true, messages: [{ role: "user", content: "hi" }] }),
    });
    expect(answer.headers.get("content-type")).to.equal("text/event-stream");
    const reader = (answer.body as ReadableStream<Uint8Array>)
      .pipeThrough(new TextDecoderStream())
      .getReader();
    expect((await reader.read()).value).to.include("hello ");
    release();
    let rest = "";
    for (let part = await reader.read(); !part.done; part = await reader.read()) rest += part.value;
    expect(rest)
      .to.include("wörld")
      .and.to.match(/data: \[DONE\]\n\n$/);
    const id = answer.headers.get("x-ngpu-task-id");
    const task = await partner.get<Task>(`/v1/tasks/${id}`);
    expect(task.body).to.deep.include({ kind: "chat", status: "succeeded", nodeId });
    expect(task.body.result).to.deep.equal({ streamed: true, content: "hello wörld", finishReason: "stop" });
  });

  it("stops the container's stream when the partner disconnects, and records it", async () => {
    hold();
    state.remaining = false;
    const leaving = new AbortController();
    const answer = await partner.raw("/v1/chat/completions", {
      method: "POST",
      signal: leaving.signal,
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model: "chat", stream: true, endless: true, messages: [{ role: "user" }] }),
    });
    leaving.abort();
    await eventually("the container's stream is closed", () => state.remaining);
    release();
    const id = answer.headers.get("x-ngpu-task-id");
    const ended = await eventually("the task's end", async () => {
      const task = await partner.get<Task>(`/v1/tasks/${id}`);
      return task.body.status === "aborted" ? task.body : undefined;
    });
    expect(ended.error?.code).to.equal("client_disconnected");
  });

  it("returns errors in OpenAI's format on OpenAI-compatible endpoints", async () => {
    const none = await api.client.post<OpenAiFault>("/v1/chat/completions", {});
    expect([none.status, none.body.error.type]).to.deep.equal([401, "authentication_error"]);
    const bad = await partner.post<OpenAiFault>("/v1/chat/completions", { model: "chat" });
    expect(bad.body.error).to.deep.include({
      type: "invalid_request_error",
      code: "request_invalid",
      param: "messages",
    });
    const { body } = await partner.get<{ data: { id: string; name: string }[] }>("/v1/models");
    expect(body.data).to.have.lengthOf(1);
    expect(body.data[0]).to.include({ id: `ws-${workspaceId}`, name: "chat" });
  });

  it("waits for running tasks on shutdown and marks those that do not end as interrupted", async () => {
    hold();
    const begin = async () =>
      (await partner.post<Task>("/v1/tasks", { workspaceId, path: "/slow", wait: false })).body.id;
    const before = state.asked.length;
    const ending = await begin();
    await eventually("the container is asked", () => state.asked.length > before);
    const stopped = api.restart();
    release();
    await stopped;
    const statusOf = async (id: string) => (await partner.get<Task>(`/v1/tasks/${id}`)).body;
    expect(await statusOf(ending)).to.include({ status: "succeeded" });

    hold();
    const endless = await begin();
    await api.restart();
    expect(await statusOf(endless)).to.deep.include({ status: "failed" });
    expect((await statusOf(endless)).error?.code).to.equal("task_interrupted");
    release();
  });

  it("ends the tasks of an ended process and keeps those of a running one", async () => {
    const insert = async (runner: string) => {
      const { rows } = await api.db.query<{ id: string }>(
        `insert into app.task (id, wallet, key_id, workspace_id, kind, method, path, status, runner)
         select gen_random_uuid(), wallet, id, 1, 'task', 'POST', '/', 'running', $1 from app.api_key limit 1 returning id`,
        [runner],
      );
      return rows[0]?.id;
    };
    const gone = await insert("4711");
    const alive = await insert("4712");
    const holder = await api.db.connect();
    await holder.query("select pg_advisory_lock(4712)");
    try {
      await api.restart();
      const statusOf = async (id: string | undefined) =>
        (await api.db.query("select status, error_code from app.task where id = $1", [id])).rows[0];
      await eventually("the sweep", async () => (await statusOf(gone))?.status === "failed");
      expect(await statusOf(gone)).to.deep.equal({ status: "failed", error_code: "task_interrupted" });
      expect(await statusOf(alive)).to.deep.equal({ status: "running", error_code: null });
    } finally {
      await holder.query("select pg_advisory_unlock(4712)");
      holder.release();
    }
  });
});
