import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createLogger } from "@ngpu/runtime/logger";
import { requestIdOf } from "@ngpu/runtime/requestId";
import { expect } from "chai";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { createTunnels } from "../../../node-client/tunnels.ts";
import { eventually } from "../support/context.ts";
import { nodeKey } from "../workspace/chain.ts";
import { addNode } from "../workspace/chainActions.ts";
import type { Client } from "./client.ts";
import { join, runWorkspace } from "./partner.ts";
import { type ApiMarket, setup } from "./setup.ts";

type Line = { service: string; event: string; requestId?: string } & Record<string, unknown>;
type Fault = { code: string; request_id: string };
type OpenAiFault = { error: { code: string }; request_id: string };

describe("apiServer: request ids", function () {
  this.timeout(120_000);
  const lines: Line[] = [];
  const log = { write: (line: string) => void lines.push(JSON.parse(line) as Line) };
  const got: Record<string, unknown>[] = [];
  const abort = new AbortController();
  let api: ApiMarket;
  let container: Server;
  let partner: Client;
  let workspaceId: string;

  before(async () => {
    api = await setup({ log });
    container = createServer((request, response) => {
      got.push(request.headers);
      response.setHeader("content-type", "application/json");
      response.setHeader("x-request-id", "the-container-says-otherwise");
      response.end('"done"');
    });
    await once(container.listen(0, "127.0.0.1"), "listening");
    const nodeId = await addNode(api.chain, "one");
    await api.market.exported();
    const tunnels = createTunnels({
      account: nodeKey("one"),
      deployment: api.chain.deployment,
      portOf: () => (container.address() as AddressInfo).port,
      logger: createLogger("node", "info", log),
      signal: abort.signal,
    });
    tunnels.setGateways([api.gatewayUrl]);
    await eventually("the tunnel", () => tunnels.open() === 1);
    const account = privateKeyToAccount(generatePrivateKey());
    ({ partner } = await join(api, account));
    const ref = await runWorkspace(api, partner, { name: "one", nodeId });
    workspaceId = ref.id;
    await eventually("a route", async () => {
      const { body } = await partner.post<{ status?: string }>("/v1/tasks", { workspaceId, path: "/x" });
      return body.status === "succeeded";
    });
  });
  after(async () => {
    abort.abort();
    await api.stop();
    container.closeAllConnections();
    container.close();
  });

  const linesOf = (requestId: string) => lines.filter((line) => line.requestId === requestId);

  it("passes the id of a task through gateway and node to the container", async () => {
    const requestId = "trace:0001.a_b-c";
    const answer = await partner.post<{ id: string }>(
      "/v1/tasks",
      { workspaceId, path: "/x" },
      { "x-request-id": requestId },
    );
    expect(answer.headers.get("x-request-id")).to.equal(requestId);
    expect(got.at(-1)).to.include({ "x-request-id": requestId, "x-ngpu-task-id": answer.body.id });
    await eventually("a line of each program", () => linesOf(requestId).length === 3);
    const said = linesOf(requestId).map(({ service, event }) => `${service} ${event}`);
    expect(said).to.have.members(["apiServer call_ended", "gateway request_routed", "node request_served"]);
    const row = await eventually("the call's row", async () => {
      const { rows } = await api.db.query("select route, status from app.call where request_id = $1", [
        requestId,
      ]);
      return rows[0];
    });
    expect(row).to.deep.equal({ route: "/v1/tasks", status: 200 });
  });

  it("passes the id of a chat and overrides the container's id in the response", async () => {
    const answer = await partner.post(
      "/v1/chat/completions",
      { model: workspaceId, messages: [{ role: "user" }] },
      { "x-request-id": "chat-1" },
    );
    expect(answer.headers.get("x-request-id")).to.equal("chat-1");
    expect(got.at(-1)).to.include({ "x-request-id": "chat-1" });
  });

  it("passes the id of a background task", async () => {
    await partner.post("/v1/tasks", { workspaceId, path: "/x", wait: false }, { "x-request-id": "later-1" });
    await eventually("the container", () => got.some((headers) => headers["x-request-id"] === "later-1"));
  });

  it("returns the id in every error, including OpenAI's format", async () => {
    const unknown = await partner.get<Fault>("/v1/tasks/00000000-0000-4000-8000-000000000000");
    expect(unknown.body.request_id).to.equal(unknown.headers.get("x-request-id"));
    const model = await partner.post<OpenAiFault>(
      "/v1/chat/completions",
      { model: "none", messages: [{ role: "user" }] },
      { "x-request-id": "no-model" },
    );
    expect(model.body.error).to.deep.include({ code: "model_not_found", param: null });
    expect(model.body.request_id).to.equal("no-model");
    const gateway = await fetch(`${api.gatewayUrl}/v1/route/1/x`, {
      headers: { "x-request-id": "no-token" },
    });
    expect(((await gateway.json()) as { error: object }).error).to.include({
      code: "token_invalid",
      request_id: "no-token",
    });
  });

  it("generates an id if the client sends none or an invalid one", async () => {
    for (const given of [undefined, "", "a".repeat(129), "two words", "ümlaut", 'quote"', "new\nline"]) {
      expect(requestIdOf(given)).to.match(/^[0-9a-f-]{36}$/);
    }
    expect(requestIdOf(["one", "two"])).to.match(/^[0-9a-f-]{36}$/);
    expect(requestIdOf("a".repeat(128))).to.have.length(128);
    const answer = await partner.get("/v1/account");
    expect(answer.headers.get("x-request-id")).to.match(/^[0-9a-f-]{36}$/);
  });
});
