import type { Queryable } from "@ngpu/db/pool";
import { requestIdIn } from "@ngpu/runtime/http";
import type { Logger } from "@ngpu/runtime/logger";
import type { Request, RequestHandler, Response } from "express";
import { partnerIn } from "./access.ts";
import { type AuditEntry, insertAuditEnd, insertAuditEntry } from "./store/audit.ts";

/** Characters of a client's own texts that are kept. */
const keptLength = 200;

/**
 * Records what is done with a key in the account's audit log: before the work, so that nothing is done without an entry, and its
 * end. Refusals for a role or scope are recorded, too.
 */
export const auditOf =
  (db: Queryable, logger: Logger, action: string): RequestHandler =>
  async (request, response, next) => {
    const partner = partnerIn(response);
    if (partner === undefined) return next();
    const { wallet: account, member, keyId } = partner;
    const id = await insertAuditEntry(db, {
      ...callerOf(request, response),
      account,
      member,
      keyId,
      action,
      subject: keptOf(Object.values(request.params).flat().join("/")),
    });
    response.once("close", () => {
      // 499: the client disconnected before the response was sent.
      const status = response.writableFinished ? response.statusCode : 499;
      const made = response.locals.made as string | undefined;
      insertAuditEnd(db, id, { status, made }).catch((error: unknown) =>
        logger.warn({ event: "audit_end_not_recorded", entryId: id, status, error }),
      );
    });
    next();
  };

/** Where a request comes from. */
export function callerOf(
  request: Request,
  response: Response,
): Pick<AuditEntry, "requestId" | "address" | "userAgent"> {
  return {
    requestId: requestIdIn(response),
    address: request.ip,
    userAgent: keptOf(request.get("user-agent") ?? ""),
  };
}

/** A client's text as it can be stored: Postgres has no text with a zero byte. Undefined: an empty one. */
const keptOf = (text: string) => text.slice(0, keptLength).replaceAll("\0", "\ufffd") || undefined;
