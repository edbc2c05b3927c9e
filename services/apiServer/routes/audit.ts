import type { ApiDeps } from "../deps.ts";
import { type Endpoint, endpoint } from "../endpoint.ts";
import { nextAfter } from "../paging.ts";
import { auditAnswer, auditPage } from "../schemas/members.ts";
import { listAudit } from "../store/audit.ts";

export function auditRoutes({ db }: ApiDeps): Endpoint[] {
  const log = endpoint(
    {
      method: "get",
      path: "/v1/audit",
      tag: "Accounts",
      summary: "List who did what, newest first",
      description:
        "Sign-ins, and every call that changes something or tries to, with its key, its member and the address that it came from; refused ones, too. Tasks are in GET /v1/tasks. No entry is changed or deleted.",
      access: "partner",
      query: auditPage,
      answer: auditAnswer,
    },
    async ({ partner, query }) => {
      const { limit, after, since, member, keyId } = query;
      const rows = await listAudit(db, partner.wallet, { limit, after, since, member, keyId });
      return {
        entries: rows.map((row) => ({
          id: row.id,
          at: row.at.toISOString(),
          member: row.member,
          keyId: row.key_id,
          action: row.action,
          subject: row.subject,
          status: row.status,
          made: row.made,
          requestId: row.request_id,
          address: row.address,
          userAgent: row.user_agent,
        })),
        next: nextAfter(rows, limit, ({ id }) => id),
      };
    },
  );
  return [log];
}
