import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { expect } from "chai";
import { eventually } from "../support/context.ts";
import type { Client } from "./client.ts";
import { type LeaseMarket, openLeaseMarket, stranger, wallet } from "./leaseMarket.ts";

type Task = { id: string; status: string; error: { code: string } | null; nodeId: number | null };

describe("apiServer: cancelling tasks", function () {
  this.timeout(180_000);
  let market: LeaseMarket;
  let partner: Client;
  let container: Server;
  const state = { requests: 0, closed: 0 };

  before(async () => {
    market = await openLeaseMarket();
    partner = await market.as(wallet);
    container = createServer((request, response) => {
      state.requests += 1;
      response.once("close", () => {
        if (!response.writableFinished) state.closed += 1;
      });
      if (request.url === "/quick") response.end('{"done":true}');
      if (request.url === "/half") response.writeHead(200, { "content-type": "text/plain" }).write("half");
    });
    await once(container.listen(0, "127.0.0.1"), "listening");
    market.serveTasks((container.address() as AddressInfo).port);
    await eventually("a route", async () => (await run("/quick", true)).status === 200);
  });
  after(async () => {
    await market.stop();
    container.closeAllConnections();
    container.close();
  });
  beforeEach(() => Object.assign(state, { requests: 0, closed: 0 }));

  const run = (path: string, wait: boolean) =>
    partner.post<Task & { code: string }>("/v1/tasks", { workspaceId: "1", path, input: {}, wait });
  const show = async (id: string) => (await partner.get<Task>(`/v1/tasks/${id}`)).body;
  const cancel = (client: Client, id: string) =>
    client.post<Task & { code: string }>(`/v1/tasks/${id}/cancel`);
  const running = async () => {
    await eventually("the container's request", () => state.requests === 1);
    return eventually("a running task", async () => {
      const { body } = await partner.get<{ tasks: Task[] }>("/v1/tasks");
      return body.tasks.find(({ status }) => status === "running")?.id;
    });
  };

  it("reaches the container, and the partner that waits", async () => {
    const waiting = run("/never", true);
    const { status, body } = await cancel(partner, await running());
    expect([status, body.status, body.error?.code, body.nodeId]).to.deep.equal([
      200,
      "aborted",
      "task_cancelled",
      null,
    ]);
    const answer = await waiting;
    expect([answer.status, answer.body.code]).to.deep.equal([409, "task_cancelled"]);
    await eventually("the end of the container's request", () => state.closed === 1);
  });

  it("reaches a task of another instance, also one whose response has begun", async () => {
    const { body } = await run("/half", false);
    await running();
    const { authorization } = { authorization: await market.keyFor(wallet) };
    const cancelled = await cancel(market.otherClient.withKey(authorization), body.id);
    expect([cancelled.status, cancelled.body.status]).to.deep.equal([200, "aborted"]);
    await eventually("the end of the container's request", () => state.closed === 1);
  });

  it("leaves a task that has ended as it is", async () => {
    const { body } = await run("/quick", true);
    const { status, body: task } = await cancel(partner, body.id);
    expect([status, task.status]).to.deep.equal([200, "succeeded"]);
    expect((await show(body.id)).status).to.equal("succeeded");
  });

  it("is for the owner alone, with the scope of tasks", async () => {
    const { body } = await run("/quick", true);
    const codes = async (client: Client) => {
      const answer = await cancel(client, body.id);
      return [answer.status, answer.body.code];
    };
    expect(await codes(await market.as(stranger))).to.deep.equal([404, "task_not_found"]);
    expect(await codes(await market.as(wallet, "read", "workspaces"))).to.deep.equal([403, "scope_missing"]);
    expect(await codes(market.client)).to.deep.equal([401, "api_key_missing"]);
    expect((await cancel(partner, "no")).status).to.equal(400);
  });
});
