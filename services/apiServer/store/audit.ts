import type { Queryable } from "@ngpu/db/pool";

/** Who did what, with which key and from where. */
export type AuditEntry = {
  account: string;
  member: string;
  keyId: string;
  /** Method and pattern of the route. */
  action: string;
  /** What of the path names what is changed. */
  subject: string | undefined;
  requestId: string;
  address: string | undefined;
  userAgent: string | undefined;
};

/** Adds an entry before its work is done. @returns Its id. */
export async function insertAuditEntry(db: Queryable, one: AuditEntry): Promise<string> {
  const { rows } = await db.query<{ id: string }>(
    `insert into app.audit_entry (account, member, key_id, action, subject, request_id, address, user_agent)
     values ($1, $2, $3, $4, $5, $6, $7, $8) returning id::text`,
    [
      one.account,
      one.member,
      one.keyId,
      one.action,
      one.subject ?? null,
      one.requestId,
      one.address ?? null,
      one.userAgent ?? null,
    ],
  );
  return rows[0]?.id as string;
}

/** Adds how the work of an entry ended. @param made Id of what was made. */
export async function insertAuditEnd(
  db: Queryable,
  entryId: string,
  { status, made }: { status: number; made: string | undefined },
): Promise<void> {
  await db.query("insert into app.audit_end (entry_id, status, made) values ($1, $2, $3)", [
    entryId,
    status,
    made ?? null,
  ]);
}

export type AuditRow = {
  id: string;
  at: Date;
  member: string;
  key_id: string;
  action: string;
  subject: string | null;
  /** HTTP status; null: it has not ended, or the server stopped before its end was stored. */
  status: number | null;
  made: string | null;
  request_id: string;
  address: string | null;
  user_agent: string | null;
};

/** Entries of an account, newest first; only those before `after`. */
export async function listAudit(
  db: Queryable,
  account: string,
  filter: {
    limit: number;
    after: string | undefined;
    since: string | undefined;
    member: string | undefined;
    keyId: string | undefined;
  },
): Promise<AuditRow[]> {
  const { rows } = await db.query<AuditRow>(
    `select id::text, entry.at, member, key_id, action, subject, status, made, request_id, address, user_agent
     from app.audit_entry as entry left join app.audit_end on entry_id = id
     where account = $1 and ($3::bigint is null or id < $3::bigint) and ($4::timestamptz is null or entry.at >= $4::timestamptz)
       and ($5::text is null or member = $5) and ($6::text is null or key_id = $6)
     order by entry.id desc limit $2`,
    [
      account,
      filter.limit,
      filter.after ?? null,
      filter.since ?? null,
      filter.member ?? null,
      filter.keyId ?? null,
    ],
  );
  return rows;
}
