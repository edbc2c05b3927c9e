import { once } from "node:events";
import { request } from "node:http";
import { constants } from "node:http2";
import { text } from "node:stream/consumers";
import { expect } from "chai";
import { insertWorkspace } from "../support/chainTables.ts";
import { eventually } from "../support/context.ts";
import { echo, type NodeServer, type OpenTunnel } from "./node.ts";
import { type Setup, setup, token } from "./setup.ts";

type Echo = {
  name: string;
  path: string;
  method: string;
  bytes: number;
  authorization: string | null;
  requestId: string | null;
};

describe("gateway: routes", () => {
  let market: Setup;
  let tunnels: OpenTunnel[] = [];
  beforeEach(async () => {
    market = await setup({ timeouts: { progress: 1_000, total: 20_000 } });
    tunnels = [];
  });
  afterEach(() => market.stop());

  const serve = async (servers: NodeServer[], rows: Record<string, unknown>[] = []) => {
    for (const [index, server] of servers.entries())
      tunnels.push(await market.addConnectedNode(index + 1, server));
    await market.setAssignments([
      ...servers.map((_server, index) => ({ workspace_id: 7, replica: index, lease: 3, node_id: index + 1 })),
      ...rows,
    ]);
    await eventually("the gateway knows the replicas", async () => {
      const answer = await market.route("/7/healthz", { headers: { "x-request-id": "warm-up" } });
      await answer.arrayBuffer();
      return answer.headers.get("x-ngpu-lease") === "3" || answer.status >= 502
        ? answer.status !== 503
        : false;
    });
  };

  it("passes method, path, query, headers and body to the container, but not the gateway's token", async () => {
    await serve([echo("one")]);
    const answer = await market.route("/7/a/b?c=d", {
      method: "POST",
      body: "12345",
      headers: { "x-request-id": "r-1" },
    });
    expect(answer.headers.get("x-ngpu-node-id")).to.equal("1");
    expect(answer.headers.get("x-ngpu-replica")).to.equal("0");
    expect(answer.headers.get("x-ngpu-lease")).to.equal("3");
    expect((await answer.json()) as Echo).to.deep.equal({
      name: "one",
      path: "/w/7/0/3/a/b?c=d",
      method: "POST",
      bytes: 5,
      authorization: null,
      requestId: "r-1",
    });
  });

  it("requires the token", async () => {
    const without = await fetch(`${market.url}/v1/route/7/`);
    expect(without.status).to.equal(401);
    const wrong = await market.route("/7/", { headers: { authorization: "Bearer wrong" } });
    expect(wrong.status).to.equal(401);
  });

  it("returns 503 replica_unavailable for a workspace that is not running or whose node is not connected", async () => {
    await market.addNode(1);
    await market.setAssignments([{ workspace_id: 7, replica: 0, lease: 1, node_id: 1 }]);
    const answer = await market.route("/8/x");
    expect(answer.status).to.equal(503);
    expect(await answer.json()).to.have.nested.property("error.code", "replica_unavailable");
    const away = await market.route("/7/x");
    expect(away.status).to.equal(503);
  });

  it("uses only the highest lease of a replica, and only while it runs", async () => {
    await serve(
      [echo("held")],
      [
        { workspace_id: 7, replica: 1, lease: 1, node_id: 1 },
        { workspace_id: 7, replica: 1, lease: 2, node_id: 1, state: "assigned" },
        { workspace_id: 7, replica: 2, lease: 1, node_id: 1, release_reason: "lost" },
        { workspace_id: 7, replica: 3, lease: 1, node_id: 1, desired: "stop" },
      ],
    );
    for (let times = 0; times < 6; times++) {
      const answer = (await (await market.route("/7/")).json()) as Echo;
      expect(answer.path).to.equal("/w/7/0/3/");
    }
  });

  it("sends nothing to a running replica above the number of replicas", async () => {
    await insertWorkspace(market.db, { workspace_id: 7, replicas: 1 });
    await serve([echo("stays"), echo("leaves")]);
    for (let times = 0; times < 6; times++) {
      const { name } = (await (await market.route("/7/")).json()) as Echo;
      expect(name).to.equal("stays");
    }
  });

  it("alternates between equally busy replicas and avoids a busy one", async () => {
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const slow: NodeServer = async (incoming, outgoing) => {
      if (incoming.url?.endsWith("/hold")) await held;
      await echo("slow")(incoming, outgoing);
    };
    await serve([slow, echo("quick")]);
    const names = new Map<string, number>();
    for (let times = 0; times < 10; times++) {
      const { name } = (await (await market.route("/7/")).json()) as Echo;
      names.set(name, (names.get(name) ?? 0) + 1);
    }
    expect(names.get("slow")).to.equal(5);
    // Two requests to /hold: one waits at the slow replica, the fast one answers the other.
    const holding = [market.route("/7/hold"), market.route("/7/hold")];
    await Promise.race(holding);
    for (let times = 0; times < 4; times++) {
      const { name } = (await (await market.route("/7/")).json()) as Echo;
      expect(name).to.equal("quick");
    }
    release();
    await Promise.all(holding);
  });

  it("sends the request with its body to the next replica when a node does not run the lease", async () => {
    let requested = 0;
    const unknown: NodeServer = (_incoming, outgoing) => {
      requested += 1;
      outgoing.writeHead(404, { "x-ngpu-error": "lease_not_found" });
      outgoing.end();
    };
    await serve([unknown, echo("two")]);
    requested = 0;
    for (let times = 0; times < 4; times++) {
      const answer = await market.route("/7/x", { method: "POST", body: "abc" });
      expect((await answer.json()) as Echo).to.include({ name: "two", bytes: 3 });
    }
    expect(requested).to.be.greaterThan(0);
  });

  it("does not repeat a POST that the container may have received, but repeats a GET", async () => {
    const breaks: NodeServer = (incoming, outgoing) => {
      incoming.resume();
      incoming.once("end", () => outgoing.stream.close(constants.NGHTTP2_INTERNAL_ERROR));
    };
    await serve([breaks, echo("two")]);
    const statuses: number[] = [];
    for (let times = 0; times < 4; times++)
      statuses.push((await market.route("/7/x", { method: "POST", body: "abc" })).status);
    expect(statuses.sort()).to.deep.equal([200, 200, 502, 502]);
    for (let times = 0; times < 4; times++) expect((await market.route("/7/x")).status).to.equal(200);
  });

  it("streams in both directions without buffering", async () => {
    const upper: NodeServer = (incoming, outgoing) => {
      outgoing.writeHead(200, { "content-type": "text/event-stream" });
      incoming.setEncoding("utf8");
      incoming.on("data", (chunk: string) => outgoing.write(chunk.toUpperCase()));
      incoming.on("end", () => outgoing.end("."));
    };
    await serve([upper]);
    let push: (text: string | undefined) => void = () => undefined;
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        push = (text) =>
          text === undefined ? controller.close() : controller.enqueue(new TextEncoder().encode(text));
      },
    });
    // undici's half-duplex mode affects only its promise; the chunks below are still sent one at a time.
    const init: RequestInit & { duplex: "half" } = { method: "POST", body, duplex: "half" };
    push("a");
    const answer = await market.route("/7/x", init);
    const reader = (answer.body as ReadableStream<Uint8Array>)
      .pipeThrough(new TextDecoderStream())
      .getReader();
    expect((await reader.read()).value).to.equal("A");
    push("b");
    expect((await reader.read()).value).to.equal("B");
    push(undefined);
    expect((await reader.read()).value).to.equal(".");
  });

  it("transfers a large body completely, with backpressure on the container", async () => {
    const size = 24 << 20;
    let written = 0;
    const flood: NodeServer = async (_incoming, outgoing) => {
      outgoing.writeHead(200);
      const chunk = Buffer.alloc(1 << 16, "x");
      while (written < size) {
        written += chunk.length;
        if (!outgoing.write(chunk)) await once(outgoing, "drain");
      }
      outgoing.end();
    };
    await serve([
      async (incoming, outgoing) =>
        (incoming.url?.endsWith("/big") ? flood : echo("one"))(incoming, outgoing),
    ]);
    const answer = await market.route("/7/big");
    const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
    const first = await reader.read();
    const seen = await eventually("the container is held back", async () => {
      const before = written;
      await new Promise((resolve) => setTimeout(resolve, 150));
      return before === written ? written : undefined;
    });
    expect(seen).to.be.lessThan(size);
    let received = first.value?.length ?? 0;
    for (let part = await reader.read(); !part.done; part = await reader.read())
      received += part.value.length;
    expect(received).to.equal(size);
  });

  it("streams a body above the buffer limit", async () => {
    await serve([echo("one")]);
    const answer = await market.route("/7/x", { method: "POST", body: Buffer.alloc(3 << 20) });
    expect((await answer.json()) as Echo).to.include({ bytes: 3 << 20 });
  });

  it("cancels the container's request when the client disconnects", async () => {
    let stopped = false;
    const endless: NodeServer = (_incoming, outgoing) => {
      outgoing.writeHead(200);
      outgoing.write("first");
      outgoing.stream.once("close", () => {
        stopped = true;
      });
    };
    await serve([
      async (incoming, outgoing) =>
        (incoming.url?.endsWith("/endless") ? endless : echo("one"))(incoming, outgoing),
    ]);
    const leaving = new AbortController();
    const answer = await market.route("/7/endless", { signal: leaving.signal });
    expect(answer.status).to.equal(200);
    leaving.abort();
    await eventually("the container's stream is closed", () => stopped, 600);
  });

  it("counts a client that leaves within its body as gone, not as failed", async () => {
    await serve([echo("one")]);
    const leaving = request(`${market.url}/v1/route/7/x`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-length": 1_000 },
    });
    leaving.on("error", () => undefined);
    await new Promise((sent) => leaving.write("a part", sent));
    leaving.destroy();
    const counted = /^ngpu_gateway_request_duration_seconds_count{[^}]*outcome="client_gone"[^}]*} 1$/m;
    await eventually("the request is counted", async () =>
      counted.test(await (await fetch(`${market.url}/metrics`)).text()),
    );
  });

  it("returns 504 when the container does not respond, and cuts an idle response", async () => {
    const silent: NodeServer = async (incoming, outgoing) => {
      if (incoming.url?.endsWith("/silent")) return;
      if (!incoming.url?.endsWith("/half")) return echo("one")(incoming, outgoing);
      outgoing.writeHead(200);
      outgoing.write("half");
    };
    await serve([silent]);
    const answer = await market.route("/7/silent");
    expect(answer.status).to.equal(504);
    expect(await answer.json()).to.have.nested.property("error.code", "replica_timeout");
    const half = await market.route("/7/half");
    expect(half.status).to.equal(200);
    const failure = await half.text().then(
      (whole) => `whole: ${whole}`,
      () => "cut",
    );
    expect(failure).to.equal("cut");
  });

  it("cuts the response when the node disconnects or cancels it", async () => {
    const breaks: NodeServer = async (incoming, outgoing) => {
      const cancel = () => outgoing.stream.close(constants.NGHTTP2_CANCEL);
      const leave = () => tunnels[0]?.close();
      if (!/cancels|leaves/.test(incoming.url ?? "")) return echo("one")(incoming, outgoing);
      outgoing.writeHead(200);
      outgoing.write("some", incoming.url?.endsWith("/cancels") ? cancel : leave);
    };
    await serve([breaks]);
    for (const path of ["/7/cancels", "/7/leaves"]) {
      const answer = await market.route(path);
      const end = await answer.text().then(
        (whole) => `whole: ${whole}`,
        () => "cut",
      );
      expect(`${path} ${end}`).to.equal(`${path} cut`);
    }
  });

  it("rejects paths that leave the workspace", async () => {
    await serve([echo("one")]);
    // fetch would resolve the dots; a socket does not.
    const status = await new Promise((resolve, reject) => {
      const asking = request(market.url, {
        path: "/v1/route/7/a/%2e%2e/../8/x",
        headers: { authorization: `Bearer ${token}` },
      });
      asking.once("response", (response) => resolve(response.resume().statusCode));
      asking.once("error", reject);
      asking.end();
    });
    expect(status).to.equal(400);
  });

  it("serves /healthz and /metrics", async () => {
    await serve([echo("one")]);
    const health = (await (await fetch(`${market.url}/healthz`)).json()) as { ok: boolean };
    expect(health.ok).to.equal(true);
    const metrics = await text((await fetch(`${market.url}/metrics`)).body as ReadableStream);
    expect(metrics).to.match(
      /ngpu_gateway_request_duration_seconds_count\{service="gateway",outcome="answered"\} [1-9]/,
    );
  });
});
