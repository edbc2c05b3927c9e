import type { Server } from "node:http";
import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import type { Database } from "@ngpu/db/pool";
import type { ClientMessage, ServerMessage } from "@ngpu/protocol/wire";
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
  /** When it last beat, or opened, in ms. */
  lastHeartbeatAt: number;
  /** It answers, but has not beaten for too long. */
  missed: boolean;
  /** The last slot for which it has a receipt. */
  ackSlot: bigint;
  send(message: ServerMessage): void;
  /** Says why and closes. */
  close(code: string, message: string): void;
};

/** Anything a session says once it is open. */
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
};
