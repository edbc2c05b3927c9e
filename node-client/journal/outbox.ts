import { type RelayKind, type RelayMessage, relayKinds } from "@ngpu/protocol/relayKinds";
import { toJson } from "@ngpu/runtime/json";
import type { Hex } from "viem";
import { atomically, type Journal } from "./open.ts";

export type OutboxStatus = "waiting" | "queued" | "confirmed" | "refused" | "expired";

/** A signed message. Its bytes never change. */
export type OutboxItem<Kind extends RelayKind = RelayKind> = {
  id: string;
  kind: Kind;
  message: RelayMessage<Kind>;
  signature: Hex;
  /** The subject: a fenced lease, a slot, a round, or the kind itself. */
  subject: string;
  status: OutboxStatus;
  reason: string | undefined;
  /** Milliseconds. */
  createdAt: number;
  settledAt: number | undefined;
};

const open = "status in ('waiting', 'queued')";

/** Stores a signed message, before it is sent. */
export function putOutbox<Kind extends RelayKind>(
  journal: Journal,
  item: Pick<OutboxItem<Kind>, "id" | "kind" | "message" | "signature" | "subject"> & {
    deadline: bigint;
    now: number;
  },
): void {
  journal
    .prepare(
      `insert into outbox (id, kind, message, signature, subject, status, deadline, created_at)
       values (?, ?, ?, ?, ?, 'waiting', ?, ?) on conflict do nothing`,
    )
    .run(item.id, item.kind, toJson(item.message), item.signature, item.subject, item.deadline, item.now);
}

/** Records the result of a message. The result of a settled message does not change. */
export function settleOutbox(
  journal: Journal,
  id: string,
  result: { status: OutboxStatus; reason: string | undefined; now: number },
): void {
  journal
    .prepare(`update outbox set status = ?, reason = ?, settled_at = ? where id = ? and ${open}`)
    .run(result.status, result.reason ?? null, result.now, id);
}

/** Marks messages past their deadline as expired, and deletes those settled more than a day ago. */
export function expireOutbox(journal: Journal, now: number): void {
  journal
    .prepare(`update outbox set status = 'expired', settled_at = ? where ${open} and deadline < ?`)
    .run(now, Math.floor(now / 1000));
  journal.prepare(`delete from outbox where not ${open} and settled_at < ?`).run(now - 86_400_000);
}

/** The unsettled messages, in the order they were signed. */
export function openOutbox(journal: Journal): OutboxItem[] {
  return journal.prepare(`select * from outbox where ${open} order by created_at, rowid`).all().map(itemOf);
}

/** The last message of a kind for each subject. */
export function lastBySubject<Kind extends RelayKind>(
  journal: Journal,
  kind: Kind,
): Map<string, OutboxItem<Kind>> {
  const rows = journal.prepare("select * from outbox where kind = ? order by created_at, rowid").all(kind);
  return new Map(rows.map((row) => [String(row.subject), itemOf(row) as OutboxItem<Kind>]));
}

/** Allocates the next sequence number of a lease's reports, above the chain's. No number is returned twice. */
export function takeSequence(journal: Journal, lease: string, onChain: number): number {
  return atomically(journal, () => {
    const last = Number(journal.prepare("select last from sequence where lease = ?").get(lease)?.last ?? 0);
    const next = Math.max(last, onChain) + 1;
    journal
      .prepare("insert into sequence values (?, ?) on conflict (lease) do update set last = excluded.last")
      .run(lease, next);
    return next;
  });
}

function itemOf(row: Record<string, unknown>): OutboxItem {
  const kind = String(row.kind) as RelayKind;
  return {
    id: String(row.id),
    kind,
    message: relayKinds[kind].message.parse(JSON.parse(String(row.message))),
    signature: String(row.signature) as Hex,
    subject: String(row.subject),
    status: String(row.status) as OutboxStatus,
    reason: row.reason === null ? undefined : String(row.reason),
    createdAt: Number(row.created_at),
    settledAt: row.settled_at === null ? undefined : Number(row.settled_at),
  };
}
