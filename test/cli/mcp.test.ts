import { readFileSync } from "node:fs";
import { createApiClient } from "@ngpu/api-client/client";
import { Ajv2020 } from "ajv/dist/2020.js";
import { expect } from "chai";
import { answerLine } from "../../cli/mcp/serve.ts";
import { type OpenApiDocument, toolsOf } from "../../cli/mcp/tools.ts";
import { serve } from "../packages/api-client/server.ts";

const file = new URL("../../packages/api-client/generated/openapi.json", import.meta.url);
const document = JSON.parse(readFileSync(file, "utf8")) as OpenApiDocument;

type Reply = {
  id: unknown;
  result?: { content?: { text: string }[]; structuredContent?: unknown; isError?: boolean } & Record<
    string,
    unknown
  >;
  error?: { code: number };
};

/** A server of tools over an API that answers every request with the same. */
async function open(status: number, answer: object) {
  const api = await serve((_request, response) =>
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(answer)),
  );
  const client = createApiClient({ url: api.url, apiKey: "ngpu_k", timeoutMs: 10_000 });
  const tools = toolsOf(document, false);
  const ask = async (message: object | string) => {
    const line = typeof message === "string" ? message : JSON.stringify({ jsonrpc: "2.0", ...message });
    const reply = await answerLine({ api: client, tools }, line);
    return reply === undefined ? undefined : (JSON.parse(reply) as Reply);
  };
  const call = (name: string, given: object) =>
    ask({ id: 7, method: "tools/call", params: { name, arguments: given } });
  return { ...api, ask, call, [Symbol.dispose]: api[Symbol.dispose] };
}

describe("ngpu mcp", () => {
  it("offers the market's operations as tools whose schemas stand alone", () => {
    const tools = toolsOf(document, false);
    expect(tools).to.have.length(23);
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    for (const { inputSchema } of tools) ajv.compile(inputSchema);
    const publish = tools.find(({ route }) => route === "POST /v1/workspaces");
    const accepts = ajv.compile(publish?.inputSchema ?? {});
    const workspace = {
      image: `registry.test/chat@sha256:${"ab".repeat(32)}`,
      ports: [8080],
      cpu: 1,
      memoryMib: 1024,
      diskGib: 1,
      maxPricePerSecond: "1000",
    };
    expect(accepts({ body: { ...workspace, replicas: { min: 0, max: 4 } } })).to.equal(true);
    expect(accepts({ body: { ...workspace, replicas: "many" } })).to.equal(false);
    for (const { route, readOnly, destructive, inputSchema } of tools) {
      expect(destructive, route).to.equal(!readOnly);
      expect(JSON.stringify(inputSchema), route).not.to.include('"csv"');
    }
    const readOnly = toolsOf(document, true);
    expect(readOnly.filter(({ route }) => !route.startsWith("GET "))).to.have.length(1);
  });

  it("answers an agent's greeting, pings and questions, and no notification", async () => {
    using market = await open(200, {});
    const greeting = await market.ask({
      id: 1,
      method: "initialize",
      params: { protocolVersion: "2025-03-26", capabilities: {}, clientInfo: { name: "a", version: "1" } },
    });
    expect(greeting?.result).to.deep.include({ protocolVersion: "2025-03-26", capabilities: { tools: {} } });
    const other = await market.ask({ id: 1, method: "initialize", params: { protocolVersion: "1" } });
    expect(other?.result?.protocolVersion).to.equal("2025-06-18");
    expect(await market.ask({ method: "notifications/initialized" })).to.equal(undefined);
    expect(await market.ask({ id: "p", method: "ping" })).to.deep.equal({
      jsonrpc: "2.0",
      id: "p",
      result: {},
    });
    const list = (await market.ask({ id: 2, method: "tools/list" }))?.result?.tools as Record<
      string,
      unknown
    >[];
    const remove = list.find(({ name }) => name === "deleteV1WorkspacesId");
    expect(remove?.annotations).to.include({ readOnlyHint: false, destructiveHint: true });
  });

  it("calls the API with the key, and returns its answer", async () => {
    using market = await open(200, { id: "7", tier: "safe" });
    const shown = await market.call("getV1WorkspacesId", { path: { id: "7" } });
    expect(shown?.result?.structuredContent).to.deep.equal({ id: "7", tier: "safe" });
    expect(JSON.parse(shown?.result?.content?.[0]?.text ?? "")).to.deep.equal({ id: "7", tier: "safe" });
    await market.call("postV1Tasks", { body: { workspaceId: "7", input: { a: 1 } } });
    await market.call("getV1Usage", { query: { by: "key" } });
    expect(market.seen.map(({ method, url, key, body }) => [method, url, key, body])).to.deep.equal([
      ["GET", "/v1/workspaces/7", "Bearer ngpu_k", ""],
      ["POST", "/v1/tasks", "Bearer ngpu_k", '{"workspaceId":"7","input":{"a":1}}'],
      ["GET", "/v1/usage?by=key", "Bearer ngpu_k", ""],
    ]);
  });

  it("tells the agent what the API refuses, with its code and hint", async () => {
    const problem = { code: "workspace_not_found", detail: "You have no workspace 7.", hint: "List them." };
    using market = await open(404, { ...problem, status: 404 });
    const { result } = (await market.call("getV1WorkspacesId", { path: { id: "7" } })) ?? {};
    expect(result?.isError).to.equal(true);
    expect(JSON.parse(result?.content?.[0]?.text ?? "")).to.include({
      code: problem.code,
      message: problem.detail,
      hint: problem.hint,
    });
  });

  it("refuses what is no request, method or tool", async () => {
    using market = await open(200, {});
    const codeOf = async (message: object | string) => (await market.ask(message))?.error?.code;
    expect(await codeOf("{")).to.equal(-32_700);
    expect(await codeOf("[]")).to.equal(-32_600);
    expect(await codeOf({ id: 1 })).to.equal(-32_600);
    expect(await codeOf({ id: 1, method: "resources/list" })).to.equal(-32_601);
    expect(await codeOf({ id: 1, method: "tools/call", params: { name: "getV1Nothing" } })).to.equal(-32_602);
    expect(market.seen).to.deep.equal([]);
  });
});
