import { request as httpRequest } from "node:http";
import { gzipSync } from "node:zlib";
import { expect } from "chai";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { exchange, rawErrorsOf } from "../../chaos/api/rawRequests.ts";
import type { Client } from "./client.ts";
import { join, newWorkspace } from "./partner.ts";
import { type ApiMarket, setup } from "./setup.ts";

type Problem = { code: string; detail: string; errors?: { pointer: string }[] };

const json = { "content-type": "application/json" };

describe("apiServer: bodies", function () {
  this.timeout(120_000);
  let api: ApiMarket;
  let partner: Client & { apiKey: string };
  before(async () => {
    api = await setup({ limits: { perKey: 100_000, perAddress: 100_000, writes: 1_000 } });
    const joined = await join(api, privateKeyToAccount(generatePrivateKey()));
    partner = joined.partner as typeof partner;
  });
  after(() => api?.stop());

  const post = async (path: string, body: string | Buffer, headers: Record<string, string> = {}) => {
    const answer = await partner.raw(path, {
      method: "POST",
      body: new Uint8Array(Buffer.from(body as Buffer)),
      headers: { ...json, ...headers },
    });
    return { status: answer.status, text: await answer.text() };
  };
  const codeIn = (text: string) => (JSON.parse(text) as Problem).code;

  /** Sends a part of a body and leaves its rest out. */
  function begin(path: string, headers: Record<string, string | number>, part: Buffer) {
    const answer = Promise.withResolvers<number | undefined>();
    const sent = httpRequest(`${api.url}${path}`, {
      method: "POST",
      headers: { authorization: `Bearer ${partner.apiKey}`, ...json, ...headers },
    });
    sent.once("response", (response) => answer.resolve(response.statusCode));
    sent.once("error", answer.reject);
    sent.write(part);
    return answer.promise.finally(() => sent.destroy());
  }

  it("refuses a body that is too large before the rest of it arrives", async () => {
    const part = Buffer.from('{"name":"');
    expect(await begin("/v1/keys", { "content-length": 99_999_999_999 }, part)).to.equal(413);
    expect(await begin("/v1/tasks", { "content-length": (16 << 20) + 1 }, part)).to.equal(413);
    const chunks = Buffer.concat([part, Buffer.alloc(300_000, "a")]);
    expect(await begin("/v1/keys", { "transfer-encoding": "chunked" }, chunks)).to.equal(413);
    const { status } = await partner.get("/v1/keys");
    expect(status).to.equal(200);
  });

  it("refuses a body that is not UTF-8, or in another charset", async () => {
    for (const bytes of ["\xff\xfe", "\xc0\xaf", "\xed\xa0\x80", "\x80"]) {
      const body = Buffer.from(`{"workspaceId":"1","input":"${bytes}"}`, "latin1");
      const { status, text } = await post("/v1/tasks", body);
      expect([status, codeIn(text)]).to.deep.equal([400, "json_invalid"]);
    }
    const wide = await post("/v1/keys", Buffer.from('{"name":"a"}', "utf16le"), {
      "content-type": "application/json; charset=utf-16le",
    });
    expect([wide.status, codeIn(wide.text)]).to.deep.equal([415, "media_type_unsupported"]);
  });

  it("refuses JSON that is no object, and says so", async () => {
    for (const body of ["null", "true", '"a"', "7"]) {
      const { status, text } = await post("/v1/keys", body);
      expect([status, codeIn(text)], body).to.deep.equal([400, "json_invalid"]);
      expect(text).to.include("not an object");
    }
    expect((await post("/v1/keys", "[]")).status).to.equal(400);
  });

  it("names the coding that a body is not in", async () => {
    const cut = gzipSync('{"name":"a"}').subarray(0, 12);
    for (const [coding, body] of [
      ["gzip", Buffer.from("{}")],
      ["gzip", cut],
      ["deflate", Buffer.from("{}")],
      ["br", Buffer.from("{}")],
      ["zstd", Buffer.from("{}")],
    ] as const) {
      const { status, text } = await post("/v1/keys", body, { "content-encoding": coding });
      expect([status, codeIn(text)], coding).to.deep.equal([400, "body_encoding_invalid"]);
      expect(text).to.include(`not valid ${coding}`);
    }
    const zipped = await post("/v1/keys", gzipSync('{"name":"zipped"}'), { "content-encoding": "gzip" });
    expect(zipped.status).to.equal(201);
  });

  it("refuses many members or messages with a short answer", async () => {
    const members = Array.from({ length: 100_000 }, (_none, index) => `"k${index}":0`).join(",");
    const zeros = "0,".repeat(100_000);
    const bad = Array.from({ length: 5_000 }, (_none, index) => `"-${index}":"x"`).join(",");
    for (const [path, body] of [
      ["/v1/tasks", `{${members}}`],
      ["/v1/chat/completions", `{"model":"1","messages":[${zeros}0]}`],
      ["/v1/workspaces", `{"env":{${bad}}}`],
    ] as const) {
      const { status, text } = await post(path, body);
      expect(status, path).to.equal(400);
      expect(text.length, path).to.be.below(20_000);
    }
    const chat = await post("/v1/chat/completions", '{"model":"1","messages":[{"role":"user"},{"role":1}]}');
    expect((JSON.parse(chat.text) as { error: { param: string } }).error.param).to.equal("messages.1");
  });

  it("takes nested values and many values of a payload", async () => {
    const deep = `${"[".repeat(498)}${"]".repeat(498)}`;
    for (const input of [deep, `[${"0,".repeat(200_000)}0]`]) {
      const { status, text } = await post("/v1/tasks", `{"workspaceId":"1","input":${input}}`);
      expect([status, codeIn(text)]).to.deep.equal([404, "workspace_not_found"]);
    }
  });

  it("refuses at publication what no engine can run", async () => {
    const digest = "1".repeat(64);
    for (const [wrong, pointer] of [
      [{ cpu: 0 }, "/cpu"],
      [{ cpu: 0.009 }, "/cpu"],
      [{ memoryMib: 0 }, "/memoryMib"],
      [{ memoryMib: 5 }, "/memoryMib"],
      [{ command: [""] }, "/command"],
      [{ command: ["", "a"] }, "/command"],
      [{ name: "7" }, "/name"],
      [{ name: "ws-7" }, "/name"],
      [{ image: `a//b@sha256:${digest}` }, "/image"],
      [{ image: `a/../b@sha256:${digest}` }, "/image"],
      [{ image: `a:b:c@sha256:${digest}` }, "/image"],
      [{ image: `a/@sha256:${digest}` }, "/image"],
      [{ image: `-a/b@sha256:${digest}` }, "/image"],
      [{ image: `chat@sha256:${"0".repeat(64)}` }, "/image"],
    ] as const) {
      const { status, body } = await partner.post<Problem>("/v1/workspaces", { ...newWorkspace, ...wrong });
      expect([status, body.errors?.[0]?.pointer], JSON.stringify(wrong)).to.deep.equal([400, pointer]);
    }
    const { body } = await partner.post<Problem>("/v1/workspaces", {
      ...newWorkspace,
      expiresAt: "1970-01-01T00:00:00Z",
    });
    expect(body.code).to.equal("expiry_in_past");
  });

  it("refuses a configuration that no transaction carries, and publishes the next one", async () => {
    const env = Object.fromEntries(
      Array.from({ length: 40 }, (_, index) => [`V${index}`, "ü".repeat(2_000)]),
    );
    const refused = await partner.post<Problem>("/v1/workspaces", { ...newWorkspace, env });
    expect([refused.status, refused.body.code]).to.deep.equal([400, "config_too_large"]);
    const { status, body } = await partner.post<{ id: string }>("/v1/workspaces", {
      ...newWorkspace,
      waitForNodes: true,
      env: Object.fromEntries(Object.entries(env).slice(0, 15)),
    });
    expect(status).to.equal(201);
    const update = await partner.post<Problem>(`/v1/workspaces/${body.id}/update`, { env });
    expect([update.status, update.body.code]).to.deep.equal([400, "config_too_large"]);
  });

  it("answers CONNECT with a problem", async () => {
    const answers = await exchange(api.url, "CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(answers).to.include("HTTP/1.1 405 ").and.to.include('"code":"method_not_allowed"');
    expect(rawErrorsOf(answers)).to.deep.equal([]);
  });
});
