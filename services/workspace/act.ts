import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { addressFor } from "@ngpu/contracts-sdk/generations";
import type { Database } from "@ngpu/db/pool";
import type { WorkspaceSpec } from "@ngpu/protocol/workspaceSpec";
import { loadSpec } from "@ngpu/queries/workspaceSpecs";
import type { Logger } from "@ngpu/runtime/logger";
import type { Sender } from "@ngpu/tx-sender/send";
import { sendSteps } from "@ngpu/tx-sender/stepLedger";
import { type LeaseStepType, type Step, stepKey } from "./decide.ts";

export type ActDeps = {
  pool: Database;
  sender: Pick<Sender, "send">;
  deployment: Deployment;
  logger: Logger;
  /** Number of this process (holdRunnerLock). */
  runner: bigint;
  /** Adds the workspace to dispense's queue. */
  enqueueDispense: (workspaceId: bigint) => Promise<void>;
};

export type StepResult = { type: Step["type"]; refusal: string | null };

// Maximum leases in one transaction; well below the gas limit of a block.
const batchSize = 50;
// Steps that free funds or capacity come first.
const order: LeaseStepType[] = ["settle", "release", "stop", "delete", "start"];

/**
 * Executes the steps. Steps that another instance has in progress are skipped.
 *
 * @param head Newest exported block when the steps were decided.
 * @returns The result of each step executed here.
 * @throws RetryableError when the chain or Postgres does not answer; steps done before that stay done.
 */
export async function act(
  deps: ActDeps,
  workspaceId: bigint,
  head: bigint,
  steps: Step[],
): Promise<StepResult[]> {
  const results: StepResult[] = [];
  if (steps.some((step) => step.type === "close")) {
    results.push(...(await closeExpired(deps, workspaceId, head)));
  }
  for (const type of order) {
    const leases = steps.flatMap((step) => (step.type === type ? [step] : []));
    for (let start = 0; start < leases.length; start += batchSize) {
      const batch = leases.slice(start, start + batchSize);
      results.push(...(await orderLeases(deps, workspaceId, head, type, batch)));
    }
  }
  if (steps.some((step) => step.type === "place")) {
    await deps.enqueueDispense(workspaceId);
    results.push({ type: "place", refusal: null });
  }
  return results;
}

async function closeExpired(deps: ActDeps, workspaceId: bigint, head: bigint): Promise<StepResult[]> {
  const key = stepKey(workspaceId, { type: "close" });
  const sent = await sendSteps(
    deps.pool,
    { head, items: [{ key, workspaceId }], runner: deps.runner },
    async (_items, dedupeKey) =>
      deps.sender.send({
        kind: "workspace.close",
        contract: "DockerContract",
        at: addressFor(deps.deployment, "DockerContract", { workspaceId }),
        functionName: "closeExpired",
        args: [workspaceId, await loadSpec(deps.pool, workspaceId)],
        dedupeKey,
      }),
  );
  return sent.map(({ refusal }) => logResult(deps, { workspaceId, type: "close" as const }, refusal));
}

type LeaseStep = Extract<Step, { type: LeaseStepType }>;

async function orderLeases(
  deps: ActDeps,
  workspaceId: bigint,
  head: bigint,
  type: LeaseStepType,
  steps: LeaseStep[],
): Promise<StepResult[]> {
  const items = steps.map((step) => ({ step, workspaceId, key: stepKey(workspaceId, step) }));
  const spec = type === "release" ? await loadSpec(deps.pool, workspaceId) : undefined;
  const sent = await sendSteps(deps.pool, { head, items, runner: deps.runner }, (free, dedupeKey) => {
    const leases = free.map(({ step: { replica, lease } }) => ({ workspaceId, replica, lease }));
    return sendOrder(deps, type, workspaceId, leases, spec, dedupeKey);
  });
  return sent.map(({ item, refusal }) => logResult(deps, { workspaceId, ...item.step }, refusal));
}

type LeaseRef = { workspaceId: bigint; replica: number; lease: number };
const orders = { start: "requestStart", stop: "requestStop", delete: "requestDelete" } as const;

function sendOrder(
  { sender, deployment }: ActDeps,
  type: LeaseStepType,
  workspaceId: bigint,
  leases: LeaseRef[],
  spec: WorkspaceSpec | undefined,
  dedupeKey: string,
) {
  const at = (name: "DockerContract" | "Escrow") => addressFor(deployment, name, { workspaceId });
  const call = { kind: `workspace.${type}`, dedupeKey };
  if (type === "settle") {
    const escrow = { contract: "Escrow", at: at("Escrow") } as const;
    return sender.send({ ...call, ...escrow, functionName: "settle", args: [leases] });
  }
  const docker = { contract: "DockerContract", at: at("DockerContract") } as const;
  if (type === "release") {
    const specs = spec === undefined ? [] : leases.map(() => spec);
    return sender.send({ ...call, ...docker, functionName: "releaseEnded", args: [leases, specs] });
  }
  return sender.send({ ...call, ...docker, functionName: orders[type], args: [leases] });
}

function logResult(
  { logger }: ActDeps,
  step: { workspaceId: bigint; type: Step["type"] },
  refusal: string | null,
): StepResult {
  if (refusal === null) logger.info({ event: "workspace_step_done", ...step });
  else logger.warn({ event: "workspace_step_refused", ...step, refusal });
  return { type: step.type, refusal };
}
