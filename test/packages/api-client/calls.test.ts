import { createApiClient } from "@ngpu/api-client/client";
import { ApiError, ApiUnreachableError } from "@ngpu/api-client/errors";
import { patientFetch } from "@ngpu/api-client/patientFetch";
import { pauseBefore } from "@ngpu/api-client/retry";
import { expect } from "chai";
import { collect, failureOf, serve } from "./server.ts";

const busy = (headers: Record<string, string> = {}) => ({ status: 503, headers, body: '{"code":"busy"}' });
const fine = { status: 200, headers: {}, body: '{"id":"7"}' };

/** A server that gives these answers in order, and the last one from then on. */
function answering(...answers: { status: number; headers?: Record<string, string>; body: string }[]) {
  let at = 0;
  return serve((_request, response) => {
    const answer = answers[Math.min(at++, answers.length - 1)] ?? fine;
    response.writeHead(answer.status, answer.headers).end(answer.body);
  });
}

describe("a call of a route", () => {
  it("fills in path, query and body", async () => {
    using server = await serve((_request, response) => response.end('{"id":"7"}'));
    const api = createApiClient({ url: server.url });
    await api.call("GET /v1/workspaces/{id}", { path: { id: "a/b" } });
    await api.call("GET /v1/tasks", { query: { limit: 5, workspaceId: "7" } });
    await api.call("POST /v1/tasks", { body: { workspaceId: "7" } });
    expect(server.seen.map(({ method, url, body }) => [method, url, body])).to.deep.equal([
      ["GET", "/v1/workspaces/a%2Fb", ""],
      ["GET", "/v1/tasks?limit=5&workspaceId=7", ""],
      ["POST", "/v1/tasks", '{"workspaceId":"7"}'],
    ]);
  });

  it("uses another fetch where Node's own would give up before the deadline", async () => {
    using server = await serve((_request, response) => response.end('{"id":"7"}'));
    const long: string[] = [];
    const longFetch: typeof fetch = (input, init) => {
      long.push(String(input).slice(server.url.length));
      return patientFetch(input, init);
    };
    const api = createApiClient({ url: server.url, longFetch });
    await api.call("GET /v1/account", {});
    const answer = await api.call("GET /v1/keys", {}, { timeoutMs: 600_000 });
    expect(answer).to.deep.equal({ id: "7" });
    await failureOf(collect(api.stream("POST /v1/chat/completions", { body: { model: "m", messages: [] } })));
    expect(long).to.deep.equal(["/v1/keys", "/v1/chat/completions"]);
    const aborted = await failureOf(
      api.call("GET /v1/keys", {}, { timeoutMs: 600_000, signal: AbortSignal.abort() }),
    );
    expect(aborted).to.be.instanceOf(ApiUnreachableError);
  });

  it("throws a problem with code, hint, fields, request id and the time to wait", async () => {
    using server = await answering({
      status: 400,
      headers: { "x-request-id": "r-1", "retry-after": "7", "content-type": "application/problem+json" },
      body: JSON.stringify({
        type: "urn:x",
        title: "Bad Request",
        status: 400,
        detail: "Invalid body cpu: is too large.",
        code: "request_invalid",
        hint: "See /docs.",
        request_id: "r-1",
        errors: [{ location: "body", pointer: "/cpu", detail: "is too large" }],
      }),
    });
    const error = await failureOf(createApiClient({ url: server.url }).call("GET /v1/keys", {}));
    expect(error).to.be.instanceOf(ApiError).and.to.include({
      status: 400,
      code: "request_invalid",
      message: "Invalid body cpu: is too large.",
      hint: "See /docs.",
      requestId: "r-1",
      retryAfter: 7,
    });
    expect((error as ApiError).errors).to.deep.equal([
      { location: "body", pointer: "/cpu", detail: "is too large" },
    ]);
    expect(server.seen).to.have.length(1);
  });
});

describe("a repetition", () => {
  const calls = {
    "a read": (api: ReturnType<typeof createApiClient>) => api.call("GET /v1/keys", {}),
    "a deletion": (api: ReturnType<typeof createApiClient>) =>
      api.call("DELETE /v1/workspaces/{id}", { path: { id: "7" } }),
    "a write with an Idempotency-Key": (api: ReturnType<typeof createApiClient>) =>
      api.call("POST /v1/tasks", { body: { workspaceId: "7" } }, { idempotencyKey: "k" }),
  };
  for (const [what, call] of Object.entries(calls)) {
    it(`is made of ${what} that failed for a time`, async () => {
      using server = await answering(busy({ "retry-after": "0" }), busy({ "retry-after": "0" }), fine);
      expect(await call(createApiClient({ url: server.url }))).to.deep.equal({ id: "7" });
      expect(server.seen).to.have.length(3);
    });
  }

  it("is not made of a write that may have had an effect", async () => {
    using server = await answering(busy({ "retry-after": "0" }), fine);
    const api = createApiClient({ url: server.url });
    const error = await failureOf(api.call("POST /v1/tasks", { body: { workspaceId: "7" } }));
    expect(error).to.include({ status: 503 });
    expect(server.seen).to.have.length(1);
  });

  it("is made of any call that was refused for its rate", async () => {
    using server = await answering({ status: 429, headers: { "retry-after": "0" }, body: "{}" }, fine);
    const api = createApiClient({ url: server.url });
    expect(await api.call("POST /v1/tasks", { body: { workspaceId: "7" } })).to.deep.equal({ id: "7" });
    expect(server.seen).to.have.length(2);
  });

  it("is not made when the API asks for more than a minute, or says that it would fail again", async () => {
    for (const answer of [busy({ "retry-after": "61" }), { status: 409, body: "{}" }]) {
      using server = await answering(answer, fine);
      expect(await failureOf(createApiClient({ url: server.url }).get("/v1/keys"))).to.be.instanceOf(
        ApiError,
      );
      expect(server.seen).to.have.length(1);
    }
  });

  it("ends after two, or the configured number", async () => {
    for (const [retries, sent] of [
      [undefined, 3],
      [0, 1],
    ] as const) {
      using server = await answering(busy({ "retry-after": "0" }));
      await failureOf(createApiClient({ url: server.url, retries }).get("/v1/keys"));
      expect(server.seen).to.have.length(sent);
    }
  });

  it("ends when the call is aborted", async () => {
    using server = await answering(busy({ "retry-after": "30" }));
    const gone = new AbortController();
    const api = createApiClient({ url: server.url, retries: 1_000 });
    const failed = failureOf(api.call("GET /v1/keys", {}, { signal: gone.signal }));
    while (server.seen.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    gone.abort();
    expect(await failed).to.be.instanceOf(Error);
    expect(server.seen).to.have.length(1);
  });

  it("waits as long as the API asks, else up to a limit that doubles", () => {
    const asked = new ApiError("Busy.", { status: 503, code: "busy", retryAfter: 3 });
    expect(pauseBefore(0, asked, () => 0)).to.equal(3_000);
    const silent = new ApiUnreachableError("http://market.test", new Error("reset"));
    expect([0, 1, 2, 9].map((attempt) => pauseBefore(attempt, silent, () => 1))).to.deep.equal([
      500, 1_000, 2_000, 8_000,
    ]);
    expect(pauseBefore(5, silent, () => 0)).to.equal(0);
  });
});

describe("a list", () => {
  it("reads pages as they are needed, with the query of the first", async () => {
    const pages = [
      { workspaces: [{ id: "3" }, { id: "2" }], next: "2" },
      { workspaces: [{ id: "1" }], next: null },
    ];
    let page = 0;
    using server = await serve((_request, response) => response.end(JSON.stringify(pages[page++])));
    const api = createApiClient({ url: server.url });
    const list = api.list("GET /v1/workspaces", { query: { limit: 2 } });
    expect((await list.next()).value).to.include({ id: "3" });
    expect(server.seen).to.have.length(1);
    const rest = await collect(list);
    expect(rest.map(({ id }) => id)).to.deep.equal(["2", "1"]);
    expect(server.seen.map(({ url }) => url)).to.deep.equal([
      "/v1/workspaces?limit=2",
      "/v1/workspaces?limit=2&after=2",
    ]);
  });
});
