import { assignmentStates, codeOf } from "@ngpu/contracts-sdk/enumNames";
import type { Hex } from "viem";
import { type ChainView, viewOf } from "../../node-client/chainView.ts";
import { decide } from "../../node-client/decide.ts";
import type { StoredLog } from "../../node-client/events.ts";
import type { Run } from "../../node-client/journal/runs.ts";
import { type Assignment, fencedKey, type LeaseRef, publicationKey } from "../../node-client/leases.ts";
import type {
  Action,
  Container,
  Facts,
  Health,
  ImageState,
  Plan,
  SubmittedProgress,
  SubmittedReport,
} from "../../node-client/reconcileFacts.ts";
import { hashOf, logOf } from "./chain.ts";

const nodeId = 7;
const reference = `registry/image@sha256:${"1".repeat(64)}`;

/** A simulated chain, engine and node around the real fold and the real decisions, for histories that tests generate. */
export class World {
  logs: StoredLog[] = [];
  containers: (Container & { dead?: true })[] = [];
  now = 1_000_000;
  lastContactAt = 1_000_000;
  started: string[] = [];
  gpuUuids = ["GPU-a", "GPU-b"];
  sickGpuIds = new Set<string>();
  isExposed = false;
  /** Images do not arrive. */
  isPulling = false;
  /** The engine refuses to create containers. */
  refusesCreation = false;
  /** When it did. */
  refused: number[] = [];
  private fork = 0;
  private height = 1n;
  private numbers = new Map<string, number>();
  private nextContainer = 1;
  // State of the journal, which survives a kill.
  private runs = new Map<string, Run>();
  private reports = new Map<string, SubmittedReport & { lease: Assignment }>();
  private progress = new Map<string, SubmittedProgress>();
  // State in memory, which a kill loses.
  private images = new Map<string, ImageState>();
  private health = new Map<string, Health>();
  private readonly plan: Plan;
  // The cached view of `logs`, reset when they change.
  private view: ChainView | undefined;

  constructor(options: { policy: "available" | "exclusive"; gpus?: number }) {
    this.plan = {
      type: "runnable",
      reference,
      policy: options.policy,
      graceSeconds: 60,
      gpus: options.gpus ?? 0,
      cpuMilli: 1000,
      memoryMib: 256,
      diskGib: 1,
      sizeBytes: undefined,
      config: { image: "registry/image", ports: [8080], env: {}, health: "/healthz" },
    };
  }

  get live(): Assignment[] {
    return this.chainView().assignments.filter((lease) => !lease.ended);
  }

  private chainView(): ChainView {
    this.view ??= viewOf(this.logs);
    return this.view;
  }

  /** Adds an event in its own block, unless the contract would revert. */
  event(name: string, workspaceId: bigint): void {
    const lease = this.live.find((item) => item.workspaceId === workspaceId);
    const ref = { workspaceId, nodeId, replica: 0, lease: lease?.lease };
    if (name === "Assigned" || name === "AssignedHeld") {
      if (lease !== undefined) return;
      const number = (this.numbers.get(`${this.fork}/${workspaceId}`) ?? this.lastNumber(workspaceId)) + 1;
      this.numbers.set(`${this.fork}/${workspaceId}`, number);
      const fence = hashOf(this.fork, this.height, workspaceId, number).slice(0, 18) as Hex;
      this.put("Assigned", {
        ...ref,
        lease: number,
        fence,
        pricePerSecond: 1n,
        start: name === "Assigned",
        decidedAt: 0n,
        position: 0,
        excluded: "0x",
      });
      return;
    }
    if (lease === undefined) return;
    if (name === "StartRequested" && lease.desired !== "hold" && lease.desired !== "stop") return;
    if (name === "StopRequested" && lease.desired !== "run") return;
    if (name === "DeleteRequested" && lease.desired === "delete") return;
    this.put(name, { ...ref, reason: 1 });
  }

  /** Adds an event of escrow about the live lease of a workspace. */
  money(
    name: "LeaseOpened" | "LeaseClockSet" | "Settled",
    workspaceId: bigint,
    args: Record<string, unknown>,
  ): void {
    const lease = this.live.find((item) => item.workspaceId === workspaceId)?.lease;
    this.put(name, { workspaceId, nodeId, replica: 0, lease, ...args });
  }

  /** Removes the newest blocks; later blocks reuse their numbers. */
  reorg(depth: number): void {
    this.height = this.height > BigInt(depth) ? this.height - BigInt(depth) : 0n;
    this.logs = this.logs.filter((log) => log.blockNumber <= this.height);
    this.view = undefined;
    this.fork += 1;
  }

  /** Kills the client: its memory is lost; the journal, the engine and the chain stay. */
  kill(): void {
    this.images.clear();
    this.health.clear();
  }

  crash(): void {
    const container = this.containers.find((item) => item.status === "running");
    if (container !== undefined) this.end(container, 1);
  }

  /** The driver loses a card: it is no longer offered. */
  loseGpu(uuid: string): void {
    this.gpuUuids = this.gpuUuids.filter((one) => one !== uuid);
    this.sickGpuIds.add(uuid);
  }

  recoverGpu(uuid: string): void {
    this.sickGpuIds.delete(uuid);
    this.gpuUuids = [...this.gpuUuids, uuid].sort();
  }

  prune(): void {
    this.images.clear();
  }

  /** match relays the signed messages; the contract accepts or rejects each. */
  relay(): void {
    for (const message of this.reports.values()) {
      if (message.status !== "waiting") continue;
      const state = assignmentStates[message.state] ?? "none";
      const current = this.live.find((item) => fencedKey(item) === fencedKey(message.lease));
      if (current === undefined || !mayReport(current, state)) {
        Object.assign(message, { status: "refused", settledAt: this.now });
        continue;
      }
      Object.assign(message, { status: "confirmed", settledAt: this.now });
      const { workspaceId, replica, lease } = current;
      const ref = { workspaceId, nodeId, replica, lease };
      this.put("StateChanged", {
        ...ref,
        state: message.state,
        sequence: current.sequence + 1,
        detail: message.detail,
      });
      if (state === "deleted") this.putBeside("Released", { ...ref, reason: 0 });
    }
    for (const [key, message] of this.progress) {
      if (message.status !== "waiting") continue;
      const current = this.live.find((item) => fencedKey(item) === key);
      const isAccepted = current !== undefined && current.milestone < message.milestone;
      Object.assign(message, { status: isAccepted ? "confirmed" : "refused", settledAt: this.now });
      if (!isAccepted) continue;
      const { workspaceId, replica, lease } = current;
      this.put("ProgressReported", { workspaceId, nodeId, replica, lease, milestone: message.milestone });
    }
  }

  /** Decides and runs the first `most` actions. @returns The number of decided actions. */
  round(most = Number.POSITIVE_INFINITY): number {
    const actions = decide(this.facts());
    for (const action of actions.slice(0, most)) this.act(action);
    return actions.length;
  }

  /** Runs the node without new events until no action is left. */
  settle(): void {
    for (let quiet = 0, rounds = 0; quiet < 30; rounds += 1) {
      if (rounds > 2_000) throw new Error("the node never becomes idle");
      this.now += 10_000;
      this.lastContactAt = this.now;
      const lasting = ({ type }: Action) => type !== "check" && !(this.isPulling && type === "pull");
      const actions = decide(this.facts());
      for (const action of actions) this.act(action);
      this.relay();
      quiet = actions.some(lasting) ? 0 : quiet + 1;
    }
  }

  facts(): Facts {
    const { assignments } = this.chainView();
    return {
      now: this.now,
      lastContactAt: this.lastContactAt,
      assignments,
      plans: new Map(assignments.map((lease) => [publicationKey(lease), this.plan])),
      containers: this.containers,
      images: this.images,
      runs: this.runs,
      health: this.health,
      reports: this.reports,
      progress: this.progress,
      gpuUuids: this.gpuUuids,
      sickGpuIds: this.sickGpuIds,
      isExposed: this.isExposed,
      startSeconds: 3_600,
    };
  }

  private act(action: Action): void {
    switch (action.type) {
      case "inspect":
        this.images.set(action.reference, {
          type: "absent",
          failures: 0,
          retryAt: 0,
          reason: undefined,
          permanent: false,
        });
        return;
      case "pull":
        if (!this.isPulling) this.images.set(action.reference, { type: "present" });
        return;
      case "create": {
        const key = fencedKey(action.lease);
        const { order } = action.lease;
        if (this.refusesCreation) {
          const before = this.runs.get(key);
          const starts = before?.order === order ? before.starts + 1 : 1;
          this.runs.set(key, { order, starts, lastStart: this.now });
          this.refused.push(this.now);
          return;
        }
        this.runs.delete(key);
        this.containers.push(this.created(action.lease, action.gpuUuids));
        return;
      }
      case "start": {
        const { order } = action.lease;
        this.runs.set(fencedKey(action.lease), { order, starts: action.starts, lastStart: this.now });
        const container = this.containers.find((item) => item.id === action.containerId);
        if (container !== undefined) Object.assign(container, { status: "running", startedAt: this.now });
        this.started.push(fencedKey(action.lease));
        return;
      }
      case "stop": {
        this.runs.delete(action.key);
        const container = this.containers.find((item) => item.id === action.containerId);
        if (container?.status === "running") this.end(container, 143);
        return;
      }
      case "remove":
        this.containers = this.containers.filter((item) => item.id !== action.containerId);
        return;
      case "check":
        this.health.set(action.containerId, { ok: true, everOk: true, checkedAt: this.now });
        return;
      case "report": {
        const { lease, state, detail } = action;
        const message = { state: codeOf(assignmentStates, state), detail, lease, at: this.now };
        this.reports.set(fencedKey(lease), { ...message, status: "waiting", settledAt: undefined });
        return;
      }
      case "progress": {
        const message = {
          milestone: action.milestone,
          status: "waiting" as const,
          at: this.now,
          settledAt: undefined,
        };
        this.progress.set(fencedKey(action.lease), message);
      }
    }
  }

  private created(lease: Assignment, gpuUuids: string[]): Container {
    const id = `container-${this.nextContainer++}`;
    const { workspaceId, replica, lease: number, fence } = lease;
    const ref: LeaseRef & { fence: Hex } = { workspaceId, replica, lease: number, fence };
    const times = { startedAt: 0, finishedAt: 0 };
    return {
      ...ref,
      ...times,
      id,
      status: "created",
      exitCode: 0,
      oomKilled: false,
      error: "",
      ports: { 8080: 32_000 },
      servedPort: 32_000,
      gpuUuids,
    };
  }

  private end(container: Container, exitCode: number): void {
    Object.assign(container, { status: "exited", exitCode, finishedAt: this.now });
  }

  private put(name: string, args: Record<string, unknown>): void {
    this.height += 1n;
    this.add(name, args, 0);
  }

  /** Adds an event in the newest block: a reorg removes it together with the previous one. */
  private putBeside(name: string, args: Record<string, unknown>): void {
    this.add(name, args, 1);
  }

  private add(name: string, args: Record<string, unknown>, logIndex: number): void {
    const position = { blockNumber: this.height, blockHash: hashOf(this.fork, this.height), logIndex };
    this.logs.push(logOf(name, args, position));
    this.view = undefined;
  }

  private lastNumber(workspaceId: bigint): number {
    const found = this.chainView().assignments.filter((item) => item.workspaceId === workspaceId);
    return Math.max(0, ...found.map((item) => item.lease));
  }
}

/** The transitions of contracts/libraries/AssignmentStates.sol. */
function mayReport(lease: Assignment, to: string): boolean {
  if (lease.state === to) return false;
  if (to === "ready") return lease.state !== "running";
  if (to === "running") return lease.desired === "run";
  if (to === "deleted") return lease.desired === "delete";
  return to === "stopped" || to === "failed";
}
