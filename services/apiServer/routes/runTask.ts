import { randomUUID } from "node:crypto";
import { InputError, type NgpuError, RetryableError } from "@ngpu/runtime/errors";
import { rest } from "@ngpu/runtime/loop";
import type { Request } from "express";
import type { z } from "zod";
import type { Partner } from "../access.ts";
import { requireRoom } from "../capacityQueue.ts";
import { dedupeKeyOf } from "../chainWriter.ts";
import { coldStartSeconds, isOpen } from "../decide.ts";
import type { ApiDeps } from "../deps.ts";
import { endpoint, idempotencyHeader, Reply } from "../endpoint.ts";
import { budgetKeyOf, requireBudget } from "../keyLimits.ts";
import { coldStartHeader } from "../passResponse.ts";
import { memberValue } from "../payload.ts";
import { bodyTextOf } from "../requestBody.ts";
import { newTask, taskAnswer } from "../schemas/tasks.ts";
import { findTaskByKey, type TaskRow } from "../store/taskReads.ts";
import type { TaskEnd, TaskTimes } from "../store/tasks.ts";
import type { WorkspaceRow } from "../store/workspaces.ts";
import { requireTask, taskOf } from "../taskView.ts";
import type { TaskWork } from "../taskWork.ts";
import { workspaceNotFound } from "./workspaces.ts";

export const runTask = (deps: ApiDeps) =>
  endpoint(
    {
      method: "post",
      path: "/v1/tasks",
      tag: "Tasks",
      summary: "Run a task on a workspace",
      description:
        "Sends the input to the best running replica and returns the container's response. With `wait: false` it returns 202 immediately; poll GET /v1/tasks/{id} for the result.",
      access: "partner",
      headers: idempotencyHeader,
      body: newTask,
      otherStatuses: { 202: "The task runs in the background" },
      errors: [404, 409, 422, 502, 504],
      answer: taskAnswer,
    },
    async ({ partner, body, headers, request, response, requestId, disconnected }) => {
      const workspace = await deps.hot.workspace(partner.wallet, body.workspaceId);
      if (workspace === undefined) throw workspaceNotFound(body.workspaceId);
      const idempotencyKey = await dedupeKeyOf(deps.db, partner.wallet, "task", {
        key: headers["idempotency-key"],
        body,
      });
      const work = workOf({ partner, workspace, body, request, requestId, idempotencyKey });
      // A repetition of an earlier task still gets its result.
      if (!(await isRepetition(deps, work))) {
        requireOpen(workspace);
        await requireBudget(deps.db, partner);
        if (work.waitSeconds !== undefined) await requireRoom(deps.db, work.workspaceId);
      }
      const isDirect = body.wait && idempotencyKey === undefined && work.waitSeconds === undefined;
      if (isDirect) deps.tasks.start(work);
      else if (!(await deps.tasks.begin(work))) return repeated(deps, work, body.wait, disconnected);
      if (!body.wait) {
        deps.tasks.runInBackground(work);
        return new Reply(202, taskOf(await requireTask(deps.db, partner.wallet, work.id)));
      }
      const task = await ended(deps, work, disconnected);
      if (task.cold_start_ms !== null) response.setHeader(coldStartHeader, String(task.cold_start_ms));
      if (task.node_id !== null) response.setHeader("x-ngpu-node-id", String(task.node_id));
      return taskOf(task);
    },
  );

function workOf(call: {
  partner: Partner;
  workspace: WorkspaceRow;
  body: z.output<typeof newTask>;
  request: Request;
  requestId: string;
  idempotencyKey: string | undefined;
}): TaskWork {
  const { partner, workspace, body, request, requestId, idempotencyKey } = call;
  return {
    id: randomUUID(),
    requestId,
    wallet: partner.wallet,
    keyId: partner.keyId,
    budgetKeyId: budgetKeyOf(partner),
    waitSeconds: body.waitForCapacity?.maxSeconds,
    coldStartSeconds: coldStartSeconds(workspace),
    workspaceId: body.workspaceId,
    kind: "task",
    method: body.method,
    path: body.path,
    payload: payloadOf(body, bodyTextOf(request)),
    timeouts: { progress: body.timeoutSeconds, total: body.totalTimeoutSeconds },
    idempotencyKey,
  };
}

/** The input as the container receives it: the bytes of the request's own text. */
function payloadOf({ method }: z.output<typeof newTask>, text: Buffer | undefined): Buffer | undefined {
  return method === "GET" || text === undefined ? undefined : memberValue(text, "input");
}

async function isRepetition({ db }: ApiDeps, { wallet, idempotencyKey }: TaskWork): Promise<boolean> {
  return idempotencyKey !== undefined && (await findTaskByKey(db, wallet, idempotencyKey)) !== undefined;
}

/** Runs a task to its end. @throws NgpuError when no container answered. */
async function ended(deps: ApiDeps, work: TaskWork, disconnected: AbortSignal): Promise<TaskRow> {
  // With a key the client may ask for the result later, so the task continues after a disconnect.
  const cancellation = work.idempotencyKey === undefined ? disconnected : new AbortController().signal;
  const ended = await deps.tasks.run(work, cancellation);
  if ("failure" in ended) throw withTask(ended.failure, work.id);
  const { end, times } = ended;
  return times === undefined ? requireTask(deps.db, work.wallet, work.id) : rowOf(work, end, times);
}

/** The row of a task that has ended, as it is stored. */
function rowOf({ id, wallet, workspaceId, kind }: TaskWork, end: TaskEnd, times: TaskTimes): TaskRow {
  return {
    id,
    wallet,
    workspace_id: workspaceId,
    kind,
    status: end.status,
    duration_ms: end.durationMs,
    node_id: end.served?.nodeId ?? null,
    http_status: end.httpStatus ?? null,
    result: end.result,
    error_code: end.error?.code ?? null,
    error_message: end.error?.message ?? null,
    error_hint: end.error?.hint ?? null,
    cold_start_ms: end.served?.waitedMs ?? null,
    created_at: times.createdAt,
    finished_at: times.finishedAt,
    // Receipts are committed in batches, later.
    queue_position: null,
    wait_until: null,
    has_receipt: false,
  };
}

/** The task of an earlier request with the same Idempotency-Key; waits for its end if `wait` is set. */
async function repeated(deps: ApiDeps, work: TaskWork, wait: boolean, disconnected: AbortSignal) {
  for (;;) {
    const task = await findTaskByKey(deps.db, work.wallet, work.idempotencyKey ?? "");
    if (task === undefined) {
      throw new RetryableError("The task with this Idempotency-Key was just discarded.", {
        code: "task_discarded",
        hint: "Send the request again.",
      });
    }
    const hasEnded = task.status !== "queued" && task.status !== "running";
    if (hasEnded) return taskOf(task);
    if (!wait || disconnected.aborted) return new Reply(202, taskOf(task));
    await rest(200, disconnected);
  }
}

/** @throws InputError `workspace_closed` (409). */
function requireOpen(workspace: WorkspaceRow): void {
  if (isOpen(workspace, Date.now() / 1000)) return;
  throw new InputError(`The workspace ${workspace.id} is closed.`, {
    code: "workspace_closed",
    status: 409,
    hint: "Publish another workspace.",
  });
}

/** The same error with the id of the task in its details. */
function withTask(failure: NgpuError, taskId: string): NgpuError {
  const options = {
    code: failure.code,
    hint: failure.hint,
    details: { ...failure.details, taskId },
    cause: failure,
  };
  if (failure.retryable) return new RetryableError(failure.message, options);
  const status = failure instanceof InputError ? failure.status : 422;
  return new InputError(failure.message, { ...options, status });
}
