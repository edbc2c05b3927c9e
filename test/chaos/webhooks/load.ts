import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { translateDatabaseError } from "@ngpu/db/pool";
import { createWebhookSecrets } from "@ngpu/protocol/webhooks";
import { isRetryable } from "@ngpu/runtime/errors";
import type { TestBed } from "./testBed.ts";

/** Accounts with two endpoints each, and one more with an endpoint that never answers. */
export const wallets = 10;
export const perWallet = 2;
const walletOf = (number: number) => `0x${String(number).padStart(40, "0")}`;
const deadWallet = walletOf(0);

/** Creates accounts and their endpoints. */
export async function createEndpoints({ db }: TestBed, receiverUrl: string, key: string): Promise<void> {
  const { newestKeyId } = createWebhookSecrets([key]);
  const add = async (wallet: string, name: string) => {
    const id = randomUUID();
    await db.query(
      "insert into app.webhook_endpoint (id, wallet, url, description) values ($1, $2, $3, '')",
      [id, wallet, `${receiverUrl}/${name}`],
    );
    await db.query("insert into app.webhook_secret (endpoint_id, version, key_id) values ($1, 1, $2)", [
      id,
      newestKeyId,
    ]);
  };
  for (let number = 0; number <= wallets; number++) {
    const wallet = walletOf(number);
    await db.query("insert into app.account (wallet) values ($1)", [wallet]);
    await db.query("insert into app.webhook_audience (wallet, until) values ($1, 'infinity')", [wallet]);
    if (wallet === deadWallet) await add(wallet, "dead");
    else for (let n = 0; n < perWallet; n++) await add(wallet, `${number}-${n}`);
  }
}

/** The deliveries that must arrive: endpoint and task. */
export type Expected = string[];

const batch = 100;

/** Ends tasks until there are `deliveries`, as apiServer does: an end whose commit was not confirmed is tried again. */
export async function endTasks(
  testBed: TestBed,
  options: {
    deliveries: number;
    /** Whether more may be created after so many. */
    isRoom: (created: number) => boolean;
    signal: AbortSignal;
    onEnd: (created: number) => void;
  },
): Promise<Expected> {
  const expected: Expected = [];
  for (let number = 1; expected.length < options.deliveries; number = (number % wallets) + 1) {
    const count = Math.min(batch, Math.ceil((options.deliveries - expected.length) / perWallet));
    const ids = Array.from({ length: count }, () => randomUUID());
    await until(options.signal, () => insertTasks(testBed, ids, walletOf(number)));
    await until(options.signal, () => finish(testBed, ids));
    for (let n = 0; n < perWallet; n++) expected.push(...ids.map((id) => `/${number}-${n} ${id}`));
    if (number === 1) await endDeadTask(testBed, options.signal);
    options.onEnd(expected.length);
    while (!options.isRoom(expected.length)) await delay(20, undefined, { signal: options.signal });
  }
  return expected;
}

async function endDeadTask(testBed: TestBed, signal: AbortSignal): Promise<void> {
  const ids = [randomUUID()];
  await until(signal, () => insertTasks(testBed, ids, deadWallet));
  await until(signal, () => finish(testBed, ids));
}

const insertTasks = ({ db }: TestBed, ids: readonly string[], wallet: string) =>
  db.query(
    `insert into app.task (id, wallet, key_id, workspace_id, kind, method, path, runner)
     select id, $2, 'chaos', 1, 'task', 'POST', '/', 0 from unnest($1::uuid[]) as id on conflict do nothing`,
    [ids, wallet],
  );

const finish = ({ db }: TestBed, ids: readonly string[]) =>
  db.query(
    `update app.task set status = 'succeeded', finished_at = now(), duration_ms = 1
     where id = any($1) and status in ('queued', 'running')`,
    [ids],
  );

/** Does work again while Postgres is away. */
async function until(signal: AbortSignal, work: () => Promise<unknown>): Promise<void> {
  for (;;) {
    try {
      await work();
      return;
    } catch (error) {
      if (!isRetryable(translateDatabaseError(error))) throw error;
      await delay(100, undefined, { signal });
    }
  }
}
