import type { ServerMessage } from "@ngpu/protocol/wire";
import { messageOf } from "@ngpu/runtime/errors";
import type { ServiceContext } from "@ngpu/runtime/lifecycle";
import type { Loop } from "@ngpu/runtime/loop";
import type { Counter } from "prom-client";
import type { MeasurerEnv } from "../env.ts";
import { deadline, type Outbox } from "../outbox.ts";
import type { Session } from "../session.ts";
import { measureRound, type Order } from "./measurementRound.ts";
import type { PreparedMeasurer } from "./prepareMeasurer.ts";
import { readMeasurerId, requestRegistration } from "./registration.ts";
import type { createMeasuredWaves } from "./waves/waves.ts";

/** The parts of a measurement node and their state. */
export type Measurer = PreparedMeasurer & {
  context: ServiceContext;
  env: MeasurerEnv;
  session: Session;
  outbox: Outbox;
  measured: Counter<"outcome">;
  /** 0 until the registration is on the chain. */
  measurerId: number;
  /** Measurements, one at a time: concurrent ones would distort each other. */
  queue: Promise<void>;
  /** Rounds that wait for a node's probe to respond, concurrently. */
  awaiting: Set<Promise<void>>;
  waves: ReturnType<typeof createMeasuredWaves>;
};

/** Handles a message of match. */
export function handleMessage(measurer: Measurer, registration: Loop, message: ServerMessage): void {
  const { outbox } = measurer;
  if (message.type === "welcome") {
    outbox.resend();
    registration.wake();
  } else if (message.type === "relayed") outbox.recordResult(message);
  else if (message.type === "measure") enqueue(measurer, message);
  else if (message.type === "measureWave") measurer.waves.take(message);
}

function enqueue(measurer: Measurer, order: Order): void {
  const { awaiting } = measurer;
  if (!order.awaitProbe) {
    measurer.queue = measurer.queue.then(() => serve(measurer, order));
    return;
  }
  const attempt = serve(measurer, order).finally(() => awaiting.delete(attempt));
  awaiting.add(attempt);
}

/** Measures a node and submits the result. A round that cannot be measured is reported to match. */
async function serve(
  { context, env, network, session, outbox, measured }: Measurer,
  order: Order,
): Promise<void> {
  const { logger, signal } = context;
  const { roundId, measurerId, draw, port, salt, proof } = order;
  if (signal.aborted || order.closesAt * 1000 <= Date.now()) return;
  const started = performance.now();
  try {
    const { measureWindowSeconds } = network.deployment.parameters;
    const result = await measureRound(order, measureWindowSeconds, {
      signal,
      privateAddresses: env.MEASURER_PRIVATE_ADDRESSES,
    });
    const duration = Math.round(performance.now() - started);
    logger.info({ event: "round_measured", roundId, ...result, duration });
    const message = { roundId, measurerId, draw, port, salt, proof, result, deadline: deadline() };
    await outbox.submit("reveal", message, `round ${roundId}`);
    measured.inc({ outcome: result.absent ? "absent" : "measured" });
  } catch (error) {
    if (signal.aborted) return;
    const reason = messageOf(error);
    logger.warn({ event: "round_failed", roundId, nodeId: order.nodeId, reason });
    measured.inc({ outcome: "failed" });
    session.send({ type: "measureFailed", roundId, reason: reason.slice(0, 500) });
  }
}

/** Reads the measurer's id from the chain. Registers it if it has none. */
export async function ensureRegistered(measurer: Measurer): Promise<void> {
  measurer.outbox.resend();
  measurer.measurerId = await readMeasurerId(measurer);
  if (measurer.measurerId === 0) await requestRegistration(measurer);
}
