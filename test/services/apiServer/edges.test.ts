import { request as httpRequest } from "node:http";
import { expect } from "chai";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { exchange, rawErrorsOf } from "../../chaos/api/rawRequests.ts";
import { type Answer, type Client, signIn } from "./client.ts";
import { authorize, join, newWorkspace, runWorkspace } from "./partner.ts";
import { type ApiMarket, setup } from "./setup.ts";

type Problem = {
  type: string;
  title: string;
  status: number;
  detail: string;
  instance: string;
  code: string;
  hint?: string;
  errors?: { location: string; pointer: string; detail: string }[];
  details: Record<string, string>;
  request_id: string;
};
type OpenAiFault = { error: Record<string, unknown>; request_id: string };

const newAccount = () => privateKeyToAccount(generatePrivateKey());

describe("apiServer: edges", function () {
  this.timeout(120_000);
  let api: ApiMarket;
  let partner: Client;
  before(async () => {
    api = await setup({ limits: { signIn: 1_000, perKey: 100_000, perAddress: 100_000, writes: 1_000 } });
    ({ partner } = await join(api, newAccount()));
  });
  after(() => api?.stop());

  const refused = (answer: Answer<Problem>) => [answer.status, answer.body.code];

  it("describes an error as a problem of RFC 9457 with its request id", async () => {
    const answer = await partner.get<Problem>("/v1/nodes/4711");
    expect(answer.headers.get("content-type")).to.match(/^application\/problem\+json/);
    expect(answer.body).to.deep.equal({
      type: "urn:ngpu:error:node_not_found",
      title: "Not Found",
      status: 404,
      detail: "There is no node 4711.",
      hint: "GET /v1/nodes lists the nodes.",
      instance: `urn:ngpu:request:${answer.headers.get("x-request-id")}`,
      code: "node_not_found",
      request_id: answer.headers.get("x-request-id"),
    });
  });

  it("points at each invalid field", async () => {
    const { body } = await partner.post<Problem>("/v1/workspaces", { ...newWorkspace, cpu: -1, "a/b": 1 });
    expect(body.code).to.equal("request_invalid");
    expect(body.errors?.map(({ location, pointer }) => [location, pointer])).to.have.deep.members([
      ["body", "/cpu"],
      ["body", "/a~1b"],
    ]);
  });

  const beyond = ["2147483648", "4294967296", "9999999999"];
  it("answers 404 for ids beyond those of the chain, and an empty page after them", async () => {
    for (const id of beyond) {
      expect(refused(await partner.get<Problem>(`/v1/nodes/${id}`))).to.deep.equal([404, "node_not_found"]);
    }
    for (const after of [...beyond, "9223372036854775808", "9".repeat(20)]) {
      const { status, body } = await partner.get(`/v1/nodes?after=${after}`);
      expect([status, body]).to.deep.equal([200, { nodes: [], next: null }]);
      for (const path of ["epochs", "workspaces", "account/history"]) {
        expect((await partner.get(`/v1/${path}?after=${after}`)).status, path).to.equal(200);
      }
    }
    for (const path of ["workspaces", "measurements"]) {
      expect((await partner.get(`/v1/${path}/${"9".repeat(20)}`)).status).to.equal(404);
    }
    const spec = { ...newWorkspace, authorizationId: "9".repeat(20) };
    expect((await partner.post("/v1/workspaces", spec)).status).to.equal(400);
  });

  it("refuses NUL and lone surrogates wherever text is stored", async () => {
    for (const text of ["a\u0000b", "a\ud800"]) {
      const chat = { model: text, messages: [{ role: "user" }] };
      expect((await partner.post("/v1/chat/completions", chat)).status).to.equal(400);
      expect(refused(await partner.post<Problem>("/v1/keys", { name: text }))).to.deep.equal([
        400,
        "request_invalid",
      ]);
      for (const part of [
        { env: { A: text } },
        { command: [text] },
        { health: `/${text}` },
        { gpu: { model: text } },
      ]) {
        const answer = await partner.post<Problem>("/v1/workspaces", { ...newWorkspace, ...part });
        expect(refused(answer)).to.deep.equal([400, "request_invalid"]);
      }
    }
  });

  it("refuses a port twice", async () => {
    const { status, body } = await partner.post<Problem>("/v1/workspaces", {
      ...newWorkspace,
      ports: [8080, 8080],
    });
    expect([status, body.errors?.[0]?.pointer]).to.deep.equal([400, "/ports"]);
  });

  it("refuses query parameters and fields that an endpoint does not have", async () => {
    for (const path of ["/v1/workspaces?status=running", "/v1/network?a=1", "/v1/nodes/1?limit=1"]) {
      const { status, body } = await partner.get<Problem>(path);
      expect([status, body.errors?.[0]?.location], path).to.deep.equal([400, "query"]);
    }
    expect((await partner.post("/v1/auth/nonce", { a: 1 })).status).to.equal(400);
  });

  it("answers 405 with Allow, 415, 413 and 406", async () => {
    const method = await partner.raw("/v1/nodes/1", { method: "DELETE" });
    expect([method.status, method.headers.get("allow")]).to.deep.equal([405, "GET, HEAD, OPTIONS"]);
    const post = (body: string, headers: Record<string, string>) =>
      partner.raw("/v1/keys", { method: "POST", body, headers });
    const json = { "content-type": "application/json" };
    const cases: [Response, number, string][] = [
      [method, 405, "method_not_allowed"],
      [await post("name=a", { "content-type": "text/plain" }), 415, "media_type_unsupported"],
      [await post("{}", { ...json, "content-encoding": "zip" }), 415, "media_type_unsupported"],
      [await post(JSON.stringify({ name: "a".repeat(300_000) }), json), 413, "body_too_large"],
      [await post("{", json), 400, "json_invalid"],
      [await post(`${"[".repeat(5_000)}${"]".repeat(5_000)}`, json), 400, "json_invalid"],
      [await partner.raw("/v1/nodes", { headers: { accept: "image/png" } }), 406, "not_acceptable"],
    ];
    for (const [answer, status, code] of cases) {
      expect([answer.status, ((await answer.json()) as Problem).code]).to.deep.equal([status, code]);
    }
  });

  it("checks the key before it reads the body", async () => {
    const answer = Promise.withResolvers<number | undefined>();
    const sent = httpRequest(`${api.url}/v1/tasks`, {
      method: "POST",
      headers: { "content-type": "application/json", "content-length": String(15 << 20) },
    });
    sent.once("response", (response) => answer.resolve(response.statusCode));
    sent.once("error", answer.reject);
    // The rest of the body is never sent.
    sent.write("{");
    expect(await answer.promise).to.equal(401);
    sent.destroy();
  });

  it("answers a preflight, and lets pages of other origins read answers and errors", async () => {
    const preflight = await api.client.raw("/v1/workspaces", {
      method: "OPTIONS",
      headers: {
        origin: "https://app.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type,idempotency-key",
      },
    });
    expect(preflight.status).to.equal(204);
    expect(preflight.headers.get("access-control-allow-origin")).to.equal("*");
    expect(preflight.headers.get("access-control-allow-headers")).to.include("Idempotency-Key");
    const error = await api.client.raw("/v1/account", { headers: { origin: "https://app.example" } });
    expect([error.status, error.headers.get("access-control-allow-origin")]).to.deep.equal([401, "*"]);
    expect(error.headers.get("access-control-expose-headers")).to.include("X-Request-Id");
  });

  it("answers what is no valid HTTP with a problem", async () => {
    const host = "Host: x\r\n\r\n";
    const cases: [string, string, string][] = [
      ["GET /v1/nodes HTTP/1.1\r\n\r\n", "400", "request_malformed"],
      [`GET http://[::1/v1/nodes HTTP/1.1\r\n${host}`, "400", "request_malformed"],
      [`FOO /v1/nodes HTTP/1.1\r\n${host}`, "400", "request_malformed"],
      [`GET /v1/${"a".repeat(20_000)} HTTP/1.1\r\n${host}`, "431", "request_headers_too_large"],
    ];
    for (const [text, status, code] of cases) {
      const answers = await exchange(api.url, text);
      expect(answers).to.include(`HTTP/1.1 ${status} `).and.to.include(`"code":"${code}"`);
      expect(rawErrorsOf(answers)).to.deep.equal([]);
    }
  });

  it("uses OpenAI's shape on its paths, served or not", async () => {
    const kinds = [
      {
        paths: [
          "/v1/moderations",
          "/v1/responses",
          "/v1/audio/speech",
          "/v1/images/generations",
          "/v1/batches",
        ],
        refusal: { status: 400, code: "request_invalid" },
      },
      {
        // Forms, which this JSON is not.
        paths: ["/v1/audio/transcriptions", "/v1/images/edits", "/v1/files"],
        refusal: { status: 415, code: "media_type_unsupported" },
      },
      {
        paths: ["/v1/fine_tuning/jobs", "/v1/vector_stores"],
        refusal: { status: 404, code: "endpoint_not_found" },
      },
    ];
    const calls = kinds.flatMap(({ paths, refusal }) => paths.map((path) => ({ path, ...refusal })));
    for (const { path, status: expected, code } of calls) {
      const { status, body } = await partner.post<OpenAiFault>(path, {});
      expect(status, path).to.equal(expected);
      expect(Object.keys(body.error)).to.deep.equal(["message", "type", "param", "code"]);
      expect(body.error).to.include({ type: "invalid_request_error", code });
      expect(body.request_id).to.be.a("string");
    }
  });

  it("refuses to publish from an empty escrow, with the sum that is missing", async () => {
    const account = newAccount();
    const poor = await signIn(api.client, account);
    await authorize(poor, account);
    const answer = await poor.post<Problem>("/v1/workspaces", { ...newWorkspace, replicas: 2 });
    expect(refused(answer)).to.deep.equal([409, "balance_too_low"]);
    expect(answer.body.details).to.deep.equal({ available: "0", needed: "120000000", missing: "120000000" });
  });

  it("answers several deletions at once with 200, and sends one", async () => {
    const nodeId = await api.addServingNode("deletions", (_incoming, outgoing) => void outgoing.end());
    const { id } = await runWorkspace(api, partner, { name: "deletions", nodeId });
    const sent = async () => {
      const { rows } = await api.db.query<{ kind: string }>(
        "select kind from app.transaction where kind in ('api.closeWorkspace', 'api.requestDelete') order by id",
      );
      return rows.map(({ kind }) => kind);
    };
    const before = await sent();
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => partner.delete(`/v1/workspaces/${id}`)),
    );
    expect(answers.map(({ status }) => status)).to.deep.equal(Array(5).fill(200));
    expect(answers.filter(({ body }) => body.txHash !== null)).to.have.length(1);
    expect((await sent()).slice(before.length)).to.deep.equal(["api.closeWorkspace", "api.requestDelete"]);
  });

  it("sends nothing for a second deletion, and refuses tasks and chats of a closed workspace for good", async () => {
    const nodeId = await api.addServingNode("edges", (_incoming, outgoing) => void outgoing.end());
    const { id } = await runWorkspace(api, partner, { name: "edges", nodeId });
    expect((await partner.delete(`/v1/workspaces/${id}`)).body.txHash).to.be.a("string");
    const again = await partner.delete(`/v1/workspaces/${id}`);
    expect([again.status, again.body]).to.deep.equal([200, { id, txHash: null, leases: [], refusals: [] }]);
    const chat = await partner.post<OpenAiFault>("/v1/chat/completions", {
      model: id,
      messages: [{ role: "user" }],
    });
    expect([chat.status, chat.body.error.code]).to.deep.equal([404, "model_not_found"]);
    const task = await partner.post<Problem>("/v1/tasks", { workspaceId: id });
    expect(refused(task)).to.deep.equal([409, "workspace_closed"]);
  });
});
