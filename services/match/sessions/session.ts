import type { Server } from "node:http";
import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import type { Database } from "@ngpu/db/pool";
import type { ClientMessage, ServerMessage, SickGpuReport } from "@ngpu/protocol/wire";
import type { Logger } from "@ngpu/runtime/logger";
import type { Hex } from "viem";
import type { MatchMetrics } from "../metrics.ts";
import type { Role } from "./sessionStore.ts";

export type Session = {
  id: string;
  key: Hex;
  role: Role;
  /** Node or measurer id; null before the registration is on the chain. */
  subjectId: number | null;
  host: string;
  /** From the last heartbeat. */
  cpuLoad: number | null;
  freeDiskGib: number | null;
  running: string[];
  sickGpus: SickGpuReport[];
  /** Time of the last heartbeat, or of the opening, by `performance.now()`: this machine's clock may be set. */
  lastHeartbeatAt: number;
  /** Heartbeats stopped, although the connection is open. */
  heartbeatOverdue: boolean;
  /** The last slot for which the node has a signed acknowledgement. */
  ackSlot: bigint;
  send(message: ServerMessage): void;
  /** Sends the error and closes the connection. */
  close(reason: CloseReason): void;
};

/** Why match closes a session, as its client sees it. */
export type CloseReason = { code: string; message: string; hint: string };

export const sessionReplaced: CloseReason = {
  code: "session_replaced",
  message: "The key opened another session, or its node has another key now.",
  hint: "Run one client per key, with the key that the node's wallet gave it.",
};

/** A message of an open session. */
export type SessionMessage = Exclude<ClientMessage, { type: "hello" }>;

export type SessionHandlers = {
  onOpen: (session: Session) => void;
  onMessage: (session: Session, message: SessionMessage) => Promise<void>;
};

export type SessionsOptions = {
  server: Server;
  pool: Database;
  deployment: Deployment;
  logger: Logger;
  metrics: MatchMetrics;
  instance: string;
  audience: string;
  heartbeatSeconds: number;
  /** Nodes may be at addresses that are not public. */
  privateAddresses: boolean;
};
