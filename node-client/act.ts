import { messageBytes, startOf } from "@ngpu/protocol/reasons/boundedText";
import type { NodeReason } from "@ngpu/protocol/reasons/nodeReason";
import { NgpuError } from "@ngpu/runtime/errors";
import { type ActDependencies, check, loadPublication, pull, report, reportProgress } from "./actions.ts";
import { create, start } from "./containerActions.ts";
import { removeContainer, stopContainer } from "./docker/containers.ts";
import { saidBy, statusOf } from "./docker/engine.ts";
import { findImage } from "./docker/images.ts";
import { touchPulled } from "./journal/pulled.ts";
import { forgetRun } from "./journal/runs.ts";
import { type Assignment, fencedKey, publicationKey } from "./leases.ts";
import type { Action, FailedStart } from "./reconcileFacts.ts";

/** The key of an action's subject. Two actions with the same subject never run concurrently. */
export function subjectOf(action: Action): string {
  switch (action.type) {
    case "load":
      return `publication ${publicationKey(action.lease)}`;
    case "inspect":
    case "pull":
      return `image ${action.reference}`;
    case "create":
    case "start":
      return `container ${fencedKey(action.lease)}`;
    case "stop":
    case "remove":
      return `container ${action.key}`;
    case "check":
      return `health ${action.containerId}`;
    case "report":
    case "progress":
      return `${action.type} ${fencedKey(action.lease)}`;
  }
}

/**
 * Runs one action.
 *
 * @throws NgpuError when the engine or the RPC endpoint fails. The next round decides the action again.
 */
export async function act(deps: ActDependencies, action: Action): Promise<void> {
  const { engine, journal, observed, logger } = deps;
  switch (action.type) {
    case "load":
      return loadPublication(deps, action);
    case "inspect": {
      const image = await findImage(engine, action.reference);
      // Every minute, while a lease has it.
      touchPulled(journal, [action.reference], Date.now());
      observed.images.set(
        action.reference,
        image
          ? { type: "present" }
          : { type: "absent", failures: 0, retryAt: 0, reason: undefined, permanent: false },
      );
      return;
    }
    case "pull":
      return pull(deps, action);
    case "create":
      return rememberFailure(deps, action.lease, () => create(deps, action));
    case "start":
      return rememberFailure(deps, action.lease, () => start(deps, action));
    case "stop":
      // Delete the record of the run first: a kill before the stop must not make it count as a crash.
      forgetRun(journal, action.key);
      await stopContainer(engine, action.containerId);
      logger.info({ event: "container_stopped", lease: action.key, reason: action.reason });
      return;
    case "remove":
      await removeContainer(engine, action.containerId);
      logger.info({ event: "container_removed", lease: action.key });
      return;
    case "check":
      return check(deps, action);
    case "report":
      return report(deps, action);
    case "progress":
      return reportProgress(deps, action.lease, action.milestone);
  }
}

/** Keeps why a container cannot be created or started: the partner sees it. */
async function rememberFailure(
  { observed }: ActDependencies,
  lease: Assignment,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
    observed.failedStarts.delete(fencedKey(lease));
  } catch (error) {
    const failure = failureOf(error);
    if (failure !== undefined) observed.failedStarts.set(fencedKey(lease), { ...failure, at: Date.now() });
    throw error;
  }
}

function failureOf(error: unknown): Omit<FailedStart, "at"> | undefined {
  if (error instanceof NgpuError && error.code === "walls_unavailable") {
    return { said: error.message, isUnprotected: true };
  }
  const reason = secretReason(error);
  if (reason !== undefined) return { said: (error as Error).message, reason };
  return statusOf(error) === undefined ? undefined : { said: saidBy(error) };
}

/** Why a container has no secrets; undefined for other errors. */
function secretReason(error: unknown): NodeReason | undefined {
  if (!(error instanceof NgpuError)) return undefined;
  const { code, message, details } = error;
  if (code === "secret_missing") {
    return { code, details: { names: (details as { names: string[] }).names.slice(0, 128) } };
  }
  const isKnown = ["secrets_unavailable", "secret_not_text", "secrets_without_memory"].includes(code);
  if (!isKnown) return undefined;
  return { code: "secrets_unavailable", details: { message: startOf(message, messageBytes) } };
}
