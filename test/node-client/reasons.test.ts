import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { answerBytes } from "@ngpu/protocol/reasons/boundedText";
import { parseNodeReason } from "@ngpu/protocol/reasons/nodeReason";
import type { ClientMessage } from "@ngpu/protocol/wire";
import { createLogger } from "@ngpu/runtime/logger";
import { expect } from "chai";
import { listContainers } from "../../node-client/docker/containers.ts";
import { type Engine, openEngine } from "../../node-client/docker/engine.ts";
import { createDemultiplexer, readLog } from "../../node-client/docker/logs.ts";
import { download } from "../../node-client/download.ts";
import { checkHealth } from "../../node-client/health.ts";
import { type Assignment, fencedKey, publicationKey } from "../../node-client/leases.ts";
import { exitReason, mayBeForeign, startReason } from "../../node-client/reasons/engineReasons.ts";
import { partnerText } from "../../node-client/reasons/partnerText.ts";
import { createReasonReporter } from "../../node-client/reasons/reasonReporter.ts";
import type { Facts } from "../../node-client/reconcileFacts.ts";
import { ends, pulls } from "./fixtures/dockerAnswers.ts";

type Reason = Extract<ClientMessage, { type: "reason" }>;

const reference = `127.0.0.1:5000/ngpu/x@sha256:${"ab".repeat(32)}`;
const logger = createLogger("test", "silent");
const unknownPlatforms = { engine: undefined, image: undefined };

/** An engine of which the test says every answer. */
async function fakeEngine(answer: RequestListener): Promise<{ engine: Engine; stop: () => void }> {
  const dir = mkdtempSync(join(tmpdir(), "ngpu-engine-"));
  const socket = join(dir, "docker.sock");
  const server = createServer(answer).listen(socket);
  await once(server, "listening");
  return {
    engine: openEngine({ socket, market: "aaaaaaaa", node: `0x${"11".repeat(20)}` }),
    stop: () => {
      server.closeAllConnections();
      server.close();
      rmSync(dir, { recursive: true });
    },
  };
}

const json =
  (body: unknown, status = 200): RequestListener =>
  (_request, response) => {
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  };

const frame = (text: string, stream = 1) => {
  const body = Buffer.from(text);
  const head = Buffer.alloc(8);
  head[0] = stream;
  head.writeUInt32BE(body.length, 4);
  return Buffer.concat([head, body]);
};

describe("why an image is not on a node", () => {
  for (const { registry, said, code } of pulls) {
    const message = said.replaceAll("HOST/x", reference);
    it(`is ${code} when the registry ${registry}`, async () => {
      // Before the stream, and as its last line.
      const answers = [json({ message }, 500), json({ error: message, errorDetail: { message } })];
      for (const answer of answers) {
        const { engine, stop } = await fakeEngine(answer);
        try {
          const deps = { engine, dataDir: "/", logger, signal: new AbortController().signal };
          const image = { reference, sizeBytes: 1n, before: undefined };
          const state = await download(deps, image, { onStage: () => {}, onProgress: () => {} });
          if (state.type === "present") throw new Error("The image is present.");
          expect(state.cause?.code).to.equal(code);
          expect(parseNodeReason(code, state.cause?.details)).not.to.have.property("invalid");
          const text = state.cause?.details as { message: string };
          expect(text.message).to.equal(partnerText(message, [reference]));
        } finally {
          stop();
        }
      }
    });
  }
});

describe("why a container does not run", () => {
  for (const { name, state, log, code } of ends) {
    it(`is ${code} when it ${name}`, async () => {
      const labels = { "ngpu.workspace": "1", "ngpu.replica": "0", "ngpu.lease": "1", "ngpu.fence": "0xaa" };
      const name = { Name: "/ngpu-aaaaaaaa-1-0-1-aa" };
      const info = {
        Id: "c1",
        ...name,
        State: state,
        Config: { Labels: labels },
        NetworkSettings: { Ports: {} },
      };
      const { engine, stop } = await fakeEngine((request, response) => {
        const listed = request.url?.includes("/containers/json") === true;
        json(listed ? [{ Id: "c1" }] : info)(request, response);
      });
      const [container] = await listContainers(engine).finally(stop);
      if (container === undefined) throw new Error("No container is listed.");
      const { exitCode, oomKilled, error } = container;
      const reason =
        error === ""
          ? exitReason({ exitCode, oomKilled, starts: 1, memoryMib: 64, log }, unknownPlatforms)
          : startReason(error, exitCode, unknownPlatforms);
      expect(reason.code).to.equal(code);
      expect(parseNodeReason(reason.code, reason.details)).not.to.have.property("invalid");
      expect(reason.details).to.include(error === "" ? { exitCode, log } : { exitCode, message: error });
    });
  }

  it("is the architecture when the image is for another processor, not when the container says so", () => {
    const ended = {
      exitCode: 255,
      oomKilled: false,
      starts: 1,
      memoryMib: 64,
      log: "exec /app: exec format error",
    };
    const foreign = { engine: "linux/amd64", image: "linux/arm64" };
    expect(exitReason(ended, foreign)).to.deep.include({ code: "image_architecture_mismatch" });
    expect(exitReason(ended, { ...foreign, image: "linux/amd64" }).code).to.equal("container_exited");
    // Without a shell in the image, the init process does not find it.
    const log = "[FATAL tini (7)] exec /app failed: No such file or directory";
    const missing = { ...ended, exitCode: 127, log };
    expect(mayBeForeign(log)).to.equal(true);
    expect(exitReason(missing, foreign)).to.deep.include({ code: "image_architecture_mismatch" });
    expect(exitReason(missing, { ...foreign, image: "linux/amd64" }).code).to.equal("container_start_failed");
  });
});

describe("arguments and an environment that the kernel does not take", () => {
  it("are a start that failed, though the runtime says so in the container's output", () => {
    const platforms = { engine: undefined, image: undefined };
    for (const what of ["argument list too long", "invalid argument"]) {
      const log = `exec /sbin/docker-init: ${what}`;
      const ended = { exitCode: 1, oomKilled: false, starts: 1, memoryMib: 64, log };
      expect(exitReason(ended, platforms)).to.deep.equal({
        code: "container_start_failed",
        details: { exitCode: 1, message: log, log },
      });
      const program = { ...ended, log: `${log}\nthen it ran` };
      expect(exitReason(program, platforms).code).to.equal("container_exited");
    }
  });
});

describe("a container's output", () => {
  it("is its last lines of both streams, however the engine cuts the frames", async () => {
    const lines = Array.from({ length: 60 }, (_one, number) => frame(`line ${number}\n`, 1 + (number % 2)));
    const whole = Buffer.concat(lines);
    for (const size of [1, 7, 8, 9, whole.length]) {
      const output = createDemultiplexer(100_000);
      for (let at = 0; at < whole.length; at += size) output.take(whole.subarray(at, at + size));
      expect(output.text().split("\n")).to.have.length(61);
    }
  });

  it("is read without keeping more than a part of it in memory, and cleaned", async () => {
    const { engine, stop } = await fakeEngine((_request, response) => {
      response.writeHead(200);
      for (let at = 0; at < 40; at += 1) response.write(frame("x".repeat(100_000)));
      response.end(Buffer.concat([frame("\nsecond \0 last \x1b[31m\n"), frame("caf\xe9\n")]));
    });
    try {
      const log = await readLog(engine, "c1", 0);
      expect(Buffer.byteLength(log)).to.be.at.most(8_192);
      expect(log.split("\n").slice(-2)).to.deep.equal(["second \ufffd last \ufffd[31m", "café"]);
    } finally {
      stop();
    }
  });

  it("is empty when the container is gone", async () => {
    const { engine, stop } = await fakeEngine(json({ message: "No such container: c1" }, 404));
    expect(await readLog(engine, "c1", 0).finally(stop)).to.equal("");
  });
});

describe("a health check", () => {
  const serving = async (
    listener: RequestListener,
    check: (port: number, server: Server) => Promise<void>,
  ) => {
    const server = createServer(listener).listen(0, "127.0.0.1");
    await once(server, "listening");
    try {
      await check((server.address() as AddressInfo).port, server);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  };

  it("gives the status and the start of an answer that is not 2xx", async () => {
    const listener: RequestListener = (request, response) => {
      if (request.url === "/ok") response.end("fine");
      else response.writeHead(503).end(`loading\0${"é".repeat(100_000)}`);
    };
    await serving(listener, async (port) => {
      expect(await checkHealth(port, "/ok")).to.equal(undefined);
      const failure = await checkHealth(port, "/healthz");
      expect(failure?.status).to.equal(503);
      expect(failure?.answer).to.match(/^loading\ufffdé+$/);
      expect(Buffer.byteLength(failure?.answer ?? "")).to.be.at.most(answerBytes);
    });
  });

  it("says why there is no answer", async () => {
    await serving(
      (_request, response) => response.socket?.destroy(),
      async (port, server) => {
        expect((await checkHealth(port, "/"))?.message).to.match(
          /other side closed|ECONNRESET|UND_ERR_SOCKET/,
        );
        await new Promise((closed) => server.close(closed));
        expect((await checkHealth(port, "/"))?.message).to.equal("ECONNREFUSED");
      },
    );
  });
});

describe("a node's reports of reasons", () => {
  const lease: Assignment = {
    workspaceId: 7n,
    replica: 0,
    lease: 3,
    fence: "0xaaaaaaaaaaaaaaaa",
    assignedBlock: 1n,
    assignedBlockHash: `0x${"11".repeat(32)}`,
    assignedLog: 0,
    desired: "run",
    order: "first",
    state: "assigned",
    detail: `0x${"00".repeat(32)}`,
    sequence: 0,
    milestone: 0,
    lost: false,
    ended: false,
    keptUntil: Number.POSITIVE_INFINITY,
  };
  const key = fencedKey(lease);
  const { workspaceId, replica, lease: number, fence } = lease;
  const container = {
    workspaceId,
    replica,
    lease: number,
    fence,
    id: "c1",
    status: "exited" as const,
    exitCode: 7,
    oomKilled: false,
    error: "",
    startedAt: 1_000,
    finishedAt: 2_000,
    ports: {},
    servedPort: 40_000,
    gpuUuids: [],
  };
  const plan = {
    type: "runnable" as const,
    reference,
    policy: "available" as const,
    graceSeconds: 60,
    gpus: 0,
    cpuMilli: 1_000,
    memoryMib: 64,
    diskGib: 1,
    sizeBytes: 1n,
    config: { image: "x", env: {}, ports: [8080], health: "/healthz" },
  };
  const factsOf = (changes: Partial<Facts>): Facts => ({
    now: 100_000,
    lastContactAt: 0,
    sickGpuIds: new Set(),
    isExposed: false,
    startSeconds: 3_600,
    assignments: [lease],
    plans: new Map([[publicationKey(lease), plan]]),
    containers: [container],
    images: new Map([[reference, { type: "present" }]]),
    runs: new Map([[key, { order: "first", starts: 1, lastStart: 1_000 }]]),
    health: new Map(),
    reports: new Map(),
    progress: new Map(),
    gpuUuids: [],
    ...changes,
  });
  let fake: Awaited<ReturnType<typeof fakeEngine>>;
  before(async () => {
    fake = await fakeEngine((request, response) => {
      if (request.url?.includes("/silent/logs") === true) return;
      if (request.url?.includes("/logs") === true) response.end(frame("bye\n"));
      else json({ Os: "linux", Arch: "amd64" })(request, response);
    });
  });
  after(() => fake.stop());

  const reporter = (open = { session: true }) => {
    const sent: Reason[] = [];
    const send = (message: ClientMessage) => {
      if (open.session && message.type === "reason") sent.push(message);
      return open.session;
    };
    return { sent, ...createReasonReporter({ engine: fake.engine, send, logger }) };
  };
  const summary = (sent: Reason[]) => sent.map(({ code, count }) => [code, count]);

  it("say each occurrence once, with the container's output", async () => {
    const { sent, observe } = reporter();
    await observe(factsOf({}), new Map());
    await observe(factsOf({ now: 102_000 }), new Map());
    expect(sent).to.deep.equal([
      {
        type: "reason",
        workspaceId: 7n,
        replica: 0,
        lease: 3,
        fence: lease.fence,
        code: "container_exited",
        details: { exitCode: 7, starts: 1, log: "bye" },
        count: 1,
      },
    ]);
    const again = { ...container, startedAt: 103_000, finishedAt: 103_500 };
    const runs = new Map([[key, { order: "first", starts: 2, lastStart: 103_000 }]]);
    await observe(factsOf({ now: 104_000, containers: [again], runs }), new Map());
    expect(summary(sent)).to.deep.equal([
      ["container_exited", 1],
      ["container_exited", 2],
    ]);
  });

  it("say when the lease runs, and count a later failure again", async () => {
    const { sent, observe } = reporter();
    const running = [{ ...container, status: "running" as const }];
    const health = (ok: boolean) =>
      new Map([["c1", { ok, everOk: true, checkedAt: 50_000, ...(!ok && { failure: { status: 500 } }) }]]);
    await observe(factsOf({ containers: running, health: health(true) }), new Map());
    await observe(factsOf({ now: 110_000, containers: running, health: health(false) }), new Map());
    await observe(factsOf({ now: 120_000, containers: running, health: health(true) }), new Map());
    await observe(factsOf({ now: 130_000, containers: running, health: health(false) }), new Map());
    expect(summary(sent)).to.deep.equal([
      [null, 0],
      ["health_failing", 1],
      [null, 0],
      ["health_failing", 2],
    ]);
    expect(sent[1]?.details).to.deep.equal({ path: "/healthz", port: 8080, status: 500, log: "bye" });
  });

  it("do not take a container that the client stopped for one that ended", async () => {
    const { sent, observe } = reporter();
    await observe(factsOf({ runs: new Map() }), new Map());
    await observe(factsOf({ assignments: [{ ...lease, desired: "stop" }] }), new Map());
    await observe(factsOf({ assignments: [{ ...lease, ended: true }] }), new Map());
    expect(sent).to.deep.equal([]);
  });

  it("leave a slow start alone until its health path answers or has been silent for a while", async () => {
    const { sent, observe } = reporter();
    const at = (checkedAt: number, failure: object) =>
      factsOf({
        now: checkedAt,
        containers: [{ ...container, status: "running", startedAt: 0 }],
        health: new Map([["c1", { ok: false, everOk: false, checkedAt, failure }]]),
      });
    await observe(at(2_000, { status: 503, answer: "loading" }), new Map());
    await observe(at(9_000, { message: "ECONNREFUSED" }), new Map());
    expect(sent).to.deep.equal([]);
    await observe(at(9_500, { status: 503, answer: "loading" }), new Map());
    await observe(at(11_000, { message: "ECONNREFUSED" }), new Map());
    expect(sent.map(({ details }) => details)).to.deep.equal([
      { path: "/healthz", port: 8080, status: 503, answer: "loading", log: "bye" },
      { path: "/healthz", port: 8080, message: "ECONNREFUSED", log: "bye" },
    ]);
  });

  it("say why no container exists: its image, its configuration, the engine or a GPU", async () => {
    const { sent, observe } = reporter();
    const none = { containers: [] };
    const absent = {
      type: "absent" as const,
      failures: 1,
      retryAt: 0,
      reason: "image_unavailable",
      permanent: false,
    };
    const cause = {
      code: "image_not_found" as const,
      details: { image: reference, message: "manifest unknown" },
    };
    await observe(factsOf({ ...none, images: new Map([[reference, { ...absent, cause }]]) }), new Map());
    const unrunnable = new Map([
      [publicationKey(lease), { type: "unrunnable" as const, reason: "config_invalid" }],
    ]);
    await observe(factsOf({ ...none, now: 110_000, plans: unrunnable }), new Map());
    const failed = new Map([[key, { said: 'network "ngpu" not found', at: 5 }]]);
    await observe(factsOf({ ...none, now: 120_000 }), failed);
    const gpu = new Map([[publicationKey(lease), { ...plan, gpus: 1 }]]);
    await observe(factsOf({ ...none, now: 130_000, plans: gpu }), new Map());
    expect(sent.map(({ code }) => code)).to.deep.equal([
      "image_not_found",
      "config_invalid",
      "container_start_failed",
      "gpu_lost",
    ]);
  });

  it("wait for a session, and are said again in a new one", async () => {
    const open = { session: false };
    const { sent, observe, resend } = reporter(open);
    await observe(factsOf({}), new Map());
    expect(sent).to.deep.equal([]);
    open.session = true;
    await observe(factsOf({ now: 102_000 }), new Map());
    resend();
    expect(summary(sent)).to.deep.equal([
      ["container_exited", 1],
      ["container_exited", 1],
    ]);
  });

  it("are said without output when the engine does not send it, and delay no other lease's reason", async () => {
    const { sent, observe } = reporter();
    const silent = { ...container, id: "silent", lease: 4 };
    const other = { ...lease, lease: 4 };
    const both = factsOf({
      assignments: [other, lease],
      containers: [silent, container],
      plans: new Map([lease, other].map((one) => [publicationKey(one), plan])),
      runs: new Map(
        [lease, other].map((one) => [fencedKey(one), { order: "first", starts: 1, lastStart: 1_000 }]),
      ),
    });
    await observe(both, new Map());
    expect(
      sent.map(({ lease: number, details }) => [number, (details as { log?: string }).log]),
    ).to.deep.equal([
      [3, "bye"],
      [4, ""],
    ]);
  });

  it("are at most one new reason a second of each lease", async () => {
    const { sent, observe } = reporter();
    for (let now = 100_000; now < 103_000; now += 100) {
      const changed = { ...container, startedAt: now, exitCode: now % 250 };
      await observe(factsOf({ now, containers: [changed] }), new Map());
      await delay(0);
    }
    expect(sent).to.have.length(3);
  });
});
