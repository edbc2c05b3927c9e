import { randomUUID } from "node:crypto";
import { InputError } from "@ngpu/runtime/errors";
import { rest } from "@ngpu/runtime/loop";
import type { Partner } from "../access.ts";
import { innerModel } from "../decide.ts";
import type { ApiDeps } from "../deps.ts";
import { budgetKeyOf, requireBudget } from "../keyLimits.ts";
import { withMember } from "../payload.ts";
import { requireAccess } from "../roles.ts";
import { requireModel } from "../routes/models.ts";
import type { BatchRow } from "../store/batches.ts";
import { beginLine, endLine, type PendingLine } from "../store/batchLines.ts";
import { findTask } from "../store/taskReads.ts";
import type { RunEnd } from "../taskRunner.ts";
import type { TaskWork } from "../taskWork.ts";
import type { InputLine } from "./batchInput.ts";
import { outcomeOf, type TaskOutcome } from "./lineOutcome.ts";

export type LineDeps = Pick<ApiDeps, "db" | "hot" | "tasks">;

/** A line that runs: `stopped` aborts when the batch runs no further lines here. */
export type RunningLine = {
  batch: BatchRow;
  pending: PendingLine;
  input: InputLine;
  stopped: AbortSignal;
  /** Tells which task it is, while it runs. */
  onTask: (taskId: string | undefined) => void;
};

/** Deadlines of a line's task, in seconds: the usual ones of a call. */
const timeouts = { progress: 600, total: 14_400 };
/** Seconds that a line waits for a replica before it is looked at again. */
const waitSeconds = 3_600;
/** Milliseconds before a further attempt: the first, and the longest. */
const pauses = { first: 500, longest: 30_000 };
/** Milliseconds between two looks at the task of a process that has ended. */
const lookPause = 500;

/**
 * Runs a line until it has ended or is stopped. What an earlier process began is taken over: a task that has ended is not run again.
 */
export async function runLine(deps: LineDeps, line: RunningLine): Promise<void> {
  const { batch, pending, stopped } = line;
  let { attempts } = pending;
  let known = pending.task_id === null ? undefined : await endOfEarlier(deps, line, pending.task_id);
  for (let pause = pauses.first; !stopped.aborted; pause = Math.min(2 * pause, pauses.longest)) {
    if (known === undefined) {
      known = await attempt(deps, line);
      attempts += 1;
    }
    const end = outcomeOf(known, attempts);
    // The end of a task that was cancelled with its batch is that of the batch.
    if (stopped.aborted && end !== "again" && end.outcome === "failed") return;
    if (end !== "again") return endLine(deps.db, batch.id, pending.line, end);
    known = undefined;
    await rest(pause, stopped);
  }
}

/** What to do about a task whose own hint is not known. */
const again = "Send the request again.";

/** What came of the task of an earlier process; undefined: it was not stored. Waits until it is known that the process has ended. */
async function endOfEarlier(
  { db }: LineDeps,
  { batch, stopped }: RunningLine,
  taskId: string,
): Promise<TaskOutcome | undefined> {
  while (!stopped.aborted) {
    const task = await findTask(db, batch.wallet, taskId);
    if (task === undefined) return undefined;
    if (task.status !== "queued" && task.status !== "running") {
      const { http_status: httpStatus, error_code: code, error_message: message, error_hint: hint } = task;
      return {
        httpStatus,
        error: code === null ? null : { code, message: message ?? "", hint: hint ?? again },
      };
    }
    await rest(lookPause, stopped);
  }
  return undefined;
}

/** The task of a line was not stored, or not to its end. */
const notStored: TaskOutcome = { httpStatus: null, error: null };

async function attempt(deps: LineDeps, line: RunningLine): Promise<TaskOutcome> {
  const { batch, pending, onTask } = line;
  try {
    const work = await workOf(deps, line);
    if (line.stopped.aborted) return notStored;
    await beginLine(deps.db, batch.id, pending.line, work.id);
    onTask(work.id);
    await deps.tasks.begin(work);
    // A stopped batch cancels its tasks by their ids.
    return taskOutcome(await deps.tasks.run(work, new AbortController().signal));
  } catch (error) {
    // What the key or the workspace does not allow is the line's end; the batch goes on.
    if (!(error instanceof InputError)) throw error;
    return { httpStatus: null, error };
  } finally {
    onTask(undefined);
  }
}

function taskOutcome(ended: RunEnd): TaskOutcome {
  if ("failure" in ended) return { httpStatus: null, error: ended.failure };
  const { httpStatus, error } = ended.end;
  return { httpStatus: httpStatus ?? null, error: error ?? null };
}

/** The task of a line, with what its key may do now. */
async function workOf(deps: LineDeps, { batch, pending, input }: RunningLine): Promise<TaskWork> {
  const partner = await requireKey(deps, batch);
  const workspace = await requireModel(deps, batch.wallet, input.model);
  await requireBudget(deps.db, partner);
  return {
    id: randomUUID(),
    requestId: `${batch.id}.${pending.line}`,
    wallet: batch.wallet,
    keyId: batch.key_id,
    budgetKeyId: budgetKeyOf(partner),
    coldStartSeconds: waitSeconds,
    workspaceId: workspace.id,
    kind: "chat",
    method: "POST",
    path: batch.endpoint,
    payload: withMember(input.body, "model", innerModel(input.model)),
    timeouts,
    idempotencyKey: undefined,
  };
}

/** @throws InputError `batch_key_invalid` (403), `role_insufficient`, `scope_missing`. */
async function requireKey({ hot }: LineDeps, { key_id: keyId }: BatchRow): Promise<Partner> {
  const key = await hot.keys.get(keyId);
  if (key === undefined || (key.expiresAt !== null && key.expiresAt.getTime() <= Date.now())) {
    throw new InputError("The API key that created the batch is revoked or has expired.", {
      code: "batch_key_invalid",
      status: 403,
      hint: "Create the batch again with a valid key.",
    });
  }
  requireAccess(key, ["tasks"]);
  const { secretHash: _secret, ...terms } = key;
  return { ...terms, keyId };
}
