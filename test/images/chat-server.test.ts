import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { Server } from "node:http";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { type ChatDeps, chatHandler } from "../../images/chat/app.ts";
import { loadModel, modelId } from "../../images/chat/text.ts";
import { listen } from "../../images/shared/serve.ts";
import { type Completion, chunksOf, jsonOf, until } from "./helpers.ts";

const question = [{ role: "user", content: "What is a lease?" }];

async function setup(changes: Partial<ChatDeps> = {}) {
  const deps = {
    ...loadModel(),
    modelId,
    created: 1,
    tokensPerSecond: 0,
    maxConcurrent: 8,
    maxBodyBytes: 65536,
  };
  const { server, port } = await listen(chatHandler({ ...deps, ...changes }), 0, "127.0.0.1");
  const url = `http://127.0.0.1:${port}`;
  const ask = (body: unknown, init: RequestInit = {}) =>
    fetch(`${url}/v1/chat/completions`, {
      method: "POST",
      body: typeof body === "string" ? body : JSON.stringify(body),
      ...init,
    });
  return { server, url, ask };
}

describe("chat server", function () {
  this.timeout(10_000);
  let server: Server;
  let url: string;
  let ask: (body: unknown, init?: RequestInit) => Promise<Response>;

  before(async () => {
    ({ server, url, ask } = await setup());
  });
  after(() => server.close());

  it("uses its own model if the request names none", async () => {
    const response = await ask({ messages: question, max_tokens: 3 });
    expect(response.status).to.equal(200);
    expect(await jsonOf<Completion>(response)).to.include({ model: modelId });
  });

  it("returns a completion with its usage", async () => {
    const response = await ask({ model: modelId, messages: question, seed: 4, max_tokens: 12 });
    expect(response.status).to.equal(200);
    const body = await jsonOf<Completion>(response);
    expect(body).to.include({ object: "chat.completion", model: modelId });
    expect(body.choices).to.have.length(1);
    expect(body.choices[0]?.message).to.include({ role: "assistant" });
    expect(body.choices[0]?.message.content).to.be.a("string").that.is.not.empty;
    expect(body.choices[0]?.finish_reason).to.equal("length");
    expect(body.usage).to.deep.equal({ prompt_tokens: 5, completion_tokens: 12, total_tokens: 17 });
  });

  it("streams the same text as a completion, then the finish reason, usage and [DONE]", async () => {
    const request = {
      model: modelId,
      messages: question,
      seed: 4,
      temperature: 0.8,
      max_completion_tokens: 30,
    };
    const whole = await jsonOf<Completion>(ask(request));
    const response = await ask({ ...request, stream: true, stream_options: { include_usage: true } });
    expect(response.headers.get("content-type")).to.match(/^text\/event-stream/);
    const chunks = chunksOf(await response.text());
    expect(new Set(chunks.map((chunk) => chunk.object))).to.deep.equal(new Set(["chat.completion.chunk"]));
    expect(new Set(chunks.map((chunk) => chunk.id)).size).to.equal(1);
    expect(chunks[0]?.choices[0]?.delta.role).to.equal("assistant");
    const text = chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("");
    expect(text).to.equal(whole.choices[0]?.message.content);
    expect(chunks.at(-2)?.choices[0]).to.deep.include({
      delta: {},
      finish_reason: whole.choices[0]?.finish_reason,
    });
    expect(chunks.at(-1)).to.deep.include({ choices: [], usage: whole.usage });
  });

  it("omits usage from a stream unless requested", async () => {
    const response = await ask({ model: modelId, messages: question, stream: true, max_tokens: 3 });
    const chunks = chunksOf(await response.text());
    expect(chunks.some((chunk) => "usage" in chunk)).to.equal(false);
  });

  it("stops before a stop sequence", async () => {
    const request = { model: modelId, messages: question, temperature: 0 };
    const full = (await jsonOf<Completion>(ask(request))).choices[0]?.message.content ?? "";
    const cut = await jsonOf<Completion>(ask({ ...request, stop: ["rather", "never seen"] }));
    expect(full).to.include("rather");
    expect(cut.choices[0]?.message.content).to.equal(full.slice(0, full.indexOf("rather")));
    expect(cut.choices[0]?.finish_reason).to.equal("stop");
  });

  it("accepts content in text parts", async () => {
    const content = [
      { type: "text", text: "What is" },
      { type: "text", text: "a lease?" },
    ];
    const body = await jsonOf<Completion>(ask({ model: modelId, messages: [{ role: "user", content }] }));
    expect(body.usage?.prompt_tokens).to.equal(5);
  });

  const refusals: [string, unknown, number, string | null][] = [
    ["a body that is not JSON", "{", 400, null],
    ["a body that is not an object", [], 400, null],
    ["a model that is not a string", { model: 7, messages: question }, 400, "model"],
    ["another model", { model: "gpt", messages: question }, 404, "model"],
    ["no messages", { model: modelId, messages: [] }, 400, "messages"],
    ["an unknown role", { model: modelId, messages: [{ role: "x", content: "" }] }, 400, "messages[0].role"],
    [
      "an image part",
      { model: modelId, messages: [{ role: "user", content: [{ type: "image_url" }] }] },
      400,
      "messages[0].content[0]",
    ],
    ["max_tokens of zero", { model: modelId, messages: question, max_tokens: 0 }, 400, "max_tokens"],
    [
      "max_tokens past the limit",
      { model: modelId, messages: question, max_tokens: 4097 },
      400,
      "max_tokens",
    ],
    ["a temperature above two", { model: modelId, messages: question, temperature: 2.1 }, 400, "temperature"],
    ["a fractional seed", { model: modelId, messages: question, seed: 1.5 }, 400, "seed"],
    ["two choices", { model: modelId, messages: question, n: 2 }, 400, "n"],
    ["five stops", { model: modelId, messages: question, stop: ["a", "b", "c", "d", "e"] }, 400, "stop"],
    ["an empty stop", { model: modelId, messages: question, stop: "" }, 400, "stop"],
    ["stream as text", { model: modelId, messages: question, stream: "yes" }, 400, "stream"],
    [
      "stream_options without stream",
      { model: modelId, messages: question, stream_options: {} },
      400,
      "stream_options",
    ],
    ["tools", { model: modelId, messages: question, tools: [{}] }, 400, "tools"],
  ];
  for (const [title, body, status, param] of refusals) {
    it(`rejects ${title} in OpenAI's format`, async () => {
      const response = await ask(body);
      expect(response.status).to.equal(status);
      const { error } = await jsonOf<{ error: object }>(response);
      expect(error).to.have.all.keys("message", "type", "param", "code");
      expect(error).to.include({ type: "invalid_request_error", param });
    });
  }

  it("rejects a body above the limit, with and without a content length", async () => {
    const long = "x".repeat(70_000);
    expect((await ask(long)).status).to.equal(413);
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode(long));
        controller.close();
      },
    });
    expect((await ask("", { body, duplex: "half" } as RequestInit)).status).to.equal(413);
  });

  it("lists its model and returns 404 for other paths", async () => {
    const list = await jsonOf<{ data: { id: string }[] }>(fetch(`${url}/v1/models`));
    expect(list.data.map((card) => card.id)).to.deep.equal([modelId]);
    expect((await fetch(`${url}/v1/models/${modelId}`)).status).to.equal(200);
    expect((await fetch(`${url}/v1/models/other`)).status).to.equal(404);
    expect((await fetch(`${url}/v1/chat/completions`)).status).to.equal(404);
    expect(await (await fetch(`${url}/healthz`)).json()).to.include({ ok: true });
  });

  it("stops generating when the client disconnects, and frees its place", async () => {
    // One place and a slow model, so a second request is rejected while the first one runs.
    const slow = await setup({ tokensPerSecond: 2, maxConcurrent: 1 });
    const leaving = new AbortController();
    const request = { model: modelId, messages: question, stream: true };
    try {
      const response = await slow.ask(request, { signal: leaving.signal });
      await response.body?.getReader().read();
      const second = await slow.ask(request);
      expect(second.status).to.equal(429);
      const { error } = await jsonOf<{ error: { code: string } }>(second);
      expect(error.code).to.equal("rate_limit_exceeded");
      leaving.abort();
      const attempt = new AbortController();
      await until(async () => (await slow.ask(request, { signal: attempt.signal })).status === 200, 2_000);
      attempt.abort();
    } finally {
      slow.server.closeAllConnections();
      slow.server.close();
    }
  });
});

describe("chat process", function () {
  // Starts a Node process, which is slow on a busy machine.
  this.timeout(15_000);
  const entry = fileURLToPath(new URL("../../images/chat/server.ts", import.meta.url));

  function start(env: Record<string, string>): ChildProcess {
    return spawn(process.execPath, [entry], { env, stdio: ["ignore", "pipe", "pipe"] });
  }

  it("finishes the reply in progress after SIGTERM, then exits 0", async () => {
    const child = start({ PORT: String(await freePort()), CHAT_TOKENS_PER_SECOND: "40" });
    try {
      const exited = once(child, "exit");
      const port = await listeningPort(child);
      const response = await fetch(`http://127.0.0.1:${port}/v1/chat/completions`, {
        method: "POST",
        body: JSON.stringify({
          model: modelId,
          messages: question,
          stream: true,
          max_tokens: 20,
          temperature: 0,
        }),
      });
      child.kill("SIGTERM");
      expect(chunksOf(await response.text())).to.be.an("array").that.is.not.empty;
      expect(await exited).to.deep.equal([0, null]);
    } finally {
      child.kill("SIGKILL");
    }
  });

  it("lists every invalid variable in one line and exits 1", async () => {
    const child = start({ PORT: "99999", CHAT_MAX_CONCURRENT: "no" });
    let said = "";
    child.stderr?.on("data", (piece) => {
      said += piece;
    });
    const [code] = await once(child, "close");
    expect(code).to.equal(1);
    expect(said.trim().split("\n")).to.have.length(1);
    expect(said).to.include("PORT").and.to.include("CHAT_MAX_CONCURRENT");
  });
});

async function freePort(): Promise<number> {
  const { server, port } = await listen(() => {}, 0, "127.0.0.1");
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function listeningPort(child: ChildProcess): Promise<number> {
  if (!child.stdout) throw new Error("the child's output is not piped");
  for await (const line of createInterface({ input: child.stdout })) {
    const said = JSON.parse(line);
    if (said.event === "listening") return said.port;
  }
  throw new Error("the server ended before it listened");
}
