import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect } from "chai";
import Docker from "dockerode";
import { generatePrivateKey } from "viem/accounts";
import { seccompProfile } from "../../node-client/docker/seccomp.ts";
import { type AgentOrder, encode } from "./node/agent.ts";
import { assignment, engineRecord, openRegistry, removeMarket } from "./node/market.ts";

type Outcome = {
  steps: number;
  running: [string, number][];
  messages: { kind: string; message: { state: number } }[];
};

const docker = new Docker();

describe("a node on a real engine", function () {
  this.timeout(180_000);
  let registry: Awaited<ReturnType<typeof openRegistry>>;
  let market: string;
  let order: AgentOrder;

  before(async () => {
    registry = await openRegistry();
  });
  after(() => registry.stop());
  beforeEach(() => {
    market = randomBytes(4).toString("hex");
    order = {
      dir: mkdtempSync(join(tmpdir(), "ngpu-node-")),
      market,
      key: generatePrivateKey(),
      publication: registry.publicationOf("chat"),
      assignments: [assignment({})],
      killAt: 0,
      secondsSinceContact: 0,
    };
  });
  afterEach(async () => {
    await removeMarket(market);
    rmSync(order.dir, { recursive: true });
  });

  const containers = () =>
    docker.listContainers({ all: true, filters: { label: [`ngpu.market=${market}`] } });

  it("starts the container of a lease once, however often the client is killed meanwhile", async () => {
    const since = Date.now();
    const kills = await killAtEveryStep(order);
    const outcome = await agent(order);
    const record = await engineRecord(market, since);
    expect(kills).to.be.greaterThan(5);
    expect(outcome?.running.map(([lease]) => lease)).to.deep.equal(["1/0/1"]);
    expect(await containers()).to.have.length(1);
    expect([record.create, record.start, record.die]).to.deep.equal([1, 1, undefined]);
    // A `ready` report before depends on how long the kills took.
    expect(reportsOf(outcome).filter((state) => state !== "ready")).to.deep.equal(["running"]);
    expect(reportsOf(outcome)).to.have.length.below(3);
  });

  it("removes the container of an ended lease, however often the client is killed meanwhile", async () => {
    await agent(order);
    const ended = { ...order, assignments: [assignment({ ended: true })] };
    await killAtEveryStep(ended);
    const outcome = await agent(ended);
    expect(outcome?.running).to.deep.equal([]);
    expect(await containers()).to.deep.equal([]);
  });

  it("treats the same lease number on another fork as another lease", async () => {
    await agent(order);
    const [before] = await containers();
    await agent({ ...order, assignments: [assignment({ fence: "0xbbbbbbbbbbbbbbbb" })] });
    const after = await containers();
    expect(after).to.have.length(1);
    expect(after[0]?.Id).not.to.equal(before?.Id);
    expect(after[0]?.Labels["ngpu.fence"]).to.equal("0xbbbbbbbbbbbbbbbb");
  });

  it("stops an exclusive lease without contact for its grace period, and starts it again after contact", async () => {
    const exclusive = {
      ...order,
      publication: registry.publicationOf("chat", { policy: 1, graceSeconds: 30 }),
    };
    await agent(exclusive);
    const away = await agent({ ...exclusive, secondsSinceContact: 31 });
    const [stopped] = await containers();
    const back = await agent(exclusive);
    expect(away?.running).to.deep.equal([]);
    expect(stopped?.State).to.equal("exited");
    expect(back?.running.map(([lease]) => lease)).to.deep.equal(["1/0/1"]);
  });

  it("restarts a crashing container a few times, then reports it as failed", async () => {
    const command = ["/usr/local/bin/node", "-e", "process.exit(7)"];
    const publication = registry.publicationOf("chat", { config: { command } });
    const outcome = await agentUntil({ ...order, publication }, (reports) => reports.includes("failed"));
    const [container] = await containers();
    expect(container?.State).to.equal("exited");
    expect(outcome.filter((state) => state === "failed")).to.have.length(1);
  });

  it("gives the container no privileges and only the resources of its lease", async () => {
    await agent(order);
    const [listed] = await containers();
    const { HostConfig, Config } = await docker.getContainer(listed?.Id ?? "").inspect();
    expect(HostConfig).to.include({
      Privileged: false,
      ReadonlyRootfs: true,
      Memory: 256 * 2 ** 20,
      MemorySwap: 256 * 2 ** 20,
      NanoCpus: 1_000_000_000,
      PidsLimit: 512,
      Init: true,
    });
    expect(HostConfig.CapDrop).to.deep.equal(["ALL"]);
    expect(HostConfig.SecurityOpt).to.deep.equal(["no-new-privileges", `seccomp=${seccompProfile}`]);
    expect(HostConfig.RestartPolicy?.Name).to.equal("no");
    expect(HostConfig.PortBindings["8080/tcp"][0].HostIp).to.equal("127.0.0.1");
    expect(Config.User).to.equal("65534:65534");
  });
});

/** Runs the agent repeatedly and kills it one step later each time, until a run ends. @returns The number of kills. */
async function killAtEveryStep(order: AgentOrder): Promise<number> {
  for (let kills = 0; ; kills += 1) {
    if ((await agent({ ...order, killAt: kills + 1 })) !== undefined) return kills;
    if (kills > 40) throw new Error("the agent makes no progress");
  }
}

/** Runs the agent once; undefined when it was killed. */
async function agent(order: AgentOrder): Promise<Outcome | undefined> {
  const path = join(import.meta.dirname, "node/agent.ts");
  const child = spawn(process.execPath, [path, encode(order)], { stdio: ["ignore", "pipe", "pipe"] });
  const [out, errors, [, signal]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "exit"),
  ]);
  if (signal === "SIGKILL") return undefined;
  if (out === "") throw new Error(errors);
  return JSON.parse(out) as Outcome;
}

async function agentUntil(order: AgentOrder, done: (reports: string[]) => boolean): Promise<string[]> {
  for (let runs = 0; runs < 20; runs += 1) {
    const reports = reportsOf(await agent(order));
    if (done(reports)) return reports;
  }
  throw new Error("the agent never reported it");
}

function reportsOf(outcome: Outcome | undefined): string[] {
  const names = ["none", "assigned", "ready", "running", "stopped", "failed"];
  return (outcome?.messages ?? [])
    .filter(({ kind }) => kind === "report")
    .map(({ message }) => names[message.state] ?? "?");
}
