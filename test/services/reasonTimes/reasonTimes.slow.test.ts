import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { reasons } from "@ngpu/protocol/reasons/reasons";
import { expect } from "chai";
import { parseEther } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { firstCheck } from "../../../node-client/actions.ts";
import { healthPauses } from "../../../node-client/decideRun.ts";
import { logDeadline } from "../../../node-client/docker/logs.ts";
import { maxVolumes } from "../../../node-client/docker/volumes.ts";
import { pause } from "../../../node-client/reasons/reasonReporter.ts";
import { roundInterval } from "../../../node-client/reconcile.ts";
import { absenceSeconds } from "../../../services/apiServer/store/reasons.ts";
import { retry } from "../../../services/match/sessions/reasonReports.ts";
import { type Said, startFakeEngine } from "../../support/fakeEngine.ts";
import { putFirewall } from "../../support/fakeFirewall.ts";
import type { Client } from "../apiServer/client.ts";
import { partnerKey, setupMatch, type TestMatch } from "../match/setup.ts";
import { eventually } from "../support/context.ts";
import { type Programs, startPrograms } from "./programs.ts";

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
  let failing: Server;
  let answeredAt: number | undefined;
  let engine: Awaited<ReturnType<typeof startFakeEngine>>;
  let test: TestMatch;
  let partner: Client;
  let programs: Programs;
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
    programs = await startPrograms(test, { dir, matchUrl: match.url });
    partner = await programs.signIn(privateKeyToAccount(partnerKey));
  });
  after(async () => {
    await programs.stop();
    await test.stop();
    engine.stop();
    failing.close();
    rmSync(dir, { recursive: true });
  });

  /** Publishes a workspace whose image the engine answers with `answers`. */
  async function publish(name: string, answers: Said, resources = none, expiresAt = 0) {
    said.set(name, answers);
    published += 1;
    const image = `0x${published.toString(16).padStart(64, "0")}` as const;
    return test.chain.publish(
      { image, resources, expiresAt, graceSeconds: 60 },
      undefined,
      1,
      `127.0.0.1:9/${name}`,
    );
  }
  const show = async (id: bigint, owner = partner) =>
    (await owner.get<Workspace>(`/v1/workspaces/${id}`)).body;
  /** Waits for a reason in the API. @returns it, and when it was seen. */
  const shown = async (id: bigint, code: string, owner = partner) => {
    const reason = await eventually(
      `${code} of workspace ${id}`,
      async () => {
        const { replicaList, reason: whole } = await show(id, owner);
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

  const refusedAt = (id: bigint) =>
    seenAt(
      "the refusal",
      "select from app.placement where workspace_id = $1 and status = 'refused' and refusal is not null",
      [id],
    );

  it("reach it within 5 s by their intervals: an event is pushed, and these pass at most without one", () => {
    const intervals = {
      "the node looks at its engine and leases": roundInterval,
      "a lease reports at most one new reason": pause.change,
      "the engine sends the container's output": logDeadline,
      "match looks for the lease again": retry.everyMs,
    };
    const ofHealth = {
      ...intervals,
      // A failing check is repeated by a timer, not at the next look.
      "the node looks at its engine and leases": 0,
      "the node checks the health path again": healthPauses.startPause + firstCheck.withinMs,
    };
    for (const passing of [intervals, ofHealth]) {
      const sum = Object.values(passing).reduce((all, one) => all + one, 0);
      expect(sum, JSON.stringify(passing)).to.be.at.most(bound);
    }
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

  it("say that the chain refuses an assignment", async () => {
    const { id } = await publish("refused", {}, { ...none, cpuMilli: 900_000 });
    await shown(id, "no_node_fits");
    // As an instance of match answers that has read an older state of the node.
    await test.db.query(
      `update app.placement set status = 'answered', node_id = (select min(node_id) from chain.node)
       where workspace_id = $1 and status = 'impossible'`,
      [id],
    );
    const refused = await refusedAt(id);
    const event = await eventually("the event", async () => {
      const { body } = await partner.get<{ events: Reason[] }>(`/v1/workspaces/${id}/events?limit=200`);
      return body.events.find(({ code }) => code === "assignment_refused");
    });
    note("assignment_refused", refused, performance.now());
    expect(event.details.refusal).to.match(/^NodeCapacityExceeded/);
  });

  it("say that the authorization or the deposit does not pay for a replica", async () => {
    const cases = {
      authorization_ended: { deposit: parseEther("1"), total: 0n, refusal: /^AuthorizationSpent/ },
      balance_too_low: { deposit: 0n, total: parseEther("1"), refusal: /^EscrowBalanceTooLow/ },
    };
    for (const [code, { refusal, ...means }] of Object.entries(cases)) {
      const owner = await test.chain.createOwner(means);
      const { id } = await owner.publish({ resources: none });
      const client = await programs.signIn(owner.account);
      const refused = await refusedAt(id);
      const { reason, at } = await shown(id, code, client);
      note(code, refused, at);
      expect(reason.details.refusal).to.match(refusal);
    }
  });

  it("say that the workspace has expired", async () => {
    const { timestamp } = await test.market.client.getBlock();
    const expiresAt = Math.max(Number(timestamp), Math.floor(Date.now() / 1_000)) + 5;
    const ends = Promise.withResolvers<void>();
    const { id } = await publish("expiring", { pullEnds: ends.promise }, none, expiresAt);
    const { at } = await shown(id, "expired");
    note("expired", at - (Date.now() - expiresAt * 1_000), at);
    ends.resolve();
  });

  it("say that the owner has stopped the workspace, and that the market replaces the replica", async () => {
    const ends = Promise.withResolvers<void>();
    const { id } = await publish("ordered", { pullEnds: ends.promise });
    await shown(id, "image_downloading");
    const held = async () => {
      const { rows } = await test.db.query<{ lease: number }>(
        "select max(lease)::int as lease from chain.assignment where workspace_id = $1",
        [id],
      );
      return { workspaceId: id, replica: 0, lease: rows[0]?.lease ?? 0 };
    };
    await test.chain.setStopped(id, true, [await held()]);
    note("stopped", performance.now(), (await shown(id, "stopped")).at);
    await test.chain.setStopped(id, false, [await held()]);
    await shown(id, "image_downloading");
    await test.chain.requestDelete(await held());
    note("replica_replaced", performance.now(), (await shown(id, "replica_replaced")).at);
    ends.resolve();
  });

  it("say that a card was lost while the image was on its way", async () => {
    const ends = Promise.withResolvers<void>();
    const { id } = await publish("lost-card", { pullEnds: ends.promise }, { ...none, gpus: 1 });
    await shown(id, "image_downloading");
    writeFileSync(join(dir, "cards"), "No devices were found\n");
    const health = async () =>
      (await (await fetch(programs.nodeUrl)).json()) as { details?: { gpus: unknown[] }; gpus?: unknown[] };
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
    process.kill(programs.node.pid, "SIGKILL");
    const absent = await seenAt("the absence", "select from app.absence", []);
    note("node_lost", absent, (await shown(id, "node_lost")).at);
    ends.resolve();
  });

  it("are measured for each class", () => {
    const widest = Math.max(...times.map(([code]) => code.length));
    for (const [code, milliseconds] of times)
      process.stdout.write(`      ${code.padEnd(widest)} ${String(milliseconds).padStart(6)} ms\n`);
    // A machine whose firewall cannot be set up: test/docker/reasons.test.ts. A lock is spent after a term of rest:
    // test/services/apiServer/reasons.test.ts. Secrets of a container: test/docker/secrets.test.ts.
    const elsewhere = ["isolation_unavailable", "lock_spent", "secret_missing", "secrets_unavailable"];
    const seen = new Set(times.map(([code]) => code));
    const missing = Object.keys(reasons).filter((code) => !seen.has(code) && !elsewhere.includes(code));
    expect(missing).to.deep.equal([]);
  });
});
