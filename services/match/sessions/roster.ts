import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import type { Database } from "@ngpu/db/pool";
import type { ServiceContext } from "@ngpu/runtime/lifecycle";
import { type Loop, startLoop } from "@ngpu/runtime/loop";
import type { MatchMetrics } from "../metrics.ts";
import { missBeats, noteBeats, seeInstance } from "./absenceStore.ts";
import { nameSubject, type Role, subjectIds, touchSessions } from "./sessionStore.ts";
import type { Session, Sessions } from "./sessions.ts";
import { createWheel } from "./wheel.ts";

export type RosterOptions = {
  context: ServiceContext;
  pool: Database;
  deployment: Deployment;
  sessions: Sessions;
  metrics: MatchMetrics;
  instance: string;
  heartbeatSeconds: number;
};

/** What a session said last is written so often, in ms. */
const touchMs = 12_000;
const tickMs = 500;

export type Roster = {
  wake(): void;
  /** Begins to watch a session that was opened. */
  watch(session: Session): void;
  /** Notes a heartbeat; `news` when it says other leases than the one before. */
  beat(session: Session, news: boolean): void;
};

/**
 * Keeps app.session true: says that this instance lives, writes by turns what sessions said last, tells of nodes that no longer
 * beat, and says welcome again to those whose registration has reached the chain.
 */
export function startRoster(options: RosterOptions): Roster {
  const { context, pool, deployment, sessions, metrics, instance, heartbeatSeconds } = options;
  const { logger, signal } = context;
  // Two beats and what they may be late; with the looks that follow a loss is noticed within 10 s.
  const missMs = Math.max(3_000, heartbeatSeconds * 2_000 + 250);
  const silent = new Set<Session>();
  const beating = new Set<Session>();
  const due = new Set<Session>();
  const changed = new Set<Session>();
  const isOpen = (session: Session) => sessions.withId(session.id) === session;
  const beats = createWheel<Session>({ tickMs, ticks: 64, now: Date.now() }, (session, now) => {
    if (!isOpen(session)) return;
    const quiet = now - session.beatAt;
    if (quiet >= missMs && !session.missed && session.subjectId !== null) {
      session.missed = true;
      silent.add(session);
    }
    beats.add(session, quiet >= missMs ? missMs : missMs - quiet);
  });
  const touches = createWheel<Session>({ tickMs, ticks: 64, now: Date.now() }, (session) => {
    if (isOpen(session)) due.add(session);
  });
  const turning = setInterval(() => {
    beats.turn(Date.now());
    touches.turn(Date.now());
    if (silent.size + beating.size > 0) liveness.wake();
  }, tickMs);
  turning.unref();
  context.onStop("roster", () => clearInterval(turning));

  const liveness = startLoop({ name: "liveness", logger, signal, interval: 1_000 }, async () => {
    await seeInstance(pool, instance);
    const away = taken(silent).filter((session) => session.missed && isOpen(session));
    const back = taken(beating).filter((session) => !session.missed);
    if (away.length > 0) {
      const now = Date.now();
      metrics.missed.inc(away.length);
      await missBeats(
        pool,
        away.map(({ subjectId, beatAt }) => ({
          nodeId: Number(subjectId),
          quietSeconds: (now - beatAt) / 1_000,
        })),
      );
    }
    if (back.length > 0) {
      await noteBeats(
        pool,
        back.flatMap(({ subjectId }) => (subjectId === null ? [] : [subjectId])),
      );
    }
  });
  const identify = async (role: Role) => {
    const unknown = [...sessions.unnamed()].filter((one) => one.role === role);
    const keys = unknown.map((session) => session.key);
    const ids = await subjectIds(pool, role, keys, deployment.parameters.before);
    for (const session of unknown) {
      const id = ids.get(session.key);
      if (id === undefined) continue;
      sessions.name(session, id);
      await nameSubject(pool, session.id, id);
      session.send({ type: "welcome", id, heartbeatSeconds });
      logger.info({ event: "session_named", session: session.id, role, id });
    }
  };
  const touch = async () => {
    const turn = taken(due);
    for (const session of turn) touches.add(session, touchMs);
    const seen = [...new Set([...turn, ...taken(changed)])];
    const still = await touchSessions(pool, seen);
    // What a notification told already, unless it was lost.
    sessions.replaced(seen.filter((session) => !still.has(session.id)).map((session) => session.id));
  };
  const loop: Loop = startLoop({ name: "roster", logger, signal, interval: 2_000 }, async () => {
    await touch();
    await identify("node");
    await identify("measurer");
    for (const role of ["node", "measurer"] as const) metrics.sessions.set({ role }, sessions.count(role));
  });
  return {
    wake: loop.wake,
    watch(session) {
      if (session.role === "node") beats.add(session, missMs);
      // Spread over the time, so that nodes that came together are not written together.
      touches.add(session, 1_000 + 2_000 * Math.random());
    },
    beat(session, news) {
      session.beatAt = Date.now();
      if (news) changed.add(session);
      if (!session.missed) return;
      session.missed = false;
      beating.add(session);
    },
  };
}

function taken<Item>(set: Set<Item>): Item[] {
  const items = [...set];
  set.clear();
  return items;
}
