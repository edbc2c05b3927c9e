import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { signHeartbeats } from "@ngpu/protocol/heartbeatAck";
import { InputError } from "@ngpu/runtime/errors";
import type { ServiceContext } from "@ngpu/runtime/lifecycle";
import type { LocalAccount } from "viem";
import type { MatchMetrics } from "../metrics.ts";
import type { Session } from "../sessions/session.ts";
import type { SessionMonitor } from "../sessions/sessionMonitor.ts";
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
  sessionMonitor: SessionMonitor;
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
  const { context, presence, deployment, sessionMonitor } = options;
  const waiting = new Map<bigint, Map<number, Session>>();
  const timer = setInterval(() => {
    const taken = [...waiting];
    waiting.clear();
    for (const [slot, sessions] of taken) {
      sign(options, slot, sessions).catch((error) =>
        // Each of them beats again in a moment and is acknowledged then.
        context.logger.warn({ event: "heartbeat_acks_not_signed", slot, nodes: sessions.size, error }),
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
    const leasesChanged = note(session, heartbeat);
    sessionMonitor.recordHeartbeat(session, leasesChanged);
    if (session.subjectId === null) return;
    const difference = slot - slotAt(Date.now(), deployment);
    // One slot either way for clocks that differ; anything else would be a claim about the past or the future.
    if (difference < -1n || difference > 1n) return;
    const nodeId = session.subjectId;
    if (session.ackSlot === slot) {
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
    throw new InputError("A measurer must not send heartbeat.", { code: "message_unexpected" });
  }
  const leasesChanged =
    session.cpuLoad === null ||
    running.length !== session.running.length ||
    running.some((lease, position) => lease !== session.running[position]);
  session.cpuLoad = cpuLoad;
  session.freeDiskGib = freeDiskGib;
  if (leasesChanged) session.running = running;
  return leasesChanged;
}

async function sign(
  { account, deployment, metrics }: AcknowledgeOptions,
  slot: bigint,
  sessions: ReadonlyMap<number, Session>,
): Promise<void> {
  const { root, signature, proofOf } = await signHeartbeats(account, deployment, slot, [...sessions.keys()]);
  for (const [nodeId, session] of sessions) {
    if (slot > session.ackSlot) session.ackSlot = slot;
    session.send({ type: "ack", slot, receipt: { root, signature, proof: proofOf(nodeId) } });
  }
  metrics.receipts.inc(sessions.size);
}
