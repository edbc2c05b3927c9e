import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import type { Database } from "@ngpu/db/pool";
import type { ServiceContext } from "@ngpu/runtime/lifecycle";
import { startLoop } from "@ngpu/runtime/loop";
import type { MatchMetrics } from "../metrics.ts";
import { clearMissedHeartbeats, recordMissedHeartbeats, refreshInstance } from "./absenceStore.ts";
import type { Session } from "./session.ts";
import { persistSessions, type Role, recordSubject, subjectIds } from "./sessionStore.ts";
import type { Sessions } from "./sessions.ts";
import { createTimingWheel, type TimingWheel } from "./timingWheel.ts";

export type SessionMonitorOptions = {
  context: ServiceContext;
  pool: Database;
  deployment: Deployment;
  sessions: Sessions;
  metrics: MatchMetrics;
  instance: string;
  heartbeatSeconds: number;
};

/** Interval of writing a session's last state, ms. */
const persistIntervalMs = 12_000;
const tickMs = 500;

export type SessionMonitor = {
  wake(): void;
  /** Monitors an opened session. */
  watch(session: Session): void;
  /** Records a heartbeat. `isChanged`: it reports other leases or sick cards than the previous one. */
  recordHeartbeat(session: Session, isChanged: boolean): void;
};

/** The state of the monitor: sessions to report or write, and the wheels that schedule checks. */
type MonitorState = {
  /** Time without a heartbeat after which a node is reported as absent, ms. */
  heartbeatTimeoutMs: number;
  silent: Set<Session>;
  recovered: Set<Session>;
  due: Set<Session>;
  changed: Set<Session>;
  heartbeatWheel: TimingWheel<Session>;
  persistWheel: TimingWheel<Session>;
};

/**
 * Keeps app.session up to date: registers this instance as alive, writes the last state of each session, and records nodes whose
 * heartbeats stopped. Sends another welcome to nodes and measurers whose registration has reached the chain.
 */
export function startSessionMonitor(options: SessionMonitorOptions): SessionMonitor {
  const { context, metrics, sessions } = options;
  const { logger, signal } = context;
  const state = createState(options);
  const liveness = startLoop({ name: "liveness", logger, signal, interval: 1_000 }, () =>
    reportLiveness(options, state),
  );
  const ticker = setInterval(() => {
    state.heartbeatWheel.advance(performance.now());
    state.persistWheel.advance(performance.now());
    if (state.silent.size + state.recovered.size > 0) liveness.wake();
  }, tickMs);
  ticker.unref();
  context.onStop("sessionMonitor", () => clearInterval(ticker));
  const loop = startLoop({ name: "sessionMonitor", logger, signal, interval: 2_000 }, async () => {
    await persist(options, state);
    await identify(options, "node");
    await identify(options, "measurer");
    for (const role of ["node", "measurer"] as const) metrics.sessions.set({ role }, sessions.count(role));
  });
  return {
    wake: loop.wake,
    watch(session) {
      if (session.role === "node") state.heartbeatWheel.add(session, state.heartbeatTimeoutMs);
      // Random, so that nodes that connected together are not written together.
      state.persistWheel.add(session, 1_000 + 2_000 * Math.random());
    },
    recordHeartbeat: (session, isChanged) => recordBeat(state, session, isChanged),
  };
}

function createState({ sessions, heartbeatSeconds }: SessionMonitorOptions): MonitorState {
  // Two intervals and a tolerance. With the checks that follow, a loss is detected within 10 s.
  const heartbeatTimeoutMs = Math.max(3_000, heartbeatSeconds * 2_000 + 250);
  const silent = new Set<Session>();
  const due = new Set<Session>();
  const wheel = { tickMs, ticks: 64, now: performance.now() };
  const heartbeatWheel = createTimingWheel<Session>(wheel, (session, now) => {
    if (!isOpen(sessions, session)) return;
    const idle = now - session.lastHeartbeatAt;
    if (idle >= heartbeatTimeoutMs && !session.heartbeatOverdue && session.subjectId !== null) {
      session.heartbeatOverdue = true;
      silent.add(session);
    }
    heartbeatWheel.add(session, idle >= heartbeatTimeoutMs ? heartbeatTimeoutMs : heartbeatTimeoutMs - idle);
  });
  const persistWheel = createTimingWheel<Session>(wheel, (session) => {
    if (isOpen(sessions, session)) due.add(session);
  });
  return {
    heartbeatTimeoutMs,
    silent,
    recovered: new Set(),
    due,
    changed: new Set(),
    heartbeatWheel,
    persistWheel,
  };
}

function recordBeat({ changed, recovered }: MonitorState, session: Session, isChanged: boolean): void {
  session.lastHeartbeatAt = performance.now();
  if (isChanged) changed.add(session);
  if (!session.heartbeatOverdue) return;
  session.heartbeatOverdue = false;
  recovered.add(session);
}

/** Registers this instance as alive, and records which nodes stopped or resumed their heartbeats. */
async function reportLiveness(
  { pool, instance, metrics, sessions }: SessionMonitorOptions,
  { silent, recovered }: MonitorState,
): Promise<void> {
  await refreshInstance(pool, instance);
  const unreachable = drain(silent).filter(
    (session) => session.heartbeatOverdue && isOpen(sessions, session),
  );
  const back = drain(recovered).filter((session) => !session.heartbeatOverdue);
  if (unreachable.length > 0) {
    const now = performance.now();
    metrics.silentNodes.inc(unreachable.length);
    await recordMissedHeartbeats(
      pool,
      unreachable.map(({ subjectId, lastHeartbeatAt }) => ({
        nodeId: Number(subjectId),
        idleSeconds: (now - lastHeartbeatAt) / 1_000,
      })),
    );
  }
  if (back.length > 0) {
    await clearMissedHeartbeats(
      pool,
      back.flatMap(({ subjectId }) => (subjectId === null ? [] : [subjectId])),
    );
  }
}

/** Completes the sessions whose registration has reached the chain. */
async function identify(options: SessionMonitorOptions, role: Role): Promise<void> {
  const { context, pool, deployment, sessions, heartbeatSeconds } = options;
  const unknown = [...sessions.unregistered()].filter((one) => one.role === role);
  const keys = unknown.map((session) => session.key);
  const ids = await subjectIds(pool, role, keys, deployment.parameters.before);
  for (const session of unknown) {
    const id = ids.get(session.key);
    if (id === undefined) continue;
    sessions.setSubject(session, id);
    await recordSubject(pool, session.id, id);
    session.send({ type: "welcome", id, heartbeatSeconds });
    context.logger.info({ event: "session_registered", session: session.id, role, id });
  }
}

async function persist(
  { pool, sessions }: SessionMonitorOptions,
  { due, changed, persistWheel }: MonitorState,
): Promise<void> {
  const dueNow = drain(due);
  for (const session of dueNow) persistWheel.add(session, persistIntervalMs);
  const seen = [...new Set([...dueNow, ...drain(changed)])];
  const still = await persistSessions(pool, seen);
  // A notification reports replaced sessions too, but may be lost.
  sessions.replaced(seen.filter((session) => !still.has(session.id)).map((session) => session.id));
}

function isOpen(sessions: Sessions, session: Session): boolean {
  return sessions.withId(session.id) === session;
}

function drain<Item>(set: Set<Item>): Item[] {
  const items = [...set];
  set.clear();
  return items;
}
