import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { expect } from "chai";
import OpenAI, { toFile } from "openai";
import { eventually } from "../support/context.ts";
import { fileCases } from "./fileCases.ts";
import { type LeaseMarket, openLeaseMarket, stranger, wallet } from "./leaseMarket.ts";

type Json = Record<string, unknown>;

const usage = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 };
const chunk = (delta: Json, finish: string | null = null) => ({
  id: "c",
  object: "chat.completion.chunk",
  created: 1,
  model: "m",
  choices: [{ index: 0, delta, finish_reason: finish }],
});
const tool = { id: "t", type: "function", function: { name: "add", arguments: '{"a":1}' } };
const response = {
  id: "r",
  object: "response",
  created_at: 1,
  status: "completed",
  model: "m",
  output: [
    {
      id: "o",
      type: "message",
      role: "assistant",
      status: "completed",
      content: [{ type: "output_text", text: "Hello", annotations: [] }],
    },
  ],
};
/** What engines answer, by path. */
const answers: Record<string, Json> = {
  "/v1/chat/completions": {
    id: "c",
    object: "chat.completion",
    created: 1,
    model: "m",
    usage,
    choices: [
      {
        index: 0,
        finish_reason: "tool_calls",
        message: { role: "assistant", content: null, tool_calls: [tool] },
      },
    ],
  },
  "/v1/completions": {
    id: "t",
    object: "text_completion",
    created: 1,
    model: "m",
    usage,
    choices: [{ index: 0, text: "there", finish_reason: "stop", logprobs: null }],
  },
  "/v1/embeddings": {
    object: "list",
    model: "m",
    usage,
    data: [{ object: "embedding", index: 0, embedding: [0.5, -0.25] }],
  },
  "/v1/responses": response,
  "/v1/images/generations": { created: 1, data: [{ b64_json: "iVBORw==" }] },
  "/v1/audio/transcriptions": { text: "Hello" },
  "/v1/audio/translations": { text: "Hello" },
  "/v1/images/edits": { created: 1, data: [{ b64_json: "iVBORw==" }] },
  "/v1/images/variations": { created: 1, data: [{ b64_json: "iVBORw==" }] },
  "/v1/moderations": { id: "m", model: "m", results: [{ flagged: false }] },
  "/v1/rerank": { results: [{ index: 1, relevance_score: 0.9 }] },
};
const streams: Record<string, Json[]> = {
  "/v1/chat/completions": [chunk({ role: "assistant", content: "Hel" }), chunk({ content: "lo" }, "stop")],
  "/v1/completions": [{ ...answers["/v1/completions"] }],
  "/v1/responses": [
    { type: "response.output_text.delta", delta: "Hello", sequence_number: 1 },
    { type: "response.completed", response, sequence_number: 2 },
  ],
};

/** The fields of a form, and of its files their bytes. */
async function fieldsOf(bytes: Buffer<ArrayBuffer>, type: string): Promise<Json> {
  const form = await new Response(bytes, { headers: { "content-type": type } }).formData();
  const read = async (value: unknown) =>
    typeof value === "string" ? value : [...new Uint8Array(await (value as Blob).arrayBuffer())];
  const entries = await Promise.all(
    [...form].map(async ([name, value]) => [name, await read(value)] as const),
  );
  return Object.fromEntries(entries);
}

describe("apiServer: OpenAI's own client", function () {
  this.timeout(60_000);
  let market: LeaseMarket;
  let container: Server;
  let client: OpenAI;
  const asked: { path: string; body: Json }[] = [];
  let closed = 0;

  before(async () => {
    market = await openLeaseMarket();
    container = createServer((request, answer) => void serve(request, answer));
    await new Promise<void>((done) => void container.listen(0, "127.0.0.1", done));
    market.serveTasks((container.address() as AddressInfo).port);
    client = clientOf(await market.keyFor(wallet));
  });
  after(async () => {
    container?.close();
    container?.closeAllConnections();
    await market?.stop();
  });
  beforeEach(() => asked.splice(0));

  const clientOf = (apiKey: string) => new OpenAI({ apiKey, baseURL: `${market.url}/v1`, maxRetries: 0 });

  async function serve(request: IncomingMessage, answer: ServerResponse): Promise<void> {
    const path = request.url ?? "";
    const bytes = await buffer(request);
    const type = request.headers["content-type"] ?? "";
    const body = type.startsWith("multipart/")
      ? await fieldsOf(bytes, type)
      : (JSON.parse(bytes.toString()) as Json);
    asked.push({ path, body });
    if (body.response_format === "srt") {
      answer.writeHead(200, { "content-type": "text/plain" }).end("1\n00:00 --> 00:01\nHello\n");
      return;
    }
    if (body.prompt === "wait" || body.input === "wait") {
      answer.on("close", () => (closed += 1));
      return;
    }
    if (body.input === "refuse") {
      const error = { message: "Too long.", type: "invalid_request_error", param: "input", code: "too_long" };
      answer.writeHead(400, { "content-type": "application/json" }).end(JSON.stringify({ error }));
    } else if (path === "/v1/audio/speech") {
      answer.writeHead(200, { "content-type": "audio/mpeg" }).end(Buffer.from([255, 251, 0, 128]));
    } else if (body.stream === true) {
      answer.writeHead(200, { "content-type": "text/event-stream" });
      for (const event of streams[path] ?? []) answer.write(`data: ${JSON.stringify(event)}\n\n`);
      answer.end(path === "/v1/responses" ? "" : "data: [DONE]\n\n");
    } else answer.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answers[path]));
  }

  const messages = [{ role: "user" as const, content: "Hello?" }];

  it("chats, with tools and as a stream", async () => {
    const tools = [{ type: "function" as const, function: { name: "add", parameters: {} } }];
    const whole = await client.chat.completions.create({ model: "1/llama", messages, tools });
    expect(whole.choices[0]?.message.tool_calls).to.deep.equal([tool]);
    expect(whole.usage).to.deep.equal(usage);
    expect(asked[0]?.body).to.deep.equal({ model: "llama", messages, tools });
    let said = "";
    const stream = await client.chat.completions.create({ model: "ws-1", messages, stream: true });
    for await (const { choices } of stream) said += choices[0]?.delta.content ?? "";
    expect(said).to.equal("Hello");
  });

  it("completes, embeds, responds, draws, moderates and speaks", async () => {
    const text = await client.completions.create({ model: "1", prompt: "Who is" });
    expect(text.choices[0]?.text).to.equal("there");
    const vectors = await client.embeddings.create({ model: "1", input: "a", encoding_format: "float" });
    expect(vectors.data[0]?.embedding).to.deep.equal([0.5, -0.25]);
    expect((await client.responses.create({ model: "1", input: "Hello?" })).output_text).to.equal("Hello");
    const types: string[] = [];
    for await (const { type } of await client.responses.create({ model: "1", input: "?", stream: true }))
      types.push(type);
    expect(types).to.deep.equal(["response.output_text.delta", "response.completed"]);
    const image = await client.images.generate({ model: "1", prompt: "A node" });
    expect(image.data?.[0]?.b64_json).to.equal("iVBORw==");
    expect((await client.moderations.create({ model: "1", input: "a" })).results).to.have.length(1);
    const speech = await client.audio.speech.create({ model: "1", input: "a", voice: "alloy" });
    expect([...new Uint8Array(await speech.arrayBuffer())]).to.deep.equal([255, 251, 0, 128]);
    expect(speech.headers.get("content-type")).to.equal("audio/mpeg");
    const ranked = await client.post("/rerank", { body: { model: "1", query: "a", documents: ["b", "c"] } });
    expect(ranked).to.deep.equal(answers["/v1/rerank"]);
  });

  it("transcribes, translates, edits and varies files, whose bytes the container gets", async () => {
    const sound = [0, 13, 10, 45, 45, 255];
    const file = async () => toFile(new Uint8Array(sound), "a.wav");
    const heard = await client.audio.transcriptions.create({
      model: "1/whisper",
      file: await file(),
      language: "en",
    });
    expect(heard.text).to.equal("Hello");
    expect(asked[0]?.body).to.deep.equal({ model: "whisper", language: "en", file: sound });
    const srt = await client.audio.transcriptions.create({
      model: "1",
      file: await file(),
      response_format: "srt",
    });
    expect(srt).to.include("00:00 --> 00:01");
    expect(asked[1]?.body).to.deep.equal({ response_format: "srt", file: sound });
    expect((await client.audio.translations.create({ model: "ws-1", file: await file() })).text).to.equal(
      "Hello",
    );
    const edited = await client.images.edit({ model: "1", image: await file(), prompt: "A node" });
    expect(edited.data?.[0]?.b64_json).to.equal("iVBORw==");
    const varied = await client.images.createVariation({ model: "1", image: await file() });
    expect(varied.data?.[0]?.b64_json).to.equal("iVBORw==");
    const { rows } = await market.db.query<{ input: unknown }>(
      "select input from app.task where path = '/v1/audio/transcriptions' order by created_at limit 1",
    );
    expect(rows[0]?.input).to.deep.equal({
      fields: [
        ["model", "whisper"],
        ["language", "en"],
      ],
      files: [{ name: "file", bytes: 6 }],
    });
    const own = await market.as(wallet);
    const send = (body: string, type: string) =>
      own.raw("/v1/audio/transcriptions", { method: "POST", body, headers: { "content-type": type } });
    const codeOf = async (answer: Response) => {
      const { error } = (await answer.json()) as { error: { code: string } };
      return [answer.status, error.code];
    };
    const cut = await send(
      "--b\r\ncontent-disposition: form-data; name=model\r\n\r\n1",
      "multipart/form-data; boundary=b",
    );
    expect(await codeOf(cut)).to.deep.equal([400, "multipart_invalid"]);
    expect(await codeOf(await send("{}", "application/json"))).to.deep.equal([415, "media_type_unsupported"]);
    const none = await send("--b--\r\n", "multipart/form-data; boundary=b");
    expect(await codeOf(none)).to.deep.equal([400, "request_invalid"]);
  });

  it("lists models and retrieves them", async () => {
    const ids: string[] = [];
    for await (const { id } of client.models.list()) ids.push(id);
    expect(ids).to.deep.equal(["ws-2", "ws-1"]);
    const model = await client.models.retrieve("ws-1");
    expect(model).to.deep.include({ id: "ws-1", object: "model", owned_by: wallet });
    expect((await client.models.retrieve("1/llama")).id).to.equal("1/llama");
  });

  it("throws its own errors, those of a container as they are", async () => {
    const thrown = (call: PromiseLike<unknown>) =>
      Promise.resolve(call).then(
        () => expect.fail("It was not refused."),
        (error: InstanceType<typeof OpenAI.APIError>) => error,
      );
    const missing = await thrown(client.models.retrieve("77"));
    expect(missing).to.be.instanceOf(OpenAI.NotFoundError);
    expect([missing.code, missing.type]).to.deep.equal(["model_not_found", "invalid_request_error"]);
    const wrong = await thrown(clientOf("ngpu_wrong").models.list());
    expect(wrong).to.be.instanceOf(OpenAI.AuthenticationError);
    const bad = await thrown(client.chat.completions.create({ model: "1", messages: [] }));
    expect(bad).to.be.instanceOf(OpenAI.BadRequestError);
    expect([bad.code, bad.param]).to.deep.equal(["request_invalid", "messages"]);
    const refused = await thrown(client.responses.create({ model: "1", input: "refuse" }));
    expect(refused).to.be.instanceOf(OpenAI.BadRequestError);
    expect([refused.code, refused.param]).to.deep.equal(["too_long", "input"]);
    const away = await thrown(client.embeddings.create({ model: "3", input: "a" }));
    expect(away).to.be.instanceOf(OpenAI.InternalServerError);
    expect([away.status, away.code, away.type]).to.deep.equal([503, "replica_unavailable", "api_error"]);
  });

  fileCases(() => market);

  it("aborts a request in the container, and has deadlines", async () => {
    const before = closed;
    const abort = new AbortController();
    const call = client.responses.create({ model: "1", input: "wait" }, { signal: abort.signal });
    await eventually("the request", () => asked.length === 1);
    abort.abort();
    expect(await call.then(undefined, (error: unknown) => error)).to.be.instanceOf(OpenAI.APIUserAbortError);
    await eventually("the end in the container", () => closed === before + 1);
    const headers = { "x-ngpu-timeout": "1" };
    const late = client.completions.create({ model: "1", prompt: "wait" }, { headers });
    expect(await late.then(undefined, (error: { status: number; code: string }) => error)).to.include({
      status: 504,
      code: "replica_timeout",
    });
  });

  it("leaves tasks that usage counts by hour, day, workspace and key, as JSON and CSV, for their wallet alone", async () => {
    type Usage = { by: string; usage: { group: string; tasks: number; failed: number; cost: string }[] };
    const own = await market.as(wallet, "read");
    await market.db.query("update chain.assignment set price_per_second = 1000");
    const { rows } = await market.db.query<Record<string, string>>(
      `select count(*)::text as tasks, (count(*) filter (where status <> 'succeeded'))::text as failed from app.task`,
    );
    for (const by of ["hour", "day", "workspace", "key"]) {
      const { body } = await own.get<Usage>(`/v1/usage?by=${by}`);
      const sumOf = (name: "tasks" | "failed") => body.usage.reduce((sum, one) => sum + one[name], 0);
      expect([body.by, String(sumOf("tasks")), String(sumOf("failed"))]).to.deep.equal([
        by,
        rows[0]?.tasks,
        rows[0]?.failed,
      ]);
      expect(body.usage.some(({ cost }) => BigInt(cost) > 0n)).to.equal(true);
      const csv = await (await own.raw(`/v1/usage?by=${by}&format=csv`)).text();
      const lines = csv.split("\r\n");
      expect(lines[0]).to.equal(`${by},tasks,succeeded,failed,ms,cost`);
      expect(lines[1]?.split(",")[0]).to.equal(body.usage[0]?.group);
    }
    const groups = (await own.get<Usage>("/v1/usage?by=workspace")).body.usage.map(({ group }) => group);
    expect(groups).to.have.members(["1", "3"]);
    const earlier = await own.get<Usage>("/v1/usage?until=2020-01-01T00:00:00Z");
    expect(earlier.body.usage).to.deep.equal([]);
    const other = await market.as(stranger, "read");
    expect((await other.get<Usage>("/v1/usage")).body.usage).to.deep.equal([]);
    const refused = await (await market.as(wallet, "tasks")).get<{ code: string }>("/v1/usage");
    expect([refused.status, refused.body.code]).to.deep.equal([403, "scope_missing"]);
    const wrong = await own.get<{ code: string }>("/v1/usage?by=node");
    expect([wrong.status, wrong.body.code]).to.deep.equal([400, "request_invalid"]);
  });

  it("shows the usage of at most 92 days, or 31 by hour", async () => {
    const own = await market.as(wallet, "read");
    for (const [by, days, status] of [
      ["day", 92, 200],
      ["day", 93, 400],
      ["hour", 31, 200],
      ["hour", 32, 400],
    ] as const) {
      const since = new Date(Date.UTC(2026, 0, 1) - days * 86_400_000).toISOString();
      const answer = await own.get<{ code?: string }>(
        `/v1/usage?by=${by}&since=${since}&until=2026-01-01T00:00:00Z`,
      );
      expect([answer.status, answer.body.code]).to.deep.equal([
        status,
        status === 200 ? undefined : "request_invalid",
      ]);
    }
  });
});
