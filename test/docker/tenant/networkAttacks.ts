import { createLogger } from "@ngpu/runtime/logger";
import { expect } from "chai";
import { ensureNetwork } from "../../../node-client/docker/containers.ts";
import type { Engine } from "../../../node-client/docker/engine.ts";
import { containerShell } from "../../../node-client/walls/hostShell.ts";
import { createWalls, type Walls } from "../../../node-client/walls/walls.ts";
import {
  forbidden,
  type Machine,
  metadata6,
  multicast,
  ownAddress,
  publicAddress,
  resolver,
} from "./machine.ts";
import { reaches, startTenant, type Tenant } from "./tenants.ts";

const logger = createLogger("test", "silent");
const limits = { connections: 40, newConnections: 1_000, packets: 500, kibibytes: 2_048 };

/** Attacks over the network. Each first succeeds without the walls. */
export function networkAttacks(machineOf: () => Machine): void {
  let machine: Machine;
  let engine: Engine;
  let walls: Walls;
  let tenant: Tenant;
  let other: Tenant;
  let hostLines: string[];
  /** The machine's address on the tenants' network. */
  let at: string;

  before(async () => {
    machine = machineOf();
    ({ engine } = machine);
    [tenant, other] = [await startTenant(engine), await startTenant(engine)];
    at = await gatewayOf(machine);
    hostLines = await machine.serve({
      tcp: [["0.0.0.0", 7_000]],
      udp: [],
      multicast: { ...multicast, at },
    });
    // The control: every attack succeeds before the walls are up.
    const open = await reaches(tenant, [...Object.values(forbidden), resolver, publicAddress], 80, 9_999);
    expect(new Set(open)).to.deep.equal(new Set(["open"]));
    expect(await reaches(tenant, [at, ownAddress], 7_000)).to.deep.equal(["open", "open"]);
    walls = createWalls({ engine, shell: machine.shell, logger, limits });
    await walls.ensure(await ensureNetwork(engine));
  });
  after(async () => {
    for (const { end } of [tenant, other]) await end();
  });

  const closedOnce = once(() => reaches(tenant, Object.values(forbidden), 80, 9_999));
  Object.entries(forbidden).forEach(([name, address], index) => {
    it(`does not lead to ${name}, ${address}`, async () => {
      const answers = await closedOnce();
      expect(answers.slice(2 * index, 2 * index + 2)).to.deep.equal(["closed", "closed"]);
    });
  });

  it("does not lead to metadata over IPv6, nor to any IPv6 address", async () => {
    const script = `done({
      answers: await Promise.all(["${metadata6}", "fe80::1", "::ffff:169.254.169.254"].map((one) => tcp(one, 80))),
      addresses: Object.values(require("node:os").networkInterfaces()).flat().filter(({ family }) => family === "IPv6").length,
    });`;
    const { answers, addresses } = (await tenant.attack(script)) as { answers: string[]; addresses: number };
    expect(answers).not.to.include("open");
    expect(addresses).to.equal(0);
    const rules = machine.inside("ip6tables-save", "-t", "mangle");
    expect(rules)
      .to.match(/^-A PREROUTING -i br-\w+ -j NGPU-SENT$/m)
      .and.to.match(/^-A NGPU-SENT -j DROP$/m);
  });

  it("does not lead to the machine itself, at none of its addresses", async () => {
    const answers = await reaches(tenant, [at, ownAddress, "172.17.0.1"], 7_000);
    expect(answers).to.deep.equal(["closed", "closed", "closed"]);
    await tenant.attack(`const socket = createSocket("udp4");
      socket.send("x", ${multicast.port}, "${multicast.group}", () => setTimeout(done, 300, "sent"));`);
    expect(hostLines).not.to.include("multicast");
  });

  it("does not lead to another tenant, at its address or at its port of the machine", async () => {
    expect(await reaches(tenant, [other.address], 8_080)).to.deep.equal(["closed"]);
    const answers = await reaches(tenant, [at, ownAddress, "127.0.0.1"], other.hostPort);
    expect(answers).to.deep.equal(["closed", "closed", "ECONNREFUSED"]);
  });

  it("leads to the internet", async () => {
    expect(await reaches(tenant, [publicAddress], 80, 9_999)).to.deep.equal(["open", "open"]);
  });

  it("resolves names with the machine's resolver, of which nothing else is reached", async () => {
    const script = `done(await require("node:dns/promises").lookup("example.com", { family: 4 }));`;
    expect(await tenant.attack(script)).to.deep.include({ address: publicAddress });
    expect(await reaches(tenant, [resolver], 80, 9_999)).to.deep.equal(["closed", "closed"]);
  });

  it("lets the machine reach the tenant's port", () => {
    expect(machine.get(tenant.hostPort)).to.equal("served");
  });

  it("closes again after another program removed the firewall's rules, and counts it", async () => {
    const { repairs } = walls.status();
    for (const flush of [
      ["iptables", "--table", "mangle", "--flush"],
      ["iptables", "--table", "mangle", "--delete", ...jumpOf(machine)],
      ["iptables", "--table", "mangle", "--insert", "NGPU-SENT", "--jump", "RETURN"],
      ["iptables", "--table", "mangle", "--insert", "PREROUTING", "--jump", "ACCEPT"],
      ["ip6tables", "--table", "mangle", "--flush"],
    ]) {
      machine.inside(...flush);
      await walls.check();
    }
    expect(walls.status()).to.deep.include({ state: "up", repairs: repairs + 5, failure: null });
    await walls.check();
    expect(walls.status().repairs).to.equal(repairs + 5);
    expect(await reaches(tenant, [forbidden["the cloud's metadata"]])).to.deep.equal(["closed"]);
    expect(await reaches(tenant, [publicAddress])).to.deep.equal(["open"]);
  });

  it("stays closed when the engine's own rules are removed and made again", async () => {
    machine.inside("iptables", "--flush");
    machine.inside("iptables", "--policy", "FORWARD", "ACCEPT");
    expect(await reaches(tenant, [forbidden["a router of the operator"], at])).to.deep.equal([
      "closed",
      "closed",
    ]);
  });

  it("has no more open connections than its lease", async () => {
    const script = `
      const sockets = await Promise.all(Array.from({ length: 3 * ${limits.connections} }, () => new Promise((resolve) => {
        const socket = connect({ host: "${publicAddress}", port: 80, timeout: 1500 });
        socket.once("connect", () => resolve(1));
        socket.once("error", () => resolve(0));
        socket.once("timeout", () => { socket.destroy(); resolve(0); });
      })));
      done(sockets.reduce((sum, one) => sum + one));`;
    const opened = (await tenant.attack(script)) as number;
    expect(opened).to.be.within(1, limits.connections);
    // Those of other leases are not counted.
    expect(await reaches(other, [publicAddress])).to.deep.equal(["open"]);
  });

  it("sends and receives no more than its lease", async () => {
    // TCP echoes what is sent: more than the burst and some seconds' worth never arrives in time.
    const seconds = 2;
    const script = `
      const socket = connect(80, "${publicAddress}");
      let received = 0;
      socket.on("data", (part) => { received += part.length; });
      socket.on("error", () => undefined);
      const part = Buffer.alloc(65536);
      const send = () => { while (socket.write(part)); socket.once("drain", send); };
      socket.once("connect", send);
      setTimeout(() => done(received), ${seconds * 1_000});`;
    const received = (await tenant.attack(script)) as number;
    const most = (2 + seconds + 1) * limits.kibibytes * 1_024;
    expect(received).to.be.within(1, most);
    const { echoed, took } = (await tenant.attack(flood)) as { echoed: number; took: number };
    expect(echoed).to.be.within(1, Math.min(floodPackets - 1, (1 + took / 1_000) * limits.packets));
    expect(await reaches(other, [publicAddress])).to.deep.equal(["open"]);
  });

  it("is closed by a client that may use the engine only, through a container", async () => {
    machine.inside("iptables", "--table", "mangle", "--flush");
    const throughEngine = createWalls({ engine, shell: containerShell(engine), logger });
    await throughEngine.ensure(await ensureNetwork(engine));
    expect(throughEngine.status()).to.deep.include({ state: "up", failure: null });
    expect(await reaches(tenant, [forbidden["the cloud's metadata"]])).to.deep.equal(["closed"]);
    const containers = await machine.docker.listContainers({ all: true, filters: { label: ["ngpu.walls"] } });
    expect(containers).to.deep.equal([]);
  });
}

/** UDP packets of a flood, far more than a lease may send in the time that it takes. */
const floodPackets = 40 * limits.packets;

const flood = `
  const socket = createSocket("udp4");
  let [sent, echoed] = [0, 0];
  socket.on("message", () => { echoed += 1; });
  socket.on("error", () => undefined);
  const started = Date.now();
  const next = () => {
    for (let i = 0; i < 200; i += 1, sent += 1) socket.send("x", 9999, "${publicAddress}");
    if (sent < ${floodPackets}) setImmediate(next);
    else setTimeout(() => done({ echoed, took: Date.now() - started }), 300);
  };
  next();`;

/** The result of the first call, for every call. */
function once<T>(work: () => Promise<T>): () => Promise<T> {
  let first: Promise<T> | undefined;
  return () => (first ??= work());
}

async function gatewayOf({ docker }: Machine): Promise<string> {
  const [network] = await docker.listNetworks({ filters: { name: ["ngpu"] } });
  return network?.IPAM?.Config?.[0]?.Gateway ?? "";
}

/** The arguments of the rule that leads tenants' packets into the walls. */
function jumpOf(machine: Machine): string[] {
  const rules = machine.inside("iptables", "--table", "mangle", "--list-rules", "PREROUTING");
  return (/^-A (PREROUTING .* -j NGPU-SENT)$/m.exec(rules)?.[1] ?? "").split(" ");
}
