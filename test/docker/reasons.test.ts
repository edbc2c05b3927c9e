import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { parseNodeReason } from "@ngpu/protocol/reasons/nodeReason";
import { expect } from "chai";
import Docker from "dockerode";
import { generatePrivateKey } from "viem/accounts";
import type { Publication } from "../../node-client/plans.ts";
import { encode } from "./node/agent.ts";
import { assignment, openRegistry, removeMarket } from "./node/market.ts";

type Reported = { code: string | null; details: Record<string, unknown>; count: number };

const node = "/usr/local/bin/node";
const docker = new Docker();
const running = (script: string) => ({ command: [node, "-e", script] });

describe("why a container does not run on a real engine", function () {
  this.timeout(180_000);
  let registry: Awaited<ReturnType<typeof openRegistry>>;
  let market: string;
  let dir: string;

  before(async () => {
    registry = await openRegistry();
  });
  after(() => registry.stop());
  beforeEach(() => {
    market = randomBytes(4).toString("hex");
    dir = mkdtempSync(join(tmpdir(), "ngpu-reasons-"));
  });
  afterEach(async () => {
    await removeMarket(market);
    rmSync(dir, { recursive: true });
  });

  /** Runs a node with one lease until it has reported a code. */
  const reported = async (
    publication: Publication,
    awaits: string | null,
    env = process.env,
  ): Promise<Reported[]> => {
    const order = {
      awaits,
      dir,
      market,
      key: generatePrivateKey(),
      publication,
      assignments: [assignment({})],
      killAt: 0,
      secondsSinceContact: 0,
    };
    const path = join(import.meta.dirname, "node/agent.ts");
    const child = spawn(process.execPath, [path, encode(order)], { env, stdio: ["ignore", "pipe", "pipe"] });
    const [out, errors] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
    if (out === "") throw new Error(errors);
    return (JSON.parse(out) as { reasons: Reported[] }).reasons;
  };
  const first = async (publication: Publication, awaits: string): Promise<Reported> => {
    const [reason] = await reported(publication, awaits);
    if (reason === undefined) throw new Error("Nothing was reported.");
    expect(parseNodeReason(String(reason.code), reason.details)).not.to.have.property("invalid");
    return reason;
  };

  it("says the exit code and the last lines of both streams", async () => {
    const script =
      "for (let n = 0; n < 60; n++) console.log('line ' + n); setTimeout(() => { console.error('no model'); process.exit(7) }, 500)";
    const { code, details, count } = await first(
      registry.publicationOf("chat", { config: running(script) }),
      "container_exited",
    );
    expect([code, details.exitCode, details.starts, count]).to.deep.equal(["container_exited", 7, 1, 1]);
    const lines = String(details.log).split("\n");
    expect(lines).to.have.length(50);
    expect(lines).to.include.members(["line 59", "no model"]);
  });

  it("says that the container used too much memory", async () => {
    const script = "console.log('loading'); const all = []; for (;;) all.push(Buffer.alloc(1 << 25, 1))";
    const { code, details } = await first(
      registry.publicationOf("chat", { config: running(script) }),
      "out_of_memory",
    );
    expect([code, details.exitCode, details.memoryMib]).to.deep.equal(["out_of_memory", 137, 256]);
  });

  it("says that the registry has no such image", async () => {
    const known = registry.publicationOf("chat");
    const spec = { ...known.spec, image: `0x${"cd".repeat(32)}` as const };
    const { code, details } = await first({ ...known, spec }, "image_not_found");
    expect(code).to.equal("image_not_found");
    expect(details.image).to.include(`@sha256:${"cd".repeat(32)}`);
    expect(details.message).to.match(/unknown/);
  });

  it("says that the command does not exist", async () => {
    const { code, details } = await first(
      registry.publicationOf("chat", { config: { command: ["/no/such"] } }),
      "container_start_failed",
    );
    expect([code, details.exitCode]).to.deep.equal(["container_start_failed", 127]);
    expect(details.message).to.include("/no/such");
  });

  it("says that the node's firewall cannot be set up, and starts nothing", async () => {
    const restore = join(dir, "iptables-restore");
    writeFileSync(restore, "#!/bin/sh\necho the table is read-only >&2; exit 3\n");
    chmodSync(restore, 0o755);
    const env = { ...process.env, PATH: `${dir}:${process.env.PATH}` };
    const [reason] = await reported(registry.publicationOf("chat"), "isolation_unavailable", env);
    expect(reason?.code).to.equal("isolation_unavailable");
    expect(reason?.details.message).to.include("the table is read-only");
    const filters = { label: [`ngpu.market=${market}`] };
    const containers = await docker.listContainers({ all: true, filters });
    expect(containers.map(({ State }) => State)).to.deep.equal(["created"]);
  });

  it("says what the health path answers, and that it runs once that is 2xx", async () => {
    const script = `const started = Date.now();
      require("node:http").createServer((request, response) => {
        response.writeHead(Date.now() - started > 10000 ? 200 : 503).end("loading the model");
      }).listen(8080)`;
    const reasons = await reported(registry.publicationOf("chat", { config: running(script) }), null);
    expect(reasons.map(({ code }) => code)).to.deep.equal(["health_failing", null]);
    expect(reasons[0]?.details).to.include({
      path: "/healthz",
      port: 8080,
      status: 503,
      answer: "loading the model",
    });
  });
});
