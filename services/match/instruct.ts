import type { Database } from "../shared/db/pool.ts";
import { InputError } from "../shared/errors.ts";
import type { ServiceContext } from "../shared/lifecycle.ts";
import { type Loop, startLoop } from "../shared/loop.ts";
import * as store from "./measureStore.ts";
import type { Session, SessionMessage, Sessions } from "./sessions.ts";

export type InstructOptions = {
  context: ServiceContext;
  pool: Database;
  sessions: Sessions;
  probeImage: string;
};

/**
 * Tells the nodes and measurers that have their session here what the rounds they are in ask of them. The leader that draws
 * may be another instance: the draws stand in Postgres. Each is told once a session, and again after it reconnects.
 */
export function startInstruct(options: InstructOptions): Loop {
  const { context, pool, sessions } = options;
  const told = new WeakMap<Session, Set<string>>();
  const once = (
    session: Session | undefined,
    what: string,
    draw: store.Draw,
    tell: (to: Session) => void,
  ) => {
    if (session === undefined) return;
    const before = told.get(session) ?? new Set();
    told.set(session, before);
    const key = `${what}:${draw.round_id}`;
    if (before.has(key)) return;
    before.add(key);
    tell(session);
  };
  return startLoop(
    { name: "instruct", logger: context.logger, signal: context.signal, interval: 2_000 },
    async () => {
      for (const draw of await store.drawsToTell(pool)) {
        const node = sessions.ofSubject("node", draw.node_id);
        if (draw.status === "committed") once(node, "probe", draw, (to) => tellProbe(options, to, draw));
        if (draw.status === "ready") {
          once(sessions.ofSubject("measurer", draw.measurer_id), "measure", draw, (to) =>
            tellMeasure(to, draw),
          );
        }
        if (draw.status === "submitted" || draw.status === "done" || draw.status === "failed") {
          once(node, "done", draw, (to) => to.send({ type: "probeDone", roundId: draw.round_id }));
        }
      }
    },
  );
}

function tellProbe(options: InstructOptions, node: Session, draw: store.Draw): void {
  node.send({
    type: "probe",
    roundId: draw.round_id,
    port: draw.port,
    token: draw.token,
    image: options.probeImage,
    closesAt: draw.closes_at,
  });
}

function tellMeasure(measurer: Session, draw: store.Draw): void {
  if (draw.url === null) return;
  measurer.send({
    type: "measure",
    roundId: draw.round_id,
    nodeId: draw.node_id,
    measurerId: draw.measurer_id,
    url: draw.url,
    port: draw.port,
    salt: draw.salt,
    token: draw.token,
    closesAt: draw.closes_at,
  });
}

type Word = Extract<SessionMessage, { type: "probeReady" | "probeFailed" | "measureFailed" }>;

/** What a node or measurer answers about a round. */
export async function hearAboutRound(pool: Database, session: Session, word: Word): Promise<void> {
  const expected = word.type === "measureFailed" ? "measurer" : "node";
  if (session.role !== expected || session.subjectId === null) {
    throw new InputError(`A ${session.role} does not say ${word.type}.`, { code: "message_unexpected" });
  }
  if (word.type === "probeReady") {
    const host = session.host.includes(":") ? `[${session.host}]` : session.host;
    const url = `http://${host}:${word.port}`;
    await store.markReady(pool, { roundId: word.roundId, nodeId: session.subjectId, port: word.port, url });
    return;
  }
  const { roundId, reason } = word;
  await store.markFailed(pool, { roundId, role: expected, subjectId: session.subjectId, reason });
}
