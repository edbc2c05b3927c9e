import { startLoop } from "@ngpu/runtime/loop";
import type { Session } from "../sessions/session.ts";
import * as store from "./relayBatchStore.ts";
import { checkRelay, type RelayRequest } from "./relayCheck.ts";
import { type DeliveryOptions, deliver } from "./relayDelivery.ts";

/** How long messages are gathered into one transaction, in ms: not long for the first after a pause, since it may make the next block. */
const batchDelayMs = { first: 30, more: 300 };

export type RelayOptions = DeliveryOptions & { instance: string };

export type Relay = {
  /** Checks a session's message, queues it and answers over the session, now and when the chain has spoken. */
  submit(session: Session, request: RelayRequest): Promise<void>;
  /** Something was queued or settled elsewhere. */
  wake(): void;
};

/** Who waits for the end of a queued message, by its row. */
type Waiting = Map<bigint, { session: Session; id: string }[]>;

/** Brings signed messages to the chain in batches, each kind its own, without waiting for one another. */
export function startRelay(options: RelayOptions): Relay {
  const { context, pool } = options;
  const { logger, signal } = context;
  const waiting: Waiting = new Map();
  let restarted = true;
  const loop = startLoop({ name: "relay", logger, signal, interval: 2_000 }, async () => {
    const resumed = await store.takeOver(pool, options.instance, restarted);
    restarted = false;
    const batches = [...resumed, ...(await store.claimBatches(pool, options.instance))];
    // Not awaited: the next batch need not wait for the receipt of this one. Nothing throws out of it.
    for (const batch of batches) void deliver(options, batch).then(loop.wake);
    await tellSettled(options, waiting);
  });
  const wake = gathered(loop.wake);
  return {
    wake,
    async submit(session, request) {
      if (await queue(options, waiting, session, request)) wake();
    },
  };
}

/** Queues a message and answers its session. @returns Whether the chain has yet to speak. */
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
  answer(session, request.id, row);
  if (row.status === "confirmed" || row.status === "refused") return false;
  waiting.set(row.id, [
    ...(waiting.get(row.id) ?? []).filter((one) => one.session.key !== session.key),
    { session, id: request.id },
  ]);
  return true;
}

async function tellSettled({ pool }: RelayOptions, waiting: Waiting): Promise<void> {
  for (const row of await store.settledRelays(pool, [...waiting.keys()])) {
    for (const { session, id } of waiting.get(row.id) ?? []) answer(session, id, row);
    waiting.delete(row.id);
  }
}

/** `wake` once for all calls within a while. */
function gathered(wake: () => void): () => void {
  let flushScheduled = false;
  let lastFlushAt = 0;
  return () => {
    if (flushScheduled) return;
    flushScheduled = true;
    const wait = Date.now() - lastFlushAt > batchDelayMs.more ? batchDelayMs.first : batchDelayMs.more;
    setTimeout(() => {
      flushScheduled = false;
      lastFlushAt = Date.now();
      wake();
    }, wait).unref();
  };
}

function answer(session: Session, id: string, row: store.RelayOutcome): void {
  const over = row.status === "confirmed" || row.status === "refused";
  session.send({
    type: "relayed",
    id,
    status: row.status === "confirmed" || row.status === "refused" ? row.status : "queued",
    ...(over && row.tx_hash !== null ? { txHash: row.tx_hash } : {}),
    ...(row.reason !== null ? { reason: row.reason } : {}),
  });
}
