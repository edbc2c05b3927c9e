import type { AbiName } from "@ngpu/contracts-sdk/abis";
import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import type { Database } from "@ngpu/db/pool";
import { PackingError } from "@ngpu/protocol/packedReports";
import { relayKinds } from "@ngpu/protocol/relayKinds";
import { relayArgs, relayGroups } from "@ngpu/protocol/signedMessages";
import { FatalError } from "@ngpu/runtime/errors";
import type { ServiceContext } from "@ngpu/runtime/lifecycle";
import { rest } from "@ngpu/runtime/loop";
import type { Sender, SendRequest } from "@ngpu/tx-sender/send";
import type { SendResult } from "@ngpu/tx-sender/sendOutcome";
import type { Address } from "viem";
import type { MatchMetrics } from "../metrics.ts";
import * as store from "./relayBatchStore.ts";

export type DeliveryOptions = {
  context: ServiceContext;
  pool: Database;
  deployment: Deployment;
  sender: Sender;
  metrics: MatchMetrics;
};

/**
 * Sends a batch, with retries, until it is settled. After a crash it is sent again under the same dedupe key. Does not
 * throw.
 */
export async function deliver(options: DeliveryOptions, items: store.RelayItem[]): Promise<void> {
  const { logger, signal } = options.context;
  for (let pause = 500; !signal.aborted; pause = Math.min(15_000, pause * 2)) {
    try {
      await deliverOnce(options, items);
      return;
    } catch (error) {
      if (signal.aborted) return;
      logger.warn({ event: "relay_delayed", kind: items[0]?.kind, items: items.length, pause, error });
    }
    await rest(pause, signal);
  }
}

async function deliverOnce(options: DeliveryOptions, items: store.RelayItem[]): Promise<void> {
  const { pool, deployment } = options;
  const [first] = items;
  if (first === undefined) return;
  await store.renewClaim(pool, first.batch);
  const readable = await setUnreadableAside(options, first.kind, items);
  for (const [at, group] of relayGroups(deployment, first.kind, readable)) {
    await deliverTo(options, at, first, group);
  }
}

/**
 * Refuses the messages that this version cannot read, such as those that another version queued. @returns the others
 */
async function setUnreadableAside(
  { pool, metrics, context }: DeliveryOptions,
  kind: store.RelayItem["kind"],
  items: store.RelayItem[],
): Promise<store.RelayItem[]> {
  const { message } = relayKinds[kind];
  const { true: readable = [], false: unreadable = [] } = Object.groupBy(items, (item) =>
    String(message.safeParse(item.message).success),
  );
  if (unreadable.length === 0) return readable;
  const settled = unreadable.map(({ id }) => ({ id, reason: "the message cannot be read" }));
  await store.settleBatch(pool, settled, null);
  metrics.relayed.inc({ kind, outcome: "refused" }, unreadable.length);
  for (const { id } of unreadable) context.logger.error({ event: "relay_unreadable", relay: id, kind });
  return readable;
}

async function deliverTo(
  options: DeliveryOptions,
  at: Address,
  first: store.RelayItem,
  items: store.RelayItem[],
): Promise<void> {
  const { pool, sender, metrics, context } = options;
  const { contract, functionName } = relayKinds[first.kind];
  const request = () => ({
    kind: `relay.${first.kind}`,
    contract,
    at,
    functionName,
    args: relayArgs(first.kind, items),
    // With the address: a contract may be replaced between a crash and the next attempt.
    dedupeKey: `relay:${first.batch}:${at}`,
  });
  let sent: SendResult<AbiName>;
  try {
    // A kind chosen at run time has no literal type of its own; relayKinds pairs function and message.
    sent = await sender.send(request() as unknown as SendRequest<AbiName, never>);
  } catch (error) {
    if (error instanceof PackingError) return rejectBatch(pool, items, error.message);
    if (!(error instanceof FatalError)) throw error;
    if (error.code === "transaction_too_large") return rejectBatch(pool, items, error.message);
    if (error.code !== "transaction_reverted") throw error;
    return rejectBatch(pool, items, String(error.details.text));
  }
  const refused = new Map(sent.refusals.map(({ index, error }) => [index, error.text]));
  const settled = items.map(({ id }, index) => ({ id, reason: refused.get(index) ?? null }));
  await store.settleBatch(pool, settled, sent.hash);
  metrics.relayed.inc({ kind: first.kind, outcome: "confirmed" }, items.length - refused.size);
  metrics.relayed.inc({ kind: first.kind, outcome: "refused" }, refused.size);
  for (const [index, reason] of refused) {
    context.logger.info({ event: "relay_refused", relay: items[index]?.id, kind: first.kind, reason });
  }
}

async function rejectBatch(pool: Database, items: store.RelayItem[], reason: string): Promise<void> {
  const ids = items.map((item) => item.id);
  if (ids.length > 1) return store.requeueUnbatched(pool, ids);
  await store.settleBatch(
    pool,
    ids.map((id) => ({ id, reason })),
    null,
  );
}
