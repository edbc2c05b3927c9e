import type { ClientMessage } from "@ngpu/protocol/wire";
import { messageOf } from "@ngpu/runtime/errors";
import type { Logger } from "@ngpu/runtime/logger";
import { rest } from "@ngpu/runtime/loop";
import type Docker from "dockerode";
import {
  createContainer,
  inspectOwn,
  removeContainer,
  startContainer,
  stopContainer,
} from "./docker/containers.ts";
import type { Engine } from "./docker/engine.ts";
import { findImage } from "./docker/images.ts";
import { sandbox, userOf } from "./docker/sandbox.ts";
import type { Journal } from "./journal/open.ts";
import { dropProbe, type ProbeOrder, readProbes } from "./journal/probes.ts";
import { pullIfAbsent } from "./probeImage.ts";
import { callerToken } from "./probeToken.ts";

export type RoundDependencies = {
  engine: Engine;
  journal: Journal;
  logger: Logger;
  signal: AbortSignal;
  send: (message: ClientMessage) => boolean;
  /** The market's probe image, the only one that runs for measurements; undefined when the market has none. */
  probeImage: () => string | undefined;
  /** Rounds of this node on the chain, with the Unix time at which each closes. */
  rounds: () => ReadonlyMap<bigint, number>;
};

/** Seconds that the chain may take to show a round after match's order. */
const awaitRound = 30;
const probePort = "8080/tcp";

/**
 * Reconciles the probe containers with the orders in the journal. Level-triggered: a probe is removed once its round has
 * ended, also after a restart of the client.
 *
 * @returns One reconciliation, to be called again and again.
 */
export function createRounds(deps: RoundDependencies) {
  const announced = new Set<bigint>();
  const orderedAt = new Map<bigint, number>();
  return async () => {
    const now = Math.floor(Date.now() / 1000);
    for (const order of readProbes(deps.journal)) {
      if (order.closesAt <= now) dropProbe(deps.journal, order.roundId);
    }
    const orders = readProbes(deps.journal);
    const containers = await inspectOwn(deps.engine, "probe");
    const wanted = new Set(orders.map((order) => String(order.roundId)));
    for (const container of containers) {
      if (!wanted.has(container.Config.Labels["ngpu.probe"] ?? "")) await retire(deps, container);
    }
    for (const order of orders) {
      const firstSeen = orderedAt.get(order.roundId) ?? now;
      orderedAt.set(order.roundId, firstSeen);
      const seen = deps.rounds().has(order.roundId);
      if (!seen && now - firstSeen < awaitRound) continue;
      const rejection = !seen ? "the chain has no such round for this node" : rejectionOf(deps, order);
      if (rejection !== undefined) failProbe(deps, order, rejection);
      else if (!announced.has(order.roundId)) await prepare(deps, order, announced);
    }
  };
}

function rejectionOf({ probeImage }: RoundDependencies, order: ProbeOrder): string | undefined {
  if (order.image !== probeImage()) return "the image is not the market's probe image";
  return order.ports.some((port) => port < 1024) ? "ports below 1024 are not offered" : undefined;
}

async function prepare(deps: RoundDependencies, order: ProbeOrder, announced: Set<bigint>): Promise<void> {
  const { logger, engine } = deps;
  try {
    await pullIfAbsent(engine, order.image, deps.signal);
    const image = await findImage(engine, order.image);
    const id = await createContainer(engine, probeContainer(engine, order, image?.user));
    await startContainer(engine, id);
    for (const port of order.ports) if (!(await becomesHealthy(port, deps.signal))) return;
    if (deps.send({ type: "probeReady", roundId: order.roundId, port: order.port })) {
      announced.add(order.roundId);
      logger.info({ event: "probe_ready", roundId: order.roundId, port: order.port });
    }
  } catch (error) {
    if (!deps.signal.aborted) failProbe(deps, order, messageOf(error));
  }
}

function failProbe({ logger, journal, send }: RoundDependencies, order: ProbeOrder, reason: string): void {
  logger.warn({ event: "probe_failed", roundId: order.roundId, reason });
  dropProbe(journal, order.roundId);
  send({ type: "probeFailed", roundId: order.roundId, reason: reason.slice(0, 500) });
}

async function retire({ engine }: RoundDependencies, container: Docker.ContainerInspectInfo): Promise<void> {
  await stopContainer(engine, container.Id, 1);
  await removeContainer(engine, container.Id);
}

/** @deadline The probe's container to answer a request for its health. It is asked again until the round ends. */
const healthDeadline = 2_000;

/** Milliseconds between questions for the health of a container that has just started, and their number. */
const healthInterval = 100;
const healthTries = 20;

/** The port responds shortly after the container has started. False: the next reconciliation checks again. */
async function becomesHealthy(port: number, signal: AbortSignal): Promise<boolean> {
  for (let tries = 0; tries < healthTries && !signal.aborted; tries += 1) {
    if (await isHealthy(port)) return true;
    await rest(healthInterval, signal);
  }
  return false;
}

async function isHealthy(port: number): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/healthz`, {
      signal: AbortSignal.timeout(healthDeadline),
    });
    await response.body?.cancel();
    return response.ok;
  } catch {
    // Not listening yet.
    return false;
  }
}

function probeContainer(
  engine: Engine,
  order: ProbeOrder,
  user: string | undefined,
): Docker.ContainerCreateOptions {
  return {
    name: `ngpu-${engine.market}-${engine.node.slice(2, 10)}-probe-${order.roundId}`,
    Image: order.image,
    User: userOf(user),
    Env: [`PROBE_TOKEN=${callerToken(order.token)}`, `PROBE_SECRET=${order.token}`, "HOME=/tmp"],
    ExposedPorts: { [probePort]: {} },
    Labels: {
      "ngpu.market": engine.market,
      "ngpu.node": engine.node,
      "ngpu.probe": String(order.roundId),
      "ngpu.expires": String(order.closesAt),
    },
    HostConfig: {
      ...sandbox({ memoryMib: 512, cpuMilli: 1000, pids: 128, tmpMib: 64 }),
      // On all addresses: the round measures whether the ports are reachable from outside.
      PortBindings: {
        [probePort]: order.ports.map((port) => ({ HostIp: "0.0.0.0", HostPort: String(port) })),
      },
      // A volume, not memory: the round measures the disk.
      Mounts: [{ Type: "volume", Target: "/data", Source: "" }],
    },
  };
}
