import { type Database, transaction } from "@ngpu/db/pool";
import { parseNodeReason } from "@ngpu/protocol/reasons/nodeReason";
import { endEvents, recordEvents } from "@ngpu/queries/workspaceEvents";
import type { Logger } from "@ngpu/runtime/logger";
import type { MatchMetrics } from "../metrics.ts";
import type { Session, SessionMessage } from "./session.ts";

type ReasonReport = Extract<SessionMessage, { type: "reason" }>;

/** Reports that a session may send in a window, and the window, ms. Further ones are set aside. */
const reportLimit = { reports: 200, windowMs: 10_000 };
/** A node follows the chain itself, so it may report a lease before this market's database has it. */
export const retry = { everyMs: 500, times: 20 };
/** Reports of one session that wait for their lease. */
const maxWaiting = 64;

/** Why a report is set aside. */
type SetAside = "rate" | "code" | "details" | "lease";

/** Stores why the leases of nodes do not run. A report that is not valid changes nothing and ends no session. */
export function createReasonReports(parts: {
  pool: Database;
  metrics: MatchMetrics;
  logger: Logger;
  signal: AbortSignal;
}): (session: Session, report: ReasonReport) => Promise<void> {
  const { metrics, logger } = parts;
  const budgets = new WeakMap<Session, { from: number; reports: number }>();
  const waiting = new WeakMap<Session, number>();
  const setAside = (session: Session, report: ReasonReport, reason: SetAside, part?: string) => {
    metrics.reasonsSetAside.inc({ reason });
    const ids = { nodeId: session.subjectId, workspaceId: report.workspaceId, replica: report.replica };
    logger.debug({ event: "reason_set_aside", ...ids, lease: report.lease, reason, part });
  };
  // The node reports it again.
  const notStored = (session: Session) => (error: unknown) =>
    logger.warn({ event: "reason_not_stored", nodeId: session.subjectId, error });
  const retryLater = (session: Session, report: ReasonReport, tries: number) => {
    const waits = waiting.get(session) ?? 0;
    if (tries >= retry.times || waits >= maxWaiting) return setAside(session, report, "lease");
    waiting.set(session, waits + 1);
    const timer = setTimeout(() => {
      waiting.set(session, (waiting.get(session) ?? 1) - 1);
      if (parts.signal.aborted) return;
      attempt(session, report, tries + 1).catch(notStored(session));
    }, retry.everyMs);
    timer.unref();
  };
  const attempt = async (session: Session, report: ReasonReport, tries: number): Promise<void> => {
    const { code } = report;
    const reason = code === null ? null : parseNodeReason(code, report.details);
    if (reason !== null && "invalid" in reason) {
      return setAside(session, report, reason.invalid === "code" ? "code" : "details", reason.invalid);
    }
    if (!(await store(parts.pool, session, report, reason))) retryLater(session, report, tries);
  };
  return async (session, report) => {
    const now = performance.now();
    const known = budgets.get(session);
    const budget =
      known !== undefined && now - known.from < reportLimit.windowMs ? known : { from: now, reports: 0 };
    budgets.set(session, budget);
    budget.reports += 1;
    if (budget.reports > reportLimit.reports) return setAside(session, report, "rate");
    await attempt(session, report, 0).catch(notStored(session));
  };
}

type Reason = Exclude<ReturnType<typeof parseNodeReason>, { invalid: string }> | null;

/** @returns False when the node does not have this lease on the chain. */
async function store(
  pool: Database,
  { subjectId: nodeId }: Session,
  { workspaceId, replica, lease, fence, count }: ReasonReport,
  reason: Reason,
): Promise<boolean> {
  if (nodeId === null) return false;
  return transaction(pool, async (db) => {
    const held = await db.query(
      `select from chain.assignment where workspace_id = $1 and replica = $2 and lease = $3 and node_id = $4
         and fence = $5 and release_reason is null`,
      [workspaceId, replica, lease, nodeId, fence.toLowerCase()],
    );
    if (held.rowCount === 0) return false;
    if (reason === null) await endEvents(db, { workspaceId, replica, lease });
    else {
      await recordEvents(db, [{ workspaceId, replica, lease, nodeId, ...reason, reported: count }]);
    }
    return true;
  });
}
