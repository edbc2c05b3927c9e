import type { EventEmitter } from "node:events";
import type { ServerMessage } from "@ngpu/protocol/wire";
import type { ServiceContext } from "@ngpu/runtime/lifecycle";
import type { DownloadPriority } from "./downloadPriority.ts";
import type { NodeEnv } from "./env.ts";
import type { HeartbeatAcks } from "./heartbeatAcks.ts";
import type { LastContact } from "./lastContact.ts";
import type { createRounds } from "./measurementRounds.ts";
import type { Membership } from "./membership.ts";
import type { nodeMetrics } from "./metrics.ts";
import type { Outbox } from "./outbox.ts";
import type { createPrefetcher } from "./prefetch.ts";
import type { Prepared } from "./prepare.ts";
import type { ReasonReporter } from "./reasons/reasonReporter.ts";
import type { Reconciler } from "./reconcile.ts";
import type { SecretClient } from "./secrets/secretClient.ts";
import type { Session } from "./session.ts";
import type { Tunnels } from "./tunnels.ts";
import type { Updates } from "./updates/updateLoop.ts";
import type { Walls } from "./walls/walls.ts";
import type { createHardwareClaim } from "./waves/hardwareClaim.ts";
import type { Waves } from "./waves/waves.ts";

/** Events between the parts of the node. */
export type NodeEvents = {
  message: [ServerMessage];
  /** A lease or a measurement round may need work. */
  work: [];
  /** The node's registration may have changed. */
  registration: [];
};

/** The dependencies of all parts. */
export type BaseParts = Prepared & {
  context: ServiceContext;
  env: NodeEnv;
  events: EventEmitter<NodeEvents>;
  metrics: ReturnType<typeof nodeMetrics>;
  lastContact: LastContact;
};

/** The parts that communicate with match and the chain. */
export type NetworkParts = {
  membership: Membership;
  session: Session;
  outbox: Outbox;
  heartbeatAcks: HeartbeatAcks;
  secretClient: SecretClient;
};

/** The parts that use the engine. */
export type EngineParts = {
  downloadPriority: DownloadPriority;
  walls: Walls;
  reasons: ReasonReporter;
  reconciler: Reconciler;
  prefetcher: ReturnType<typeof createPrefetcher>;
  tunnels: Tunnels;
  rounds: ReturnType<typeof createRounds>;
  waves: Waves;
  hardwareClaim: ReturnType<typeof createHardwareClaim>;
};

export type NodeParts = BaseParts &
  NetworkParts &
  EngineParts & { heartbeatSeconds: number; updates: Updates };
