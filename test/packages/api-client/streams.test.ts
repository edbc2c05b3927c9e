import type { ServerResponse } from "node:http";
import { createApiClient } from "@ngpu/api-client/client";
import { ApiError, StreamCutError } from "@ngpu/api-client/errors";
import { readEvents } from "@ngpu/api-client/serverSentEvents";
import { expect } from "chai";
import fc from "fast-check";
import { collect, failureOf, serve } from "./server.ts";

const stream = (response: ServerResponse) =>
  response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });

async function* chunksOf(bytes: Uint8Array, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
  let from = 0;
  for (const cut of [...cuts, bytes.length].sort((a, b) => a - b)) {
    if (cut > from) yield bytes.subarray(from, cut);
    from = Math.max(from, cut);
  }
}

describe("server-sent events", () => {
  it("are read as the standard defines them", async () => {
    const text =
      ": a comment\nretry: 5\n\nid: 1\ndata: first\ndata:second\n\nevent: reorg\r\ndata: {}\r\n\r\ndata\n\nid: 2\n\ndata: cut";
    const retries: number[] = [];
    const events = await collect(readEvents(chunksOf(Buffer.from(text), []), (ms) => retries.push(ms)));
    expect(events).to.deep.equal([
      { event: "message", data: "first\nsecond", id: "1" },
      { event: "reorg", data: "{}", id: "1" },
      { event: "message", data: "", id: "1" },
    ]);
    expect(retries).to.deep.equal([5]);
  });

  it("are the same wherever the bytes are cut", async () => {
    const text = "id: ä1\r\ndata: 猫\r\ndata: 二\r\n\r\nevent: e\ndata: x\n\n\rdata: y\r\r";
    const bytes = Buffer.from(`${text}\n`);
    const whole = await collect(readEvents(chunksOf(bytes, [])));
    expect(whole.map(({ data }) => data)).to.deep.equal(["猫\n二", "x", "y"]);
    const cuts = fc.array(fc.nat(bytes.length), { maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(cuts, async (at) => {
        expect(await collect(readEvents(chunksOf(bytes, at)))).to.deep.equal(whole);
      }),
    );
  });
});

describe("a stream", () => {
  const events = "GET /v1/workspaces/{id}/events";

  it("gives each event and ends with the response", async () => {
    using server = await serve((_request, response) => stream(response).end("data: a\n\ndata: [DONE]\n\n"));
    const api = createApiClient({ url: server.url });
    const body = { model: "ws-7", stream: true, messages: [{ role: "user", content: "Hello" }] };
    const sent = await collect(api.stream("POST /v1/chat/completions", { body }));
    expect(sent.map(({ data }) => data)).to.deep.equal(["a", "[DONE]"]);
    expect(JSON.parse(server.seen[0]?.body ?? "")).to.deep.equal(body);
  });

  it("throws the API's error, and StreamCutError when it breaks off", async () => {
    using refusing = await serve((_request, response) =>
      response.writeHead(404).end('{"code":"workspace_not_found","detail":"None.","request_id":"r-2"}'),
    );
    const read = (url: string) =>
      failureOf(collect(createApiClient({ url }).stream(events, { path: { id: "7" } })));
    expect(await read(refusing.url))
      .to.be.instanceOf(ApiError)
      .and.to.include({
        code: "workspace_not_found",
        requestId: "r-2",
      });
    using cutting = await serve((_request, response) => {
      stream(response).write("data: a\n\n", () => response.destroy());
    });
    expect(await read(cutting.url)).to.be.instanceOf(StreamCutError);
    using plain = await serve((_request, response) => response.end("{}"));
    expect(await read(plain.url)).to.include({ code: "answer_invalid" });
  });

  it("that is resumed continues after its last event until it is aborted", async () => {
    let connection = 0;
    const resumedAt: unknown[] = [];
    using server = await serve((request, response) => {
      resumedAt.push(request.headers["last-event-id"]);
      connection++;
      if (connection === 2) return response.writeHead(503, { "retry-after": "0" }).end("{}");
      stream(response).write(`retry: 1\n\nid: ${connection}\ndata: ${connection}\n\n`, () => {
        if (connection === 1) response.destroy();
        if (connection === 3) response.end();
      });
      return undefined;
    });
    const gone = new AbortController();
    const api = createApiClient({ url: server.url, signal: gone.signal });
    const seen: string[] = [];
    for await (const { data } of api.stream(
      events,
      { path: { id: "7" } },
      { resume: true, lastEventId: "0" },
    )) {
      seen.push(data);
      if (data === "4") gone.abort();
    }
    expect(seen).to.deep.equal(["1", "3", "4"]);
    expect(resumedAt).to.deep.equal(["0", "1", "1", "3"]);
  });

  it("that is resumed ends with an error that would come again", async () => {
    using server = await serve((_request, response) =>
      response.writeHead(401).end('{"code":"api_key_invalid"}'),
    );
    const api = createApiClient({ url: server.url });
    const error = await failureOf(collect(api.stream(events, { path: { id: "7" } }, { resume: true })));
    expect(error).to.include({ code: "api_key_invalid" });
    expect(server.seen).to.have.length(1);
  });
});
