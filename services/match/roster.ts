import type { Database } from "../shared/db/pool.ts";
import type { ServiceContext } from "../shared/lifecycle.ts";
import { type Loop, startLoop } from "../shared/loop.ts";
import type { MatchMetrics } from "./metrics.ts";
import { dropStale, nameSubject, type Role, subjectIds, touchSessions } from "./sessionStore.ts";
import type { Session, Sessions } from "./sessions.ts";

export type RosterOptions = {
  context: ServiceContext;
  pool: Database;
  sessions: Sessions;
  metrics: MatchMetrics;
  heartbeatSeconds: number;
};

/**
 * Keeps app.session true: writes who was heard of, closes sessions whose key opened a newer one with another instance, and
 * says welcome again to those whose registration has reached the chain.
 */
export function startRoster({ context, pool, sessions, metrics, heartbeatSeconds }: RosterOptions): Loop {
  const identify = async (role: Role) => {
    const unknown = [...sessions.all()].filter((one) => one.role === role && one.subjectId === null);
    const ids = await subjectIds(
      pool,
      role,
      unknown.map((session) => session.key),
    );
    for (const session of unknown) {
      const id = ids.get(session.key);
      if (id === undefined) continue;
      session.subjectId = id;
      await nameSubject(pool, session.id, id);
      session.send({ type: "welcome", id, heartbeatSeconds });
      context.logger.info({ event: "session_named", session: session.id, role, id });
    }
  };
  const touch = async () => {
    const seen = [...sessions.all()].filter((session) => session.seen);
    for (const session of seen) session.seen = false;
    const still = await touchSessions(pool, seen);
    for (const session of seen) if (!still.has(session.id)) replaced(session);
  };
  return startLoop(
    { name: "roster", logger: context.logger, signal: context.signal, interval: 2_000 },
    async () => {
      await touch();
      await identify("node");
      await identify("measurer");
      await dropStale(pool);
      for (const role of ["node", "measurer"] as const) {
        metrics.sessions.set({ role }, [...sessions.all()].filter((one) => one.role === role).length);
      }
    },
  );
}

function replaced(session: Session): void {
  session.close("session_replaced", "The key opened another session.");
}
