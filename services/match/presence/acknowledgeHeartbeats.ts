import { isDeepStrictEqual } from "node:util";
import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { signHeartbeats } from "@ngpu/protocol/heartbeatAck";
import type { ClientMessage } from "@ngpu/protocol/wire";
import { InputError } from "@ngpu/runtime/errors";
import type { ServiceContext } from "@ngpu/runtime/lifecycle";
import type { LocalAccount } from "viem";
import type { MatchMetrics } from "../metrics.ts";
import type { Session } from "../sessions/session.ts";
import type { SessionMonitor } from "../sessions/sessionMonitor.ts";
import type { Presence } from "./presence.ts";

/** Interval of signing, ms: one signature covers all heartbeats received in between. */
const signMs = 1_000;

export type Heartbeat = Omit<Extract<ClientMessage, { type: "heartbeat" }>, "type">;

export type AcknowledgeOptions = {
  context: ServiceContext;
  deployment: Deployment;
  /** An acknowledger: the contract accepts its signatures in a dispute. */
  account: LocalAccount;
  presence: Presence;
  sessionMonitor: SessionMonitor;
  metrics: MatchMetrics;
};

/** The slot of a time in ms since the epoch. */
export function slotAt(milliseconds: number, deployment: Deployment): bigint {
  return BigInt(Math.floor(milliseconds / 1_000 / deployment.parameters.slotSeconds));
}

/**
 * Handles heartbeats: sets the node's bit for the slot, and acknowledges the heartbeat once the bit is in Redis. The
 * acknowledgement of a node's first heartbeat in a slot carries a signature: one signed root per second for all nodes. Later
 * ones carry none.
 *
 * @returns handler of a heartbeat in a node's session
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
        // The nodes' next heartbeats in the slot are acknowledged instead.
        context.logger.warn({ event: "heartbeat_acks_not_signed", slot, nodes: sessions.size, error }),
      );
    }
  }, signMs);
  timer.unref();
  context.onStop("heartbeatAcks", () => clearInterval(timer));
  const acknowledge = (slot: bigint, session: Session, nodeId: number) => {
    const sessions = waiting.get(slot) ?? new Map<number, Session>();
    waiting.set(slot, sessions.set(nodeId, session));
  };
  return (session, heartbeat) => {
    const { slot } = heartbeat;
    const changed = recordStatus(session, heartbeat);
    sessionMonitor.recordHeartbeat(session, changed);
    if (session.subjectId === null) return;
    const difference = slot - slotAt(Date.now(), deployment);
    // One slot of tolerance for clocks that differ. Other slots are in the past or the future and do not count.
    if (difference < -1n || difference > 1n) return;
    const nodeId = session.subjectId;
    if (session.ackSlot === slot) {
      session.send({ type: "ack", slot });
      return;
    }
    // Not awaited: while Redis is unavailable, other messages of the node are still handled.
    presence.mark(slot, nodeId).then(
      () => acknowledge(slot, session, nodeId),
      (error) => context.logger.warn({ event: "heartbeat_not_shared", id: nodeId, error }),
    );
  };
}

/** Stores the status that a heartbeat reports; true when the running leases or the sick cards changed. */
function recordStatus(session: Session, heartbeat: Heartbeat): boolean {
  const { cpuLoad, freeDiskGib, running, sickGpus = [] } = heartbeat;
  if (session.role !== "node") {
    throw new InputError("A measurer must not send heartbeat.", {
      code: "message_forbidden",
      hint: "Update the client, or connect with the role that sends this message.",
    });
  }
  const leasesChanged =
    session.cpuLoad === null ||
    running.length !== session.running.length ||
    running.some((lease, position) => lease !== session.running[position]);
  session.cpuLoad = cpuLoad;
  session.freeDiskGib = freeDiskGib;
  if (leasesChanged) session.running = running;
  const cardsChanged = !isDeepStrictEqual(sickGpus, session.sickGpus);
  if (cardsChanged) session.sickGpus = sickGpus;
  return leasesChanged || cardsChanged;
}

async function sign(
  { account, deployment, metrics }: AcknowledgeOptions,
  slot: bigint,
  sessions: ReadonlyMap<number, Session>,
): Promise<void> {
  const { root, signature, ackOf } = await signHeartbeats(account, deployment, slot, sessions.keys());
  for (const [nodeId, session] of sessions) {
    // A heartbeat that arrived while an earlier one's acknowledgement was being signed.
    if (session.ackSlot === slot) {
      session.send({ type: "ack", slot });
      continue;
    }
    if (slot > session.ackSlot) session.ackSlot = slot;
    session.send({ type: "ack", slot, signed: { root, signature, ...ackOf(nodeId) } });
    metrics.acks.inc();
  }
}
