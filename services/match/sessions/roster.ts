import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import type { Database } from "@ngpu/db/pool";
import type { ServiceContext } from "@ngpu/runtime/lifecycle";
import { startLoop } from "@ngpu/runtime/loop";
import type { MatchMetrics } from "../metrics.ts";
import { missBeats, noteBeats, seeInstance } from "./absenceStore.ts";
import type { Session } from "./session.ts";
import { nameSubject, type Role, subjectIds, touchSessions } from "./sessionStore.ts";
import type { Sessions } from "./sessions.ts";
import { createWheel, type Wheel } from "./wheel.ts";

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

/** Sessions by what is to be said or written of them, and the wheels that bring each one round. */
type Watched = {
  /** A node that has not beaten for so long is told of, in ms. */
  missMs: number;
  silent: Set<Session>;
  beating: Set<Session>;
  due: Set<Session>;
  changed: Set<Session>;
  beats: Wheel<Session>;
  touches: Wheel<Session>;
};

/**
 * Keeps app.session true: says that this instance lives, writes by turns what sessions said last, tells of nodes that no longer
 * beat, and says welcome again to those whose registration has reached the chain.
 */
export function startRoster(options: RosterOptions): Roster {
  const { context, metrics, sessions } = options;
  const { logger, signal } = context;
  const watched = createWatched(options);
  const liveness = startLoop({ name: "liveness", logger, signal, interval: 1_000 }, () =>
    tellLiveness(options, watched),
  );
  const turning = setInterval(() => {
    watched.beats.turn(Date.now());
    watched.touches.turn(Date.now());
    if (watched.silent.size + watched.beating.size > 0) liveness.wake();
  }, tickMs);
  turning.unref();
  context.onStop("roster", () => clearInterval(turning));
  const loop = startLoop({ name: "roster", logger, signal, interval: 2_000 }, async () => {
    await touch(options, watched);
    await identify(options, "node");
    await identify(options, "measurer");
    for (const role of ["node", "measurer"] as const) metrics.sessions.set({ role }, sessions.count(role));
  });
  return {
    wake: loop.wake,
    watch(session) {
      if (session.role === "node") watched.beats.add(session, watched.missMs);
      // Spread over the time, so that nodes that came together are not written together.
      watched.touches.add(session, 1_000 + 2_000 * Math.random());
    },
    beat: (session, news) => noteBeat(watched, session, news),
  };
}

function createWatched({ sessions, heartbeatSeconds }: RosterOptions): Watched {
  // Two beats and what they may be late; with the looks that follow a loss is noticed within 10 s.
  const missMs = Math.max(3_000, heartbeatSeconds * 2_000 + 250);
  const silent = new Set<Session>();
  const due = new Set<Session>();
  const wheel = { tickMs, ticks: 64, now: Date.now() };
  const beats = createWheel<Session>(wheel, (session, now) => {
    if (!isOpen(sessions, session)) return;
    const quiet = now - session.beatAt;
    if (quiet >= missMs && !session.missed && session.subjectId !== null) {
      session.missed = true;
      silent.add(session);
    }
    beats.add(session, quiet >= missMs ? missMs : missMs - quiet);
  });
  const touches = createWheel<Session>(wheel, (session) => {
    if (isOpen(sessions, session)) due.add(session);
  });
  return { missMs, silent, beating: new Set(), due, changed: new Set(), beats, touches };
}

function noteBeat({ changed, beating }: Watched, session: Session, news: boolean): void {
  session.beatAt = Date.now();
  if (news) changed.add(session);
  if (!session.missed) return;
  session.missed = false;
  beating.add(session);
}

/** Says that this instance lives, and which of its nodes went silent or beat again. */
async function tellLiveness(
  { pool, instance, metrics, sessions }: RosterOptions,
  { silent, beating }: Watched,
): Promise<void> {
  await seeInstance(pool, instance);
  const away = taken(silent).filter((session) => session.missed && isOpen(sessions, session));
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
}

async function identify(options: RosterOptions, role: Role): Promise<void> {
  const { context, pool, deployment, sessions, heartbeatSeconds } = options;
  const unknown = [...sessions.unnamed()].filter((one) => one.role === role);
  const keys = unknown.map((session) => session.key);
  const ids = await subjectIds(pool, role, keys, deployment.parameters.before);
  for (const session of unknown) {
    const id = ids.get(session.key);
    if (id === undefined) continue;
    sessions.name(session, id);
    await nameSubject(pool, session.id, id);
    session.send({ type: "welcome", id, heartbeatSeconds });
    context.logger.info({ event: "session_named", session: session.id, role, id });
  }
}

async function touch({ pool, sessions }: RosterOptions, { due, changed, touches }: Watched): Promise<void> {
  const turn = taken(due);
  for (const session of turn) touches.add(session, touchMs);
  const seen = [...new Set([...turn, ...taken(changed)])];
  const still = await touchSessions(pool, seen);
  // What a notification told already, unless it was lost.
  sessions.replaced(seen.filter((session) => !still.has(session.id)).map((session) => session.id));
}

function isOpen(sessions: Sessions, session: Session): boolean {
  return sessions.withId(session.id) === session;
}

function taken<Item>(set: Set<Item>): Item[] {
  const items = [...set];
  set.clear();
  return items;
}
