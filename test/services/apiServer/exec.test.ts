import { createHash, randomBytes } from "node:crypto";
import { request } from "node:http";
import { createApiClient, type Schema } from "@ngpu/api-client/client";
import { attachExec, type ExecEnd } from "@ngpu/api-client/exec";
import { expect } from "chai";
import { startTcpProxy } from "../../support/tcpProxy.ts";
import { eventually } from "../support/context.ts";
import type { Client } from "./client.ts";
import { type LeaseMarket, openLeaseMarket, stranger, wallet } from "./leaseMarket.ts";

type Session = Schema<"ExecSession">;

const container = "c".repeat(64);

describe("apiServer: commands in the containers of workspaces", function () {
  this.timeout(180_000);
  let market: LeaseMarket;
  let partner: Client;
  let apiKey: string;
  let node: LeaseMarket["node"];

  before(async () => {
    market = await openLeaseMarket();
    partner = await market.as(wallet);
    apiKey = await market.keyFor(wallet, "exec");
    ({ node } = market);
    market.run(container);
  });
  after(() => market.stop());

  const path = (rest = "") => `/v1/workspaces/1/exec${rest}`;
  const begin = async (...command: string[]) => {
    const { status, body } = await partner.post<Session>(path(), { command });
    expect(status, JSON.stringify(body)).to.equal(201);
    return body;
  };
  type Run = { end: ExecEnd; stdout: Buffer; stderr: Buffer };
  /** Attaches until the command ends. */
  const run = async (
    session: Session,
    given: { url?: string; stdin?: AsyncIterable<Uint8Array>; onOutput?: (total: number) => void } = {},
  ): Promise<Run> => {
    const url = (given.url ?? market.url).replace(/\/$/, "");
    const out: Buffer[] = [];
    const errors: Buffer[] = [];
    let total = 0;
    const end = await attachExec(
      { url, apiKey, api: createApiClient({ url, apiKey }) },
      { workspaceId: "1", id: session.id },
      {
        onStdout: (bytes) => {
          out.push(Buffer.from(bytes));
          total += bytes.length;
          given.onOutput?.(total);
        },
        onStderr: (bytes) => errors.push(Buffer.from(bytes)),
        stdin: given.stdin,
      },
    );
    return { end, stdout: Buffer.concat(out), stderr: Buffer.concat(errors) };
  };
  const find = async (id: string) => {
    const { body } = await partner.get<{ sessions: Session[] }>(path());
    return body.sessions.find((one) => one.id === id);
  };

  it("runs a command, separates its streams and passes its exit code", async () => {
    const session = await begin("sh", "-c", "echo out; echo err >&2; exit 7");
    const { end, stdout, stderr } = await run(session);
    expect([end.reason, end.exitCode, String(stdout), String(stderr)]).to.deep.equal([
      "exited",
      7,
      "out\n",
      "err\n",
    ]);
    await eventually("the record of the end", async () => (await find(session.id))?.endReason === "exited");
    const recorded = await find(session.id);
    expect(recorded).to.deep.include({
      command: ["sh", "-c", "echo out; echo err >&2; exit 7"],
      exitCode: 7,
      tty: false,
      replica: 0,
      lease: 4,
    });
    expect(recorded?.keyId).to.match(/^[0-9a-f]{16}$/);
  });

  it("takes the key of a browser as a subprotocol, and answers without it", async () => {
    const session = await begin("echo", "from a browser");
    const out: Buffer[] = [];
    const end = await attachExec(
      { url: market.url, apiKey, api: createApiClient({ url: market.url, apiKey }), keyIn: "protocol" },
      { workspaceId: "1", id: session.id },
      { onStdout: (bytes) => out.push(Buffer.from(bytes)), onStderr: () => undefined },
    );
    expect([end.exitCode, String(Buffer.concat(out))]).to.deep.equal([0, "from a browser\n"]);
    const url = `${market.url.replace("http", "ws")}${path(`/${session.id}/attach`)}`;
    const opened = (key: string) =>
      new Promise<string | undefined>((resolve) => {
        const socket = new WebSocket(url, ["ngpu.exec", `ngpu.key.${key}`]);
        socket.onopen = () => resolve(socket.protocol);
        socket.onerror = () => resolve(undefined);
        socket.onclose = () => resolve(undefined);
      });
    expect(await opened(apiKey)).to.equal("ngpu.exec");
    expect(await opened(apiKey.replace(/.$/, (last) => (last === "0" ? "1" : "0")))).to.equal(undefined);
  });

  it("passes input on, and its end", async () => {
    async function* input() {
      yield Buffer.from("one\n");
      yield Buffer.from("two\n");
    }
    const { end, stdout } = await run(await begin("cat"), { stdin: input() });
    expect([end.exitCode, String(stdout)]).to.deep.equal([0, "one\ntwo\n"]);
  });

  it("loses and repeats no byte when the client is cut again and again", async () => {
    const sent = randomBytes(3 << 20);
    async function* input() {
      for (let at = 0; at < sent.length; at += 10_000) yield sent.subarray(at, at + 10_000);
    }
    const proxy = await startTcpProxy(new URL(market.url));
    let next = 200_000;
    const onOutput = (total: number) => {
      if (total < next) return;
      next += 700_000;
      proxy.cut();
      proxy.restore();
    };
    const { end, stdout } = await run(await begin("cat"), { url: proxy.url, stdin: input(), onOutput });
    proxy.stop();
    expect(end).to.deep.equal({ reason: "exited", exitCode: 0 });
    expect(stdout.length).to.equal(sent.length);
    expect(sha256(stdout)).to.equal(sha256(sent));
  });

  it("survives a restarted gateway and a restarted API", async () => {
    const session = await begin(
      "sh",
      "-c",
      "echo begun; read line; echo $line; read line; echo $line; exit 3",
    );
    const lines = [Promise.withResolvers<string>(), Promise.withResolvers<string>()];
    async function* input() {
      for (const line of lines) yield Buffer.from(`${await line.promise}\n`);
    }
    let seen = 0;
    const ended = run(session, {
      stdin: input(),
      onOutput: (total) => {
        seen = total;
      },
    });
    await eventually("the first line", () => seen === 6);
    await market.restartGateway();
    lines[0]?.resolve("gateway");
    await eventually("the second line", () => seen === 14);
    await market.restartApi();
    lines[1]?.resolve("api");
    const { end, stdout } = await ended;
    expect([end.exitCode, String(stdout)]).to.deep.equal([3, "begun\ngateway\napi\n"]);
  });

  it("lets a command wait whose client is away, and keeps its output", async () => {
    const session = await begin("sh", "-c", "head -c 5000000 /dev/zero; echo done");
    await eventually("the command to wait", () => node.output.running() === 1);
    const { end, stdout } = await run(session);
    expect([end.exitCode, stdout.length, String(stdout.subarray(-5))]).to.deep.equal([
      0,
      5_000_005,
      "done\n",
    ]);
  });

  it("ends with a reason when the node's client restarts", async () => {
    const session = await begin("sleep", "600");
    node.restart();
    const refused = await run(session).catch((error: unknown) => error);
    expect(refused).to.include({ code: "exec_session_ended", status: 410 });
    expect((refused as { details: object }).details).to.deep.equal({ reason: "node_restarted" });
    expect((await find(session.id))?.endReason).to.equal("node_restarted");
  });

  it("ends with its lease", async () => {
    const session = await begin("sleep", "600");
    const ended = run(session);
    await eventually("the client", async () => {
      const { rows } = await market.db.query("select left_at from app.exec_session where id = $1", [
        session.id,
      ]);
      return rows[0]?.left_at === null;
    });
    market.run("d".repeat(64));
    expect((await ended).end).to.deep.equal({ reason: "lease_ended", exitCode: null });
    market.run(container);
  });

  it("is for the owner alone, with the scope of commands", async () => {
    const session = await begin("true");
    const codes = async (client: Client, method: "get" | "post", to: string) => {
      const { status, body } =
        method === "get"
          ? await client.get<{ code?: string }>(to)
          : await client.post<{ code?: string }>(to, { command: ["true"] });
      return [status, body.code];
    };
    const limitedKey = await market.keyFor(wallet, "read", "workspaces", "logs", "tasks");
    const limited = partner.withKey(limitedKey);
    const other = await market.as(stranger);
    for (const [method, to] of [
      ["post", path()],
      ["get", path()],
      ["get", path(`/${session.id}/attach`)],
    ] as const) {
      expect(await codes(other, method, to)).to.deep.equal([404, "workspace_not_found"]);
      expect(await codes(limited, method, to)).to.deep.equal([403, "scope_missing"]);
      expect(await codes(market.client, method, to)).to.deep.equal([401, "api_key_missing"]);
    }
    expect(await handshake(path(`/${session.id}/attach`), `Bearer ${limitedKey}`)).to.equal(403);
    expect(await handshake(path(`/${session.id}/attach`))).to.equal(401);
    await run(session);
  });

  it("refuses values that are not valid", async () => {
    const post = async (body: object) => {
      const answer = await partner.post<{ code: string }>(path(), body);
      return [answer.status, answer.body.code];
    };
    const bad = [
      {},
      { command: [] },
      { command: "ls" },
      { command: ["a\0b"] },
      { command: ["x".repeat(40_000)] },
      { command: ["ls"], columns: 0 },
      { command: ["ls"], replica: -1 },
      { command: ["ls"], user: "root" },
    ];
    for (const body of bad) expect(await post(body)).to.deep.equal([400, "request_invalid"]);
    expect(await post({ command: ["ls"], replica: 7 })).to.deep.equal([409, "replica_not_placed"]);
    const session = await begin("true");
    const get = async (to: string) => {
      const answer = await partner.get<{ code: string }>(to);
      return [answer.status, answer.body.code];
    };
    expect(await get(path(`/${session.id}/attach`))).to.deep.equal([426, "upgrade_required"]);
    expect(await get(path(`/${session.id}/attach?output=-1`))).to.deep.equal([400, "request_invalid"]);
    expect(await get(path("/no/attach"))).to.deep.equal([400, "request_invalid"]);
    const unknown = "00000000-0000-4000-8000-000000000000";
    expect(await get(path(`/${unknown}/attach`))).to.deep.equal([404, "exec_session_not_found"]);
    await run(session);
    // The node still has it: a client that was cut at the end gets the rest.
    expect((await run(session)).end).to.deep.equal({ reason: "exited", exitCode: 0 });
  });

  it("ends a connection that sends what is no message, and keeps the session", async () => {
    const session = await begin("cat");
    for (const bad of ["text", Buffer.from([9, 1]), Buffer.from([4, 0x7b]), Buffer.alloc(0)]) {
      const socket = new WebSocket(`${market.url.replace("http", "ws")}${path(`/${session.id}/attach`)}`, {
        headers: { authorization: `Bearer ${apiKey}` },
      });
      const closed = Promise.withResolvers<void>();
      socket.onclose = () => closed.resolve();
      socket.onmessage = () => socket.send(bad as string);
      await closed.promise;
    }
    async function* input() {
      yield Buffer.from("still there");
    }
    expect(String((await run(session, { stdin: input() })).stdout)).to.equal("still there");
  });

  it("answers an upgrade to anything else as if it were not asked for", async () => {
    expect(await handshake("/v1/network")).to.equal(200);
    expect(await handshake("/v1/nothing")).to.equal(404);
  });

  /** Asks for a WebSocket; the status of the answer. */
  const handshake = async (to: string, authorization?: string) => {
    const answered = Promise.withResolvers<number>();
    const asking = request(`${market.url}${to}`, {
      headers: {
        connection: "Upgrade",
        upgrade: "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
        ...(authorization === undefined ? {} : { authorization }),
      },
    });
    asking.once("response", (response) => {
      response.resume();
      answered.resolve(response.statusCode ?? 0);
    });
    asking.once("upgrade", (_response, socket) => {
      socket.destroy();
      answered.resolve(101);
    });
    asking.once("error", answered.reject);
    asking.end();
    return answered.promise;
  };
});

const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");
