import { type Connection, type Database, type Queryable, transaction } from "@ngpu/db/pool";
import type { WebhookEventType } from "@ngpu/protocol/webhooks";

export type WebhookRow = {
  id: string;
  url: string;
  description: string;
  events: WebhookEventType[] | null;
  created_at: Date;
  disabled_at: Date | null;
  disabled_reason: "partner" | "gone" | "failing" | null;
  failing_since: Date | null;
};

const columns = "id, url, description, events, created_at, disabled_at, disabled_reason, failing_since";

export type NewWebhook = {
  id: string;
  wallet: string;
  url: string;
  description: string;
  events: readonly string[] | null;
  keyId: string;
};

/** Stores an endpoint with the first version of its secret. Undefined when the wallet has `most` of them. */
export function insertWebhook(
  db: Database,
  webhook: NewWebhook,
  most: number,
): Promise<WebhookRow | undefined> {
  return transaction(db, async (connection) => {
    await lockAudience(connection, webhook.wallet);
    const { rows } = await connection.query<WebhookRow>(
      `insert into app.webhook_endpoint (id, wallet, url, description, events)
       select $1, $2, $3, $4, $5 where (select count(*) from app.webhook_endpoint where wallet = $2) < $6
       returning ${columns}`,
      [webhook.id, webhook.wallet, webhook.url, webhook.description, webhook.events, most],
    );
    if (rows[0] === undefined) return undefined;
    await connection.query(
      "insert into app.webhook_secret (endpoint_id, version, key_id) values ($1, 1, $2)",
      [webhook.id, webhook.keyId],
    );
    await connection.query("update app.webhook_audience set until = 'infinity' where wallet = $1", [
      webhook.wallet,
    ]);
    return rows[0];
  });
}

/** One request at a time changes the endpoints of a wallet. */
async function lockAudience(db: Connection, wallet: string): Promise<void> {
  await db.query(
    `insert into app.webhook_audience (wallet, until) values ($1, now())
     on conflict (wallet) do update set until = app.webhook_audience.until`,
    [wallet],
  );
}

export async function listWebhooks(db: Queryable, wallet: string): Promise<WebhookRow[]> {
  const { rows } = await db.query<WebhookRow>(
    `select ${columns} from app.webhook_endpoint where wallet = $1 order by created_at, id`,
    [wallet],
  );
  return rows;
}

export async function findWebhook(
  db: Queryable,
  wallet: string,
  id: string,
): Promise<WebhookRow | undefined> {
  const { rows } = await db.query<WebhookRow>(
    `select ${columns} from app.webhook_endpoint where wallet = $1 and id = $2`,
    [wallet, id],
  );
  return rows[0];
}

/** Disables an endpoint, or enables it. Undefined when the wallet has no such endpoint. */
export async function setDisabled(
  db: Queryable,
  of: { wallet: string; id: string },
  isDisabled: boolean,
): Promise<WebhookRow | undefined> {
  const { rows } = await db.query<WebhookRow>(
    `update app.webhook_endpoint set
       disabled_at = case when $3 then coalesce(disabled_at, now()) end,
       disabled_reason = case when $3 then coalesce(disabled_reason, 'partner') end,
       failures = case when $3 then failures else 0 end, failing_since = case when $3 then failing_since end, resume_at = now()
     where wallet = $1 and id = $2 returning ${columns}`,
    [of.wallet, of.id, isDisabled],
  );
  return rows[0];
}

/** Deletes an endpoint with its secrets and deliveries. False when the wallet has no such endpoint. */
export function deleteWebhook(db: Database, wallet: string, id: string): Promise<boolean> {
  return transaction(db, async (connection) => {
    await lockAudience(connection, wallet);
    const { rowCount } = await connection.query(
      "delete from app.webhook_endpoint where wallet = $1 and id = $2",
      [wallet, id],
    );
    await connection.query(
      `update app.webhook_audience set until = now() where wallet = $1 and until = 'infinity'
         and not exists (select from app.webhook_endpoint where wallet = $1)`,
      [wallet],
    );
    return rowCount === 1;
  });
}

/**
 * Adds a version of an endpoint's secret. The one before it signs for the overlap, and earlier ones no longer.
 *
 * @returns Undefined when the wallet has no such endpoint.
 */
export function rotateSecret(
  db: Database,
  of: { wallet: string; id: string; overlapSeconds: number; keyId: string },
): Promise<{ version: number; replacedUntil: Date } | undefined> {
  return transaction(db, async (connection) => {
    const found = await connection.query(
      "select from app.webhook_endpoint where wallet = $1 and id = $2 for update",
      [of.wallet, of.id],
    );
    if (found.rowCount !== 1) return undefined;
    await connection.query(
      "update app.webhook_secret set expires_at = least(expires_at, now()) where endpoint_id = $1 and expires_at is not null",
      [of.id],
    );
    const replaced = await connection.query<{ expires_at: Date }>(
      `update app.webhook_secret set expires_at = now() + make_interval(secs => $2)
       where endpoint_id = $1 and expires_at is null returning expires_at`,
      [of.id, of.overlapSeconds],
    );
    const { rows } = await connection.query<{ version: number }>(
      `insert into app.webhook_secret (endpoint_id, version, key_id)
       select $1, max(version) + 1, $2 from app.webhook_secret where endpoint_id = $1 returning version`,
      [of.id, of.keyId],
    );
    const { version = 1 } = rows[0] ?? {};
    return { version, replacedUntil: replaced.rows[0]?.expires_at ?? new Date() };
  });
}

/** Records the events of a wallet for `minutes`, because it reads them. */
export async function keepAudience(db: Queryable, wallet: string, minutes: number): Promise<void> {
  await db.query(
    `insert into app.webhook_audience as audience (wallet, until) values ($1, now() + make_interval(mins => $2))
     on conflict (wallet) do update set until = excluded.until
     where audience.until < now() + make_interval(mins => $2) / 2`,
    [wallet, minutes],
  );
}
