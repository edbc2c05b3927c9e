import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Verdict } from "../../../scripts/chaos/subject.ts";
import { bundleClient } from "../../../scripts/client/bundle.ts";
import { openRegistry } from "../../docker/node/market.ts";
import { setupMatch, type TestMatch } from "../../services/match/setup.ts";
import { eventually } from "../../services/support/context.ts";
import { rootDir, stopParts } from "../../support/parts.ts";
import { programEnv } from "../../support/programEnv.ts";
import { drawsOf } from "../match/random.ts";
import { startClient } from "./client.ts";
import { startEngine, type TrialEngine } from "./engine.ts";
import type { TrialLine } from "./index.ts";
import { containersOf, doublesIn, readEnds, readHistory } from "./judge.ts";
import {
  type Facts,
  factsOf,
  lastOrder,
  neverAccepted,
  nextOrder,
  noOrders,
  type OrderCounts,
  send,
  type Workspace,
} from "./leases.ts";
import { serveNetwork, startTunnels } from "./services.ts";

/** A program: one trial, see index.ts. Its argument is the number of kills, the seed and the minutes. */

type Counts = Record<"engineRestarts" | "fullDisks" | "tunnelCuts" | "doubles" | "crashes", number>;

type Scene = {
  orders: OrderCounts;
  test: TestMatch;
  engine: TrialEngine;
  client: ReturnType<typeof startClient>;
  cutTunnels: () => void;
  market: string;
  nodeId: number;
  steady: Workspace;
  changing: Workspace[];
  counts: Counts;
  /** The client may end by itself: its engine or its disk cannot be used. */
  setDisturbed: (isDisturbed: boolean) => void;
};

type TrialOrder = { kills: number; seed: number; minutes?: number };

const print = (line: TrialLine) => {
  const plain = (_name: string, value: unknown) => (typeof value === "bigint" ? String(value) : value);
  process.stdout.write(`${JSON.stringify(line, plain)}\n`);
};

const order = JSON.parse(process.argv[2] ?? "{}") as TrialOrder;
const stops: (() => Promise<void> | void)[] = [];
const stopAll = async () => {
  for (const stop of stops.splice(0).reverse()) await Promise.resolve(stop()).catch(() => undefined);
  await stopParts();
};
process.once("SIGTERM", () => void stopAll().finally(() => process.exit(1)));
try {
  print({ verdict: await tryOut(order) });
} finally {
  await stopAll();
}
process.exit();

async function tryOut({ kills, seed, minutes }: TrialOrder): Promise<Verdict> {
  const scene = await prepare();
  const draws = drawsOf(seed);
  const end = performance.now() + 60_000 * (minutes ?? Number.POSITIVE_INFINITY);
  let done = 0;
  for (; done < kills && performance.now() < end; done += 1) {
    const doing = await disturb(scene, draws.next(), drawsOf(seed ^ (done * 7_919)));
    // Half of the kills hit the first steps after a start.
    const steps = 1 + draws.below(draws.next() < 0.5 ? 12 : 60);
    // Most kills come soon; some leave the time that an order takes.
    await scene.client.killAfter(steps, 8_000 * draws.next() ** 3);
    print({ done: done + 1, doing });
  }
  print({ done, doing: "waiting for all workspaces" });
  return conclude(scene, done, await settle(scene));
}

/** Starts the market and the node, and waits until all three workspaces run. */
async function prepare(): Promise<Scene> {
  process.env.TEST_LOG_LEVEL ??= "warn";
  const engine = await startEngine();
  stops.push(engine.stop);
  // A stopped workspace keeps its lease: its lock pays for it however long the trial takes.
  const test = await setupMatch({ minSeconds: 3_600 });
  stops.push(test.stop);
  // A node that is killed again and again is not lost.
  const match = await test.startMatch("match-a", { LOSS_SECONDS: "3600" });
  const tunnels = await startTunnels(test);
  stops.push(tunnels.stop);
  const registry = await openRegistry();
  stops.push(registry.stop);
  const { deployment, rpcUrl } = test.market;
  const network = await serveNetwork({
    chainId: deployment.chainId,
    rpcUrls: [rpcUrl],
    deployment,
    matchUrls: [match.url],
    gatewayUrls: [tunnels.url],
  });
  stops.push(network.stop);
  const counts = { engineRestarts: 0, fullDisks: 0, tunnelCuts: 0, doubles: 0, crashes: 0 };
  let isDisturbed = false;
  const program = join(engine.dir, "ngpu-node.mjs");
  const bundles = await bundleClient(rootDir);
  writeFileSync(program, bundles["client.mjs"]);
  writeFileSync(join(engine.dir, "keystore.mjs"), bundles["keystore.mjs"]);
  const client = startClient({
    program,
    env: clientEnv({ api: network.url, engine }),
    onExit: (lines) => {
      if (isDisturbed) return;
      counts.crashes += 1;
      process.stderr.write(`The client ended by itself:\n${lines.join("\n")}\n`);
    },
  });
  stops.push(client.stop);
  const nodeId = await eventually(
    "the node is registered",
    async () =>
      (await test.db.query<{ id: number }>("select node_id::int as id from chain.node")).rows[0]?.id,
    120_000,
  );
  const image = registry.referenceOf("chat");
  const publish = () =>
    test.chain.publish(
      {
        image: `0x${image.split("sha256:")[1]}`,
        resources: { gpus: 0, cpuMilli: 250, memoryMib: 256, diskGib: 0, ports: 1 },
      },
      undefined,
      1,
      image.split("@")[0],
    );
  const [steady, ...changing] = [await publish(), await publish(), await publish()];
  const scene: Scene = {
    test,
    engine,
    client,
    cutTunnels: tunnels.cut,
    market: deployment.contracts.ComputeNode.slice(2, 10).toLowerCase(),
    nodeId,
    steady: steady as Workspace,
    changing,
    counts,
    orders: noOrders(),
    setDisturbed: (value) => {
      isDisturbed = value;
    },
  };
  const lost = await settle(scene);
  if (lost.length > 0) {
    throw new Error(`The workspaces do not run: ${[...lost, ...client.failures()].join("\n")}`);
  }
  return scene;
}

function clientEnv({ api, engine }: { api: string; engine: TrialEngine }): Record<string, string> {
  return {
    ...programEnv(),
    NGPU_API: api,
    NODE_DIR: join(engine.dir, "node"),
    NODE_DOCKER_SOCKET: engine.socket,
    NODE_HOST: "127.0.0.1",
    NODE_PRICE: "10",
    NODE_LIMIT_GPUS: "0",
    NODE_LIMIT_MEMORY_MIB: "2048",
    NODE_PREFETCH_GIB: "0",
    HOST: "127.0.0.1",
    PORT: "0",
    LOG_LEVEL: "debug",
  };
}

/** Changes something beside the kill: an order of a partner, the engine, the disk or the tunnels. @returns what it was */
async function disturb(scene: Scene, draw: number, own: ReturnType<typeof drawsOf>): Promise<string> {
  const { test, engine, client, counts } = scene;
  const containers = await containersOf(engine.docker, scene.market);
  const doubles = doublesIn(containers);
  counts.doubles += doubles;
  if (doubles > 0) process.stderr.write(`Two containers of a workspace: ${containers.join("; ")}\n`);
  if (draw < 0.4) {
    const workspace = scene.changing[own.below(scene.changing.length)] as Workspace;
    const facts = await factsOf(test, workspace);
    const next = nextOrder(facts, own);
    if (next === undefined) return `workspace ${workspace.id} is being deleted`;
    await send(test, { workspace, nodeId: scene.nodeId, counts: scene.orders }, next, facts.lease);
    return `${next} of workspace ${workspace.id}`;
  }
  if (draw < 0.5) {
    scene.cutTunnels();
    counts.tunnelCuts += 1;
    return "the tunnels are cut";
  }
  if (draw < 0.53) {
    scene.setDisturbed(true);
    await engine.restart(own.next() < 0.5 ? "kill" : "stop");
    counts.engineRestarts += 1;
    await delay(2_000);
    scene.setDisturbed(false);
    return "the engine was restarted";
  }
  if (draw < 0.58) {
    scene.setDisturbed(true);
    engine.fillDisk();
    await client.killAfter(1 + own.below(20), 2_000);
    engine.freeDisk();
    await delay(500);
    scene.setDisturbed(false);
    counts.fullDisks += 1;
    return "the disk was full";
  }
  return "killed";
}

/** Orders every workspace to run and waits until the containers are those of the leases. @returns what differs after 180 s */
async function settle(scene: Scene): Promise<string[]> {
  const { test, engine, nodeId, market, orders: counts } = scene;
  const workspaces = [scene.steady, ...scene.changing];
  const differences = async () => {
    const found = await Promise.all(workspaces.map((workspace) => factsOf(test, workspace)));
    for (const [index, workspace] of workspaces.entries()) {
      const facts = found[index] as Facts;
      const next = lastOrder(facts);
      if (next !== undefined) await send(test, { workspace, nodeId, counts }, next, facts.lease);
    }
    const wanted = found.map(({ lease }, index) =>
      lease === undefined
        ? `workspace ${workspaces[index]?.id} has no lease`
        : `${lease.workspaceId}/${lease.replica}/${lease.lease} ${lease.desired} ${lease.state}`,
    );
    const present = (await containersOf(engine.docker, market)).map(
      ([lease, state]) => `${lease} run ${state}`,
    );
    return [
      ...wanted.filter((one) => !present.includes(one)).map((one) => `only on the chain: ${one}`),
      ...present.filter((one) => !wanted.includes(one)).map((one) => `only on the engine: ${one}`),
    ];
  };
  try {
    await eventually(
      "the containers are those of the leases",
      async () => (await differences()).length === 0,
      180_000,
    );
    return [];
  } catch {
    return differences();
  }
}

async function conclude(
  { test, steady, counts, orders }: Scene,
  kills: number,
  lost: string[],
): Promise<Verdict> {
  const history = await readHistory(test, steady);
  const refused = neverAccepted(orders);
  const broken =
    lost.length +
    refused.length +
    counts.doubles +
    counts.crashes +
    history.unordered +
    history.steadyFailed +
    (history.steadyLeases - 1);
  if (broken > 0)
    process.stderr.write(`What happened to the leases:\n${(await readEnds(test)).join("\n")}\n`);
  const rows: [string, string | number][] = [
    ["kills", kills],
    ["leases", history.leases],
    ...Object.entries(orders).map(([name, { accepted, refused: outdated }]): [string, string] => {
      return [`orders to ${name}`, `${accepted}, refused ${outdated}`];
    }),
    ["engine restarts", counts.engineRestarts],
    ["full disks", counts.fullDisks],
    ["tunnel cuts", counts.tunnelCuts],
    ["leases and containers that differ", lost.length === 0 ? 0 : lost.join("; ")],
    ["orders that were always refused", refused.length === 0 ? 0 : refused.join("; ")],
    ["workspaces with two containers", counts.doubles],
    ["leases ended without an order", history.unordered],
    ["failures of the steady workspace", history.steadyFailed],
    ["failures of the others", history.failed - history.steadyFailed],
    ["times the client ended by itself", counts.crashes],
  ];
  return {
    ok: broken === 0,
    figures: { kills, lost, orders, refused, ...counts, ...history },
    text: [
      broken === 0 ? "All conditions hold." : "A condition is violated.",
      ...rows.map(([name, value]) => `${name.padEnd(36)}${value}`),
    ].join("\n"),
  };
}
