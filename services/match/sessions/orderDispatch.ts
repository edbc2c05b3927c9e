import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import type { Database } from "@ngpu/db/pool";
import { InputError } from "@ngpu/runtime/errors";
import type { ServiceContext } from "@ngpu/runtime/lifecycle";
import { type Loop, startLoop } from "@ngpu/runtime/loop";
import type { Hex } from "viem";
import * as orders from "../measurement/measureOrders.ts";
import { pendingPrefetchOrders } from "../prefetch/store.ts";
import { createWaveOrders } from "../waves/waveOrders.ts";
import type { Session, SessionMessage } from "./session.ts";
import type { Sessions } from "./sessions.ts";

export type OrderDispatchOptions = {
  context: ServiceContext;
  pool: Database;
  deployment: Deployment;
  sessions: Sessions;
  probeImage: string;
};

/**
 * Delivers orders to the nodes and measurers with a session on this instance: probes and measurements of rounds, waves, and
 * images to prefetch. The leaders that create orders may be other instances; the orders are read from Postgres. Each order is sent once
 * per session, so again after a reconnect.
 */
export function startOrderDispatch(options: OrderDispatchOptions): Loop {
  const { context, pool, sessions } = options;
  const deliverWaves = createWaveOrders(options);
  const delivered = new WeakMap<Session, Set<string>>();
  const once = (session: Session | undefined, key: string, deliver: (to: Session) => void) => {
    if (session === undefined) return;
    const before = delivered.get(session) ?? new Set();
    delivered.set(session, before);
    if (before.has(key)) return;
    before.add(key);
    deliver(session);
  };
  return startLoop(
    { name: "orderDispatch", logger: context.logger, signal: context.signal, interval: 2_000 },
    async () => {
      // First: a wave's time begins with its block.
      await deliverWaves(once);
      for (const order of await orders.pendingProbeOrders(pool)) {
        const { round_id: roundId, over } = order;
        once(sessions.ofSubject("node", order.node_id), `${over ? "done" : "probe"}:${roundId}`, (node) => {
          if (over) node.send({ type: "probeDone", roundId });
          else sendProbeOrder(options, node, order);
        });
      }
      for (const order of await orders.pendingMeasureOrders(pool)) {
        once(sessions.ofSubject("measurer", order.current_id), `measure:${order.round_id}`, (measurer) =>
          sendMeasureOrder(measurer, order),
        );
      }
      for (const { nodeId, at, ...order } of await pendingPrefetchOrders(pool)) {
        once(sessions.ofSubject("node", nodeId), `prefetch:${order.image}:${at}`, (node) =>
          node.send({ type: "prefetch", ...order, image: order.image as Hex }),
        );
      }
    },
  );
}

function sendProbeOrder(options: OrderDispatchOptions, node: Session, order: orders.ProbeOrder): void {
  node.send({
    type: "probe",
    roundId: order.round_id,
    port: order.port,
    ports: [...new Set([order.port, ...order.ports])],
    token: order.token,
    image: options.probeImage,
    closesAt: order.closes_at,
  });
}

function sendMeasureOrder(measurer: Session, order: orders.MeasureOrder): void {
  measurer.send({
    type: "measure",
    roundId: order.round_id,
    nodeId: order.node_id,
    measurerId: order.measurer_id,
    url: orders.measuredUrl(order),
    awaitProbe: order.url === null,
    draw: order.position,
    port: order.port,
    ...orders.proofOf(order),
    token: order.token,
    closesAt: order.closes_at,
  });
}

type RoundResult = Extract<SessionMessage, { type: "probeReady" | "probeFailed" | "measureFailed" }>;

/**
 * Handles the response of a node or measurer to an order of a round.
 *
 * @throws InputError `message_forbidden`.
 */
export async function handleRoundResult(
  pool: Database,
  session: Session,
  result: RoundResult,
): Promise<void> {
  const expected = result.type === "measureFailed" ? "measurer" : "node";
  if (session.role !== expected || session.subjectId === null) {
    throw new InputError(`A ${session.role} must not send ${result.type}.`, {
      code: "message_forbidden",
      hint: "Update the client, or connect with the role that sends this message.",
    });
  }
  const { subjectId } = session;
  if (result.type === "probeReady") {
    const url = orders.probeUrl(session.host, result.port);
    await orders.markReady(pool, { roundId: result.roundId, nodeId: subjectId, port: result.port, url });
    return;
  }
  const { roundId, reason } = result;
  if (result.type === "probeFailed")
    await orders.markProbeFailed(pool, { roundId, nodeId: subjectId, reason });
  else await orders.markMeasureFailed(pool, { roundId, measurerId: subjectId, reason });
}
