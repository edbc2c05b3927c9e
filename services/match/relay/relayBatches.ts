import { startLoop } from "@ngpu/runtime/loop";
import type { Session } from "../sessions/session.ts";
import * as store from "./relayBatchStore.ts";
import { checkRelay, type RelayRequest } from "./relayCheck.ts";
import { type DeliveryOptions, deliver } from "./relayDelivery.ts";
import { relayExcess } from "./relayLimits.ts";

/**
 * Delay in which messages are collected for one transaction, ms. It is short after a pause, so that the first message
 * reaches the next block.
 */
const firstDelayMs = 30;
const nextDelayMs = 300;

export type RelayOptions = DeliveryOptions & { instance: string };

export type Relay = {
  /** Checks a session's message, queues it, and responds over the session: now, and again when the message is settled. */
  submit(session: Session, request: RelayRequest): Promise<void>;
  /** Call when another instance queued or settled messages. */
  wake(): void;
};

/** Sessions that wait for the outcome of a queued message, by its row. */
type Waiting = Map<bigint, { session: Session; id: string }[]>;

/** Relays signed messages to the chain in concurrent batches, each of one kind. */
export function startRelay(options: RelayOptions): Relay {
  const { context, pool } = options;
  const { logger, signal } = context;
  const waiting: Waiting = new Map();
  let restarted = true;
  const loop = startLoop({ name: "relay", logger, signal, interval: 2_000 }, async () => {
    const resumed = await store.takeOver(pool, options.instance, restarted);
    restarted = false;
    const batches = [...resumed, ...(await store.claimBatches(pool, options.instance))];
    // Not awaited: the next batch does not wait for the receipt of this one. deliver() does not throw.
    for (const batch of batches) void deliver(options, batch).then(loop.wake);
    await notifySettled(options, waiting);
  });
  const wake = coalesced(loop.wake);
  return {
    wake,
    async submit(session, request) {
      if (await queue(options, waiting, session, request)) wake();
    },
  };
}

/** Queues a message and responds to its session. @returns whether the message is still to be settled */
async function queue(
  { pool, deployment }: RelayOptions,
  waiting: Waiting,
  session: Session,
  request: RelayRequest,
): Promise<boolean> {
  const checked = await checkRelay(deployment, session, request);
  if ("reason" in checked) {
    session.send({ type: "relayed", id: request.id, status: "refused", reason: checked.reason });
    return false;
  }
  const row = await store.putRelay(pool, checked);
  if (row === undefined) {
    const reason = relayExcess(request.kind);
    session.send({ type: "relayed", id: request.id, status: "refused", reason });
    return false;
  }
  respond(session, request.id, row);
  if (row.status === "confirmed" || row.status === "refused") return false;
  waiting.set(row.id, [
    ...(waiting.get(row.id) ?? []).filter((one) => one.session.key !== session.key),
    { session, id: request.id },
  ]);
  return true;
}

async function notifySettled({ pool }: RelayOptions, waiting: Waiting): Promise<void> {
  for (const row of await store.settledRelays(pool, [...waiting.keys()])) {
    for (const { session, id } of waiting.get(row.id) ?? []) respond(session, id, row);
    waiting.delete(row.id);
  }
}

/** Combines the calls within the delay into one call of `wake`. */
function coalesced(wake: () => void): () => void {
  let flushScheduled = false;
  let lastFlushAt = 0;
  return () => {
    if (flushScheduled) return;
    flushScheduled = true;
    const wait = performance.now() - lastFlushAt > nextDelayMs ? firstDelayMs : nextDelayMs;
    setTimeout(() => {
      flushScheduled = false;
      lastFlushAt = performance.now();
      wake();
    }, wait).unref();
  };
}

function respond(session: Session, id: string, row: store.RelayOutcome): void {
  const isSettled = row.status === "confirmed" || row.status === "refused";
  session.send({
    type: "relayed",
    id,
    status: row.status === "sent" ? "queued" : row.status,
    ...(isSettled && row.tx_hash !== null ? { txHash: row.tx_hash } : {}),
    ...(row.reason !== null ? { reason: row.reason } : {}),
  });
}
