import { createApiClient } from "@ngpu/api-client/client";
import { ApiError, ApiUnreachableError } from "@ngpu/api-client/errors";
import { expect } from "chai";
import { failureOf, serve } from "./server.ts";

describe("the API client", () => {
  it("sends method, path, key and body, and returns the parsed response", async () => {
    using server = await serve((_request, response) => response.end('{"id":"7"}'));
    const api = createApiClient({ url: `${server.url}/` }).withKey("ngpu_key");
    expect(await api.post("/v1/tasks", { input: 1 })).to.deep.equal({ id: "7" });
    expect(await api.get("/v1/account")).to.deep.equal({ id: "7" });
    expect(await api.delete("/v1/workspaces/7")).to.deep.equal({ id: "7" });
    const key = "Bearer ngpu_key";
    expect(server.seen).to.deep.equal([
      { method: "POST", url: "/v1/tasks", key, body: '{"input":1}' },
      { method: "GET", url: "/v1/account", key, body: "" },
      { method: "DELETE", url: "/v1/workspaces/7", key, body: "" },
    ]);
  });

  it("throws the error of the API with all its fields", async () => {
    using server = await serve((_request, response) => {
      response.writeHead(409, { "x-request-id": "r-1" });
      const error = {
        code: "funds_short",
        message: "Too little.",
        hint: "Deposit 5.",
        details: { missing: "5" },
      };
      response.end(JSON.stringify({ error }));
    });
    const error = await failureOf(createApiClient({ url: server.url }).get("/v1/account"));
    expect(error).to.be.instanceOf(ApiError);
    expect(error).to.include({
      status: 409,
      code: "funds_short",
      message: "Too little.",
      hint: "Deposit 5.",
    });
    expect(error).to.deep.include({ details: { missing: "5" }, requestId: "r-1" });
  });

  for (const body of ["<html>", "", "null", '"text"', '{"error":{}}', '{"error":{"code":5}}']) {
    it(`throws answer_invalid for a response that is not an error of the API: ${JSON.stringify(body)}`, async () => {
      using server = await serve((_request, response) => response.writeHead(502).end(body));
      const error = await failureOf(createApiClient({ url: server.url, retries: 0 }).get("/v1/account"));
      expect(error).to.be.instanceOf(ApiError).and.to.include({ status: 502, code: "answer_invalid" });
    });
  }

  it("throws answer_invalid for a 200 response that is not JSON", async () => {
    using server = await serve((_request, response) => response.end("<html>"));
    const error = await failureOf(createApiClient({ url: server.url }).get("/v1/account"));
    expect(error).to.include({ status: 200, code: "answer_invalid" });
  });

  it("throws the reason when the server is unreachable", async () => {
    const { url, [Symbol.dispose]: close } = await serve(() => undefined);
    close();
    const error = await failureOf(createApiClient({ url, retries: 0 }).get("/v1/account"));
    expect(error).to.be.instanceOf(ApiUnreachableError);
    expect((error as Error).message)
      .to.include(url)
      .and.to.include("ECONNREFUSED");
  });

  it("stops at its signal and at its timeout", async () => {
    using server = await serve(() => undefined);
    const gone = new AbortController();
    const aborted = failureOf(createApiClient({ url: server.url, signal: gone.signal }).get("/v1/account"));
    gone.abort();
    expect(await aborted).to.be.instanceOf(ApiUnreachableError);
    const late = await failureOf(createApiClient({ url: server.url, timeoutMs: 50 }).get("/v1/account"));
    expect(late).to.be.instanceOf(ApiUnreachableError);
  });
});
