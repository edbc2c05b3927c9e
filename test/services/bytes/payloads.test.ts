import { gzipSync } from "node:zlib";
import { expect } from "chai";
import fc from "fast-check";
import { membersOf, memberValue, shapeOf, withMember } from "../../../services/apiServer/payload.ts";
import { runs } from "../../support/runs.ts";
import { eventually } from "../support/context.ts";
import { chatBody, headerOf, send } from "./client.ts";
import { afterRequest, answerOk, type ByteMarket, openByteMarket } from "./market.ts";

const space = fc.string({ unit: fc.constantFrom(" ", "\t", "\n", "\r"), maxLength: 3 });
/** The text of any JSON value, with values that change when they are parsed and serialized again. */
const jsonText = fc.oneof(
  fc.json({ maxDepth: 3 }),
  fc.constantFrom(
    "1.0",
    "1e3",
    "12345678901234567890",
    '"\\u0041\\ud800"',
    '{"a":1,"a":2}',
    '"\\"model\\":"',
    "-0",
  ),
);
const memberName = fc.oneof(
  fc.constantFrom("model", "input", "mo\\u0064el", "x"),
  fc.string({ maxLength: 5 }),
);

/** The text of an object, with spaces anywhere and names repeated. */
const objectText = fc
  .array(fc.tuple(memberName, jsonText, space, space, space), { maxLength: 6 })
  .map((members) => {
    const one = ([name, value, a, b, c]: (typeof members)[0]) => {
      const text = /^[\w\\]*$/.test(name) ? `"${name}"` : JSON.stringify(name);
      return `${a}${text}${b}:${c}${value}${a}`;
    };
    return `{${members.map(one).join(",")}}`;
  })
  .filter((text) => {
    try {
      JSON.parse(text);
      return true;
    } catch {
      return false;
    }
  });

describe("the text of a payload", () => {
  it("is cut where JSON.parse finds the member", () => {
    fc.assert(
      fc.property(objectText, (text) => {
        const parsed = JSON.parse(text) as Record<string, unknown>;
        for (const name of ["model", "input", "x"]) {
          const value = memberValue(Buffer.from(text), name);
          if (!Object.hasOwn(parsed, name)) expect(value).to.equal(undefined);
          else expect(JSON.parse(String(value))).to.deep.equal(parsed[name]);
        }
      }),
    );
  });

  it("changes in one member only", () => {
    fc.assert(
      fc.property(objectText, fc.option(fc.string(), { nil: undefined }), (text, model) => {
        const changed = withMember(Buffer.from(text), "model", model);
        const expected = JSON.parse(text) as Record<string, unknown>;
        if (model === undefined) delete expected.model;
        else if (Object.hasOwn(expected, "model")) expected.model = model;
        expect(JSON.parse(changed.toString())).to.deep.equal(expected);
        for (const span of membersOf(Buffer.from(text), "input")) {
          const value = Buffer.from(text).subarray(span.from, span.to);
          expect(changed.includes(value)).to.equal(true);
        }
      }),
    );
  });
});

const depthOf = (value: unknown): number =>
  typeof value === "object" && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depthOf)) : 0;

describe("the shape of a JSON text", () => {
  it("is that of its value", () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue({ maxDepth: 4 }), { minLength: 1 }), fc.nat(2), (value, indent) => {
        const shape = shapeOf(Buffer.from(JSON.stringify(value, undefined, indent)));
        expect(shape).to.deep.equal({ depth: depthOf(value), members: value.length });
      }),
    );
  });
});

describe("payloads between partner and container", function () {
  this.timeout(300_000);
  let market: ByteMarket;
  before(async () => {
    market = await openByteMarket();
  });
  after(() => market.stop());

  const first = () => market.workspaces[0] as ByteMarket["workspaces"][0];

  /** The next request that the container gets, answered with `answer`. */
  function received(
    answer: string | Buffer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
  ): Promise<Buffer> {
    const got = Promise.withResolvers<Buffer>();
    first().container.serve = (socket) => {
      let bytes = Buffer.alloc(0);
      socket.on("data", (part) => {
        bytes = Buffer.concat([bytes, part]);
        const headEnd = bytes.indexOf("\r\n\r\n");
        const length = Number(/content-length: (\d+)/i.exec(bytes.toString("latin1"))?.[1] ?? 0);
        if (headEnd === -1 || bytes.length < headEnd + 4 + length) return;
        got.resolve(bytes);
        socket.end(answer);
      });
    };
    return got.promise;
  }

  const bodyOf = (request: Buffer) => request.subarray(request.indexOf("\r\n\r\n") + 4);
  const headOf = (request: Buffer) =>
    request.subarray(0, request.indexOf("\r\n\r\n")).toString("latin1").toLowerCase();

  it("passes the bytes of a chat, without the workspace's name, and its headers", () =>
    fc.assert(
      fc.asyncProperty(
        objectText.filter((text) => !/mo(d|\\u0064)el|messages/.test(text)),
        async (text) => {
          const members = text.slice(1, -1);
          const got = received();
          const body = `{"model": "${first().id}", "messages": [{"role": "user"}]${members.trim() === "" ? "" : ","}${members}}`;
          const { seen } = send(market, "/v1/chat/completions", body, {
            "x-odd": "a\u00e4b",
            "openai-organization": "org",
            accept: "text/event-stream, */*",
          });
          const request = await got;
          expect(bodyOf(request).toString()).to.equal(body.replace(/^\{"model": "\d+",/, "{"));
          expect(headOf(request)).to.include("x-odd: a\u00e4b").and.to.include("openai-organization: org");
          expect(headOf(request)).to.not.include("authorization").and.to.not.include("x-ngpu-timeout");
          expect((await seen).status).to.equal(200);
        },
      ),
      { numRuns: runs(20) },
    ));

  it("passes the bytes of a task's input", () =>
    fc.assert(
      fc.asyncProperty(jsonText, async (input) => {
        const got = received();
        const { seen } = send(
          market,
          "/v1/tasks",
          `{"workspaceId":"${first().id}", "path":"/x", "input" : ${input} }`,
        );
        expect(bodyOf(await got).toString()).to.equal(input.trim());
        expect((await seen).status).to.equal(200);
      }),
      { numRuns: runs(20) },
    ));

  it("serves completions and embeddings", async () => {
    for (const path of ["/v1/completions", "/v1/embeddings"]) {
      const got = received();
      const { seen } = send(market, path, `{"model":"${first().id}/m","input":["a"]}`);
      const request = await got;
      expect(headOf(request)).to.match(new RegExp(`^post ${path} http/1.1`));
      expect(bodyOf(request).toString()).to.equal('{"model":"m","input":["a"]}');
      expect((await seen).body.toString()).to.equal("ok");
    }
  });

  it("shows a compressed result decoded, and keeps its bytes with type and coding", async () => {
    const zipped = gzipSync('{"number": 12345678901234567890}');
    const head = `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: ${zipped.length}\r\n\r\n`;
    void received(Buffer.concat([Buffer.from(head), zipped]));
    const task = await market.partner.post<{ id: string; result: unknown }>("/v1/tasks", {
      workspaceId: first().id,
      path: "/",
    });
    expect(task.body.result).to.deep.equal({ number: Number("12345678901234567890") });
    const kept = await market.partner.raw(`/v1/tasks/${task.body.id}/result`);
    expect(kept.headers.get("content-type")).to.equal("application/json");
    expect(kept.headers.get("content-encoding")).to.equal("gzip");
    expect(await kept.text()).to.equal('{"number": 12345678901234567890}');
  });

  it("shows bytes that are no text, or not in their coding, as base64", async () => {
    for (const [headers, bytes, shown] of [
      [
        "Content-Type: text/plain\r\n",
        Buffer.from([0xff, 0x00]),
        { base64: "/wA=", contentType: "text/plain" },
      ],
      [
        "Content-Type: text/plain\r\nContent-Encoding: gzip\r\n",
        Buffer.from("no gzip"),
        {
          base64: Buffer.from("no gzip").toString("base64"),
          contentType: "text/plain",
          contentEncoding: "gzip",
        },
      ],
    ] as const) {
      const head = `HTTP/1.1 200 OK\r\n${headers}Content-Length: ${bytes.length}\r\n\r\n`;
      void received(Buffer.concat([Buffer.from(head), bytes]));
      const { body } = await market.partner.post<{ result: unknown }>("/v1/tasks", {
        workspaceId: first().id,
        path: "/",
      });
      expect(body.result).to.deep.equal(shown);
    }
  });

  it("shows a JSON that is nested too deep as its text, and records that it succeeded", async () => {
    for (const [open, close] of [
      ["[", "]"],
      ['{"a":', "}"],
    ] as const) {
      const text = `${open.repeat(60_000)}1${close.repeat(60_000)}`;
      const answer = `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${text.length}\r\n\r\n${text}`;
      void received(answer);
      const { body } = await market.partner.post<{ status: string; result: unknown }>("/v1/tasks", {
        workspaceId: first().id,
        path: "/",
      });
      expect([body.status, body.result === text]).to.deep.equal(["succeeded", true]);
      void received(answer);
      const seen = await send(market, "/v1/chat/completions", chatBody(first().id)).seen;
      expect([seen.end, seen.body.toString() === text]).to.deep.equal(["complete", true]);
      const task = await eventually("the record", async () => {
        const path = `/v1/tasks/${headerOf(seen, "x-ngpu-task-id")}`;
        const { body: record } = await market.partner.get<{ status: string; result: unknown }>(path);
        return record.status === "running" ? undefined : record;
      });
      expect([task.status, task.result === text]).to.deep.equal(["succeeded", true]);
    }
  });

  it("says that the container ended the connection when it did", async () => {
    first().container.serve = (socket) => afterRequest(socket, () => socket.end("HTTP/1.1 200"));
    const seen = await send(market, "/v1/chat/completions", chatBody(first().id)).seen;
    expect(seen.status).to.equal(502);
    expect(seen.body.toString()).to.include("The container ended the connection before it responded");
  });

  it("refuses a body above the limit the same way every time, and names the limit", async () => {
    first().container.serve = answerOk;
    const large = JSON.stringify({
      model: first().id,
      messages: [{ role: "user", content: "a".repeat(17 << 20) }],
    });
    for (let times = 0; times < 10; times++) {
      const seen = await send(market, "/v1/chat/completions", large).seen;
      expect([seen.end, seen.status]).to.deep.equal(["complete", 413]);
      expect(seen.body.toString()).to.include("16777216 bytes");
    }
  });

  it("passes a body below the limit, and a container's refusal of it, the same way every time", async () => {
    const body = JSON.stringify({
      model: first().id,
      messages: [{ role: "user", content: "a".repeat(1_050_000) }],
    });
    for (let times = 0; times < 10; times++) {
      // The container answers to the head and closes, as servers with a limit do.
      first().container.serve = (socket) =>
        afterRequest(socket, () => socket.end("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig"));
      const seen = await send(market, "/v1/chat/completions", body).seen;
      expect([seen.end, seen.status, seen.body.toString()]).to.deep.equal(["complete", 413, "big"]);
    }
  });

  it("refuses a caller without a key before it has sent its body", async () => {
    const { request, seen } = send(market, "/v1/chat/completions", "", {
      authorization: "Bearer none",
      "content-length": String(15 << 20),
    });
    request.on("error", () => undefined);
    expect((await seen).status).to.equal(401);
    request.destroy();
  });

  it("ends a response without progress by the caller's deadline, before and after it has begun", async () => {
    first().container.serve = (socket) => socket.resume();
    const silent = await send(market, "/v1/chat/completions", chatBody(first().id), { "x-ngpu-timeout": "1" })
      .seen;
    expect([silent.status, silent.body.toString().includes("replica_timeout")]).to.deep.equal([504, true]);
    first().container.serve = (socket) =>
      afterRequest(socket, () => socket.write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"));
    const begun = await send(market, "/v1/chat/completions", chatBody(first().id), { "x-ngpu-timeout": "1" })
      .seen;
    expect([begun.end, begun.status, headerOf(begun, "content-type")]).to.deep.equal([
      "cut",
      200,
      "text/event-stream",
    ]);
    const { body, status } = await market.partner.post<{ code: string }>("/v1/tasks", {
      workspaceId: first().id,
      path: "/",
      timeoutSeconds: 30,
      totalTimeoutSeconds: 1,
    });
    expect([status, body.code]).to.deep.equal([502, "response_cut"]);
    const refused = await send(market, "/v1/chat/completions", chatBody(first().id), {
      "x-ngpu-timeout": "3601",
    }).seen;
    expect(refused.status).to.equal(400);
  });
});
