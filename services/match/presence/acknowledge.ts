import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { signHeartbeats } from "@ngpu/protocol/heartbeatReceipt";
import { InputError } from "@ngpu/runtime/errors";
import type { ServiceContext } from "@ngpu/runtime/lifecycle";
import type { LocalAccount } from "viem";
import type { MatchMetrics } from "../metrics.ts";
import type { Roster } from "../sessions/roster.ts";
import type { Session } from "../sessions/session.ts";
import type { Presence } from "./presence.ts";

/** Receipts are signed so often, in ms: one signature for all that beat meanwhile. */
const signMs = 1_000;

export type Heartbeat = { slot: bigint; cpuLoad: number; freeDiskGib: number; running: string[] };

export type AcknowledgeOptions = {
  context: ServiceContext;
  deployment: Deployment;
  /** A heartbeat committer: what it signs counts in a dispute. */
  account: LocalAccount;
  presence: Presence;
  roster: Roster;
  metrics: MatchMetrics;
};

/** The slot that a time in ms falls in. */
export function slotAt(milliseconds: number, deployment: Deployment): bigint {
  return BigInt(Math.floor(milliseconds / 1_000 / deployment.parameters.slotSeconds));
}

/**
 * Takes heartbeats: the node's bit for the slot, and an acknowledgement once the bit is shared. The first of a slot gets a
 * receipt, one signed root a second for all nodes that beat in it; those after it are only answered.
 *
 * @returns Called with every heartbeat of a node's session.
 */
export function startAcknowledging(
  options: AcknowledgeOptions,
): (session: Session, heartbeat: Heartbeat) => void {
  const { context, presence, deployment, roster } = options;
  const waiting = new Map<bigint, Map<number, Session>>();
  const timer = setInterval(() => {
    const taken = [...waiting];
    waiting.clear();
    for (const [slot, sessions] of taken) {
      sign(options, slot, sessions).catch((error) =>
        // Each of them beats again in a moment and is acknowledged then.
        context.logger.warn({ event: "receipts_not_signed", slot, nodes: sessions.size, error }),
      );
    }
  }, signMs);
  timer.unref();
  context.onStop("receipts", () => clearInterval(timer));
  const shared = (slot: bigint, session: Session, nodeId: number) => {
    const sessions = waiting.get(slot) ?? new Map<number, Session>();
    waiting.set(slot, sessions.set(nodeId, session));
  };
  return (session, heartbeat) => {
    const { slot } = heartbeat;
    const news = note(session, heartbeat);
    roster.beat(session, news);
    if (session.subjectId === null) return;
    const apart = slot - slotAt(Date.now(), deployment);
    // One slot either way for clocks that differ; anything else would be a claim about the past or the future.
    if (apart < -1n || apart > 1n) return;
    const nodeId = session.subjectId;
    if (session.receiptSlot === slot) {
      session.send({ type: "ack", slot });
      return;
    }
    // Not awaited: while Redis is away, what else the node says goes on.
    presence.mark(slot, nodeId).then(
      () => shared(slot, session, nodeId),
      (error) => context.logger.warn({ event: "heartbeat_not_shared", id: nodeId, error }),
    );
  };
}

/** Keeps what the node said of itself; true when it runs other leases than before. */
function note(session: Session, { cpuLoad, freeDiskGib, running }: Heartbeat): boolean {
  if (session.role !== "node") {
    throw new InputError("A measurer does not send heartbeat.", { code: "message_unexpected" });
  }
  const news =
    session.cpuLoad === null ||
    running.length !== session.running.length ||
    running.some((lease, place) => lease !== session.running[place]);
  session.cpuLoad = cpuLoad;
  session.freeDiskGib = freeDiskGib;
  if (news) session.running = running;
  return news;
}

async function sign(
  { account, deployment, metrics }: AcknowledgeOptions,
  slot: bigint,
  sessions: ReadonlyMap<number, Session>,
): Promise<void> {
  const { root, signature, proofOf } = await signHeartbeats(account, deployment, slot, [...sessions.keys()]);
  for (const [nodeId, session] of sessions) {
    if (slot > session.receiptSlot) session.receiptSlot = slot;
    session.send({ type: "ack", slot, receipt: { root, signature, proof: proofOf(nodeId) } });
  }
  metrics.receipts.inc(sessions.size);
}
