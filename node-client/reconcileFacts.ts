import type { Policy } from "@ngpu/contracts-sdk/enumNames";
import type { NodeReason } from "@ngpu/protocol/reasons/nodeReason";
import type { WorkspaceConfig } from "@ngpu/protocol/workspaceConfig";
import type { Hex } from "viem";
import type { OutboxStatus } from "./journal/outbox.ts";
import type { Run } from "./journal/runs.ts";
import type { Assignment, LeaseRef, PublicationKey } from "./leases.ts";

/** How to run a workspace, or why it cannot be run. */
export type Plan =
  | {
      type: "runnable";
      /** `name@sha256:…` */
      reference: string;
      policy: Policy;
      graceSeconds: number;
      gpus: number;
      cpuMilli: number;
      memoryMib: number;
      diskGib: number;
      config: WorkspaceConfig;
      /** Compressed size, if it is on the chain. */
      sizeBytes: bigint | undefined;
    }
  | { type: "unrunnable"; reason: string };

/** A container of this node, as the engine reports it. Times in milliseconds, 0 when never. */
export type Container = LeaseRef & {
  id: string;
  fence: Hex;
  status: "created" | "running" | "exited" | "removing";
  exitCode: number;
  /** The kernel ended it because it used more memory than its limit. */
  oomKilled: boolean;
  /** Why the engine could not start it; empty when it could. */
  error: string;
  startedAt: number;
  finishedAt: number;
  /** Host port by container port. */
  ports: Record<number, number>;
  /** Host port of the container's first port, which serves tasks. */
  servedPort: number | undefined;
  gpuUuids: string[];
};

/** The state of one image. `retryAt` is in milliseconds. */
export type ImageState =
  | { type: "present" }
  | {
      type: "absent";
      failures: number;
      retryAt: number;
      reason: string | undefined;
      permanent: boolean;
      /** Why the last attempt failed, for the partner. */
      cause?: NodeReason;
    };

/** What the engine said when a container could not be created or started, and when, in milliseconds. */
export type FailedStart = {
  said: string;
  at: number;
  /** The node cannot protect itself from the container, and said so itself. */
  isUnprotected?: true;
  /** What prevents it, where the node knows it. */
  reason?: NodeReason;
};

/** A failed check of a health path: the answer, or why there was none. */
export type HealthFailure = { status?: number; answer?: string; message?: string };

export type Health = { ok: boolean; checkedAt: number; everOk: boolean; failure?: HealthFailure };

/** The last report or milestone that was signed for a lease. */
export type SubmittedMessage = { status: OutboxStatus; at: number; settledAt: number | undefined };
export type SubmittedReport = SubmittedMessage & { state: number; detail: Hex };
export type SubmittedProgress = SubmittedMessage & { milestone: number };

/** Everything a decision depends on. Maps are by fenced key unless noted. Times in milliseconds. */
export type Facts = {
  now: number;
  /** When the node last received a block or a message of match. */
  lastContactAt: number;
  assignments: Assignment[];
  /** By publication key; missing until it is loaded. */
  plans: ReadonlyMap<PublicationKey, Plan>;
  containers: Container[];
  /** By reference; missing until it is inspected. */
  images: ReadonlyMap<string, ImageState>;
  runs: ReadonlyMap<string, Run>;
  /** By container id. */
  health: ReadonlyMap<string, Health>;
  reports: ReadonlyMap<string, SubmittedReport>;
  progress: ReadonlyMap<string, SubmittedProgress>;
  /** UUIDs of the offered GPUs. */
  gpuUuids: readonly string[];
  /** Ids of the GPUs that are lost or sick. */
  sickGpuIds: ReadonlySet<string>;
  /** Seconds from an assignment to the deadline of its first run. */
  startSeconds: number;
  /** Nothing separates containers from this machine's networks, and nothing has for a while. */
  isExposed: boolean;
};

/** The next step. Each action is idempotent and is decided again until the facts show its effect. */
export type Action =
  | { type: "load"; lease: Assignment }
  | { type: "inspect"; reference: string }
  | { type: "pull"; lease: Assignment; reference: string; sizeBytes: bigint | undefined }
  | { type: "create"; lease: Assignment; gpuUuids: string[] }
  | { type: "start"; lease: Assignment; containerId: string; starts: number }
  | { type: "stop"; containerId: string; key: string; reason: StopReason }
  | { type: "remove"; containerId: string; key: string }
  | { type: "check"; containerId: string; port: number; path: string }
  | {
      type: "report";
      lease: Assignment;
      state: "ready" | "running" | "stopped" | "failed" | "deleted";
      detail: Hex;
    }
  | { type: "progress"; lease: Assignment; milestone: number };

export type StopReason =
  | "no_lease"
  | "ordered"
  | "deleted"
  | "contact_lost"
  | "exposed"
  | "on_hold"
  | "unpaid"
  | "failed"
  | "gpu_lost";
