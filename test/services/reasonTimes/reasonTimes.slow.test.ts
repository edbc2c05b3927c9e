import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { reasons } from "@ngpu/protocol/reasons/reasons";
import { expect } from "chai";
import getPort from "get-port";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { logDeadline } from "../../../node-client/docker/logs.ts";
import { maxVolumes } from "../../../node-client/docker/volumes.ts";
import { pause } from "../../../node-client/reasons/reasonReporter.ts";
import { roundInterval } from "../../../node-client/reconcile.ts";
import { type RunningProcess, startProcess } from "../../../scripts/embedded/process.ts";
import { absenceSeconds } from "../../../services/apiServer/store/reasons.ts";
import { retry } from "../../../services/match/sessions/reasonReports.ts";
import { fund } from "../../support/chain.ts";
import { type Said, startFakeEngine } from "../../support/fakeEngine.ts";
import { putFirewall } from "../../support/fakeFirewall.ts";
import { rootDir, testStateDir } from "../../support/parts.ts";
import { type Client, createClient, signIn } from "../apiServer/client.ts";
import { partnerKey, setupMatch, type TestMatch } from "../match/setup.ts";
import { asRole, eventually } from "../support/context.ts";

/** Milliseconds from what the node or the market knows to the reason in the API. */
const bound = 5_000;
const card = "NVIDIA H200, GPU-5a6f2c1e-0c1f-4a7e-9d55-3f0b8f5f7a10, 143771, 9.0\n";
const none = { gpus: 0, cpuMilli: 20, memoryMib: 16, diskGib: 1, ports: 1 };

type Reason = { code: string; details: Record<string, unknown> };
type Workspace = { reason: Reason | null; replicaList: { reason: Reason | null }[] };

describe("reasons in the API", function () {
  this.timeout(400_000);
  const dir = mkdtempSync(join(tmpdir(), "ngpu-reason-times-"));
  const said = new Map<string, Said>();
  const times: [code: string, milliseconds: number][] = [];
  const running: RunningProcess[] = [];
  let failing: Server;
  let answeredAt: number | undefined;
  let engine: Awaited<ReturnType<typeof startFakeEngine>>;
  let test: TestMatch;
  let partner: Client;
  let node: RunningProcess;
  let apiUrl: string;
  let nodeUrl: string;
  let published = 0;

  before(async () => {
    failing = createServer((_request, response) => {
      answeredAt ??= performance.now();
      response.writeHead(503).end("loading");
    }).listen(0, "127.0.0.1");
    writeFileSync(join(dir, "cards"), card);
    writeFileSync(
      join(dir, "nvidia-smi"),
      `#!/bin/sh\ncase "$1" in *memory.total*) /bin/cat ${dir}/cards ;; esac\n`,
    );
    chmodSync(join(dir, "nvidia-smi"), 0o755);
    putFirewall(dir);
    engine = await startFakeEngine(join(dir, "engine.sock"), dir, (name) => said.get(name) ?? {});
    test = await setupMatch();
    const match = await test.startMatch("match-a", { LOSS_SECONDS: "2", LOSS_FLOOR: "2" });
    await test.startService("workspace", "workspace");
    await test.startService("dispense", "dispense", { NODE_TRANSFERS: "50" });
    apiUrl = await startApi(match.url);
    partner = await signIn(createClient(apiUrl), privateKeyToAccount(partnerKey));
    node = await startNode();
  });
  after(async () => {
    for (const one of running.reverse()) await one.stop();
    await test.stop();
    engine.stop();
    failing.close();
    rmSync(dir, { recursive: true });
  });

  const launch = async (name: string, program: string[], env: Record<string, string>, healthUrl: string) => {
    const started = await startProcess({
      name,
      command: process.execPath,
      args: [join(rootDir, program[0] ?? ""), ...program.slice(1)],
      stateDir: await testStateDir(),
      cwd: rootDir,
      env: { PATH: `${dir}:${process.env.PATH}`, LOG_LEVEL: process.env.TEST_LOG_LEVEL ?? "info", ...env },
      ready: async (signal) => (await fetch(healthUrl, { signal })).ok,
      readyDeadlineMs: 60_000,
    });
    running.push(started);
    return started;
  };

  async function startApi(matchUrl: string): Promise<string> {
    const port = await getPort();
    const url = `http://127.0.0.1:${port}`;
    const key = generatePrivateKey();
    await fund(test.market.rpcUrl, [privateKeyToAccount(key).address]);
    const env = {
      CHAIN_RPC_URLS: test.market.rpcUrl,
      DEPLOYMENT_FILE: test.market.deploymentFile,
      DATABASE_URL: asRole(test.database.url, "ngpu_api"),
      REDIS_URL: test.redisUrl,
      SIGNER_KEY: key,
      HOST: "127.0.0.1",
      PORT: String(port),
      INTERNAL_PORT: String(await getPort()),
      PUBLIC_URL: url,
      GATEWAY_URL: "http://127.0.0.1:9",
      GATEWAY_URLS: "http://127.0.0.1:9",
      GATEWAY_TOKEN: "a-token-of-more-than-thirty-two-characters",
      MATCH_URLS: matchUrl,
      PUBLIC_RPC_URLS: test.market.rpcUrl,
      PROBE_IMAGE: `127.0.0.1:9/probe@sha256:${"0".repeat(64)}`,
      PRIVATE_ADDRESSES: "1",
      WEBHOOK_KEYS: "a-token-of-more-than-thirty-two-characters",
    };
    await launch("apiServer", ["services/apiServer/index.ts"], env, `${url}/v1/network`);
    return url;
  }

  /** The node client as operators run it, with an engine that says what the test wants. */
  async function startNode(): Promise<RunningProcess> {
    const port = await getPort();
    nodeUrl = `http://127.0.0.1:${port}/healthz`;
    const env = {
      NGPU_API: apiUrl,
      HOST: "127.0.0.1",
      PORT: String(port),
      NODE_DIR: join(dir, "node"),
      NODE_DOCKER_SOCKET: join(dir, "engine.sock"),
      NODE_PRICE: "1",
      NODE_PREFETCH_GIB: "0",
    };
    const started = await launch("node", ["node-client/main.ts", "run"], env, nodeUrl);
    await eventually("the node's registration", async () => {
      const { rowCount } = await test.db.query("select from chain.node where status = 'online'");
      return rowCount === 1;
    });
    return started;
  }

  /** Publishes a workspace whose image the engine answers with `answers`. */
  async function publish(name: string, answers: Said, resources = none) {
    said.set(name, answers);
    published += 1;
    const image = `0x${published.toString(16).padStart(64, "0")}` as const;
    return test.chain.publish({ image, resources, graceSeconds: 60 }, undefined, 1, `127.0.0.1:9/${name}`);
  }
  const show = async (id: bigint) => (await partner.get<Workspace>(`/v1/workspaces/${id}`)).body;
  /** Waits for a reason in the API. @returns it, and when it was seen. */
  const shown = async (id: bigint, code: string) => {
    const reason = await eventually(
      `${code} of workspace ${id}`,
      async () => {
        const { replicaList, reason: whole } = await show(id);
        const found = replicaList?.[0]?.reason ?? whole;
        return found?.code === code ? found : undefined;
      },
      60_000,
    );
    return { reason, at: performance.now() };
  };
  const note = (code: string, knownAt: number | undefined, at: number) => {
    expect(knownAt, `${code} is known`).to.be.a("number");
    times.push([code, Math.max(0, Math.round(at - (knownAt ?? 0)))]);
  };
  /** When a row was first there. */
  const seenAt = async (what: string, sql: string, values: unknown[]) => {
    await eventually(what, async () => ((await test.db.query(sql, values)).rowCount ?? 0) > 0, 60_000);
    return performance.now();
  };

  it("reach it within 5 s by their intervals: an event is pushed, and these pass at most without one", () => {
    const intervals = {
      "the node looks at its engine and leases": roundInterval,
      "a lease reports at most one new reason": pause.change,
      "the engine sends the container's output": logDeadline,
      "match looks for the lease again": retry.everyMs,
    };
    const sum = Object.values(intervals).reduce((all, one) => all + one, 0);
    expect(sum, JSON.stringify(intervals)).to.be.at.most(bound);
    // A session that ends is known at once; its node may come back within this time.
    expect(absenceSeconds * 1_000).to.be.at.most(bound);
  });

  const port = () => (failing.address() as AddressInfo).port;
  const exit = (code: number, oomKilled = false) => ({ exit: { code, oomKilled, log: "last words\n" } });
  const ofNode: Record<string, { answers: () => Said; code: string; details?: Record<string, unknown> }> = {
    "lacks the image": {
      answers: () => ({ pull: "manifest unknown: manifest unknown" }),
      code: "image_not_found",
    },
    "denies the pull": {
      answers: () => ({
        pull: "pull access denied for x, repository does not exist or may require 'docker login'",
      }),
      code: "image_pull_denied",
    },
    "does not answer": {
      answers: () => ({ pull: "dial tcp 127.0.0.1:9: connect: connection refused" }),
      code: "image_registry_unreachable",
    },
    "fails in another way": { answers: () => ({ pull: "something odd" }), code: "image_pull_failed" },
    "fills the disk": { answers: () => ({ pull: "write /x: no space left on device" }), code: "disk_full" },
    "has another platform": {
      answers: () => ({ pull: "no matching manifest for linux/amd64 in the manifest list entries" }),
      code: "image_architecture_mismatch",
    },
    "serves another image": { answers: () => ({ otherDigest: true }), code: "image_digest_mismatch" },
    "declares 33 volumes": {
      answers: () => ({ volumes: maxVolumes + 1 }),
      code: "image_volumes_exceeded",
      details: { volumes: 33, most: 32 },
    },
    "cannot be started": {
      answers: () => ({ create: () => "invalid mount config" }),
      code: "container_start_failed",
    },
    ends: {
      answers: () => exit(7),
      code: "container_exited",
      details: { exitCode: 7, starts: 1, log: "last words" },
    },
    "needs more memory": { answers: () => exit(137, true), code: "out_of_memory" },
  };
  for (const [what, { answers, code, details }] of Object.entries(ofNode)) {
    it(`say ${code} of a workspace whose image or registry ${what}`, async () => {
      const name = code.replaceAll("_", "-");
      const { id } = await publish(name, answers());
      const { reason, at } = await shown(id, code);
      note(code, engine.knownAt.get(name), at);
      if (details !== undefined) expect(reason.details).to.deep.include(details);
    });
  }

  it("say that the container starts, and then what its health path answers", async () => {
    const { id } = await publish("unhealthy", { port: port() });
    const verified = await seenAt(
      "the image on the node",
      "select from chain.progress where workspace_id = $1 and milestone = 'verified'",
      [id],
    );
    note("container_starting", verified, (await shown(id, "container_starting")).at);
    const { reason, at } = await shown(id, "health_failing");
    expect(reason.details).to.include({ status: 503, answer: "loading", path: "/healthz" });
    // A container that has not been healthy yet has some seconds to become so.
    note("health_failing", answeredAt, at);
  });

  it("say that the configuration cannot be used", async () => {
    const { id } = await publish("UPPER CASE", {});
    const assigned = await seenAt("the lease", "select from chain.assignment where workspace_id = $1", [id]);
    note("config_invalid", assigned, (await shown(id, "config_invalid")).at);
  });

  it("say that the market places the replica, and that its image downloads", async () => {
    const ends = Promise.withResolvers<void>();
    const { id } = await publish("slow", { pullEnds: ends.promise });
    const exported = await seenAt("the workspace", "select from chain.workspace where workspace_id = $1", [
      id,
    ]);
    const first = await eventually("a reason", async () => (await show(id)).reason ?? undefined);
    note(first.code, exported, performance.now());
    const assigned = await seenAt("the lease", "select from chain.assignment where workspace_id = $1", [id]);
    note("image_downloading", assigned, (await shown(id, "image_downloading")).at);
    ends.resolve();
  });

  it("say that no node fits, and that the workspace is closed", async () => {
    const { id } = await publish("huge", {}, { ...none, cpuMilli: 900_000 });
    const answered = await seenAt(
      "the answer",
      "select from app.placement where workspace_id = $1 and status <> 'requested'",
      [id],
    );
    note("no_node_fits", answered, (await shown(id, "no_node_fits")).at);
    await test.chain.close(id);
    const closed = await seenAt(
      "its end",
      "select from chain.workspace where workspace_id = $1 and status = 'closed'",
      [id],
    );
    note("closed", closed, (await shown(id, "closed")).at);
  });

  it("say that a card was lost while the image was on its way", async () => {
    const ends = Promise.withResolvers<void>();
    const { id } = await publish("lost-card", { pullEnds: ends.promise }, { ...none, gpus: 1 });
    await shown(id, "image_downloading");
    writeFileSync(join(dir, "cards"), "No devices were found\n");
    const health = async () =>
      (await (await fetch(nodeUrl)).json()) as { details?: { gpus: unknown[] }; gpus?: unknown[] };
    await eventually(
      "the node sees that it is lost",
      async () => {
        const read = await health();
        return (read.details ?? read).gpus?.length === 0;
      },
      60_000,
    );
    const known = performance.now();
    ends.resolve();
    note("gpu_lost", known, (await shown(id, "gpu_lost")).at);
  });

  it("say that the node is lost", async () => {
    const ends = Promise.withResolvers<void>();
    const { id } = await publish("orphan", { pullEnds: ends.promise });
    await shown(id, "image_downloading");
    process.kill(node.pid, "SIGKILL");
    const absent = await seenAt("the absence", "select from app.absence", []);
    note("node_lost", absent, (await shown(id, "node_lost")).at);
    ends.resolve();
  });

  it("are measured for each class", () => {
    const widest = Math.max(...times.map(([code]) => code.length));
    for (const [code, milliseconds] of times)
      process.stdout.write(`      ${code.padEnd(widest)} ${String(milliseconds).padStart(6)} ms\n`);
    // A machine whose firewall cannot be set up: test/docker/reasons.test.ts.
    const elsewhere = "isolation_unavailable";
    const seen = new Set(times.map(([code]) => code));
    const missing = Object.entries(reasons).flatMap(([code, { source }]) =>
      source === "node" && !seen.has(code) && code !== elsewhere ? [code] : [],
    );
    expect(missing).to.deep.equal([]);
  });
});
