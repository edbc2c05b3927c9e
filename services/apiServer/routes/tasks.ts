import { randomUUID } from "node:crypto";
import { InputError, type NgpuError, RetryableError } from "@ngpu/runtime/errors";
import { rest } from "@ngpu/runtime/loop";
import { z } from "zod";
import { dedupeKeyOf } from "../chainWriter.ts";
import { isOpen } from "../decide.ts";
import type { ApiDeps } from "../deps.ts";
import { type Endpoint, endpoint, idempotencyHeader, Reply } from "../endpoint.ts";
import { memberValue } from "../payload.ts";
import { bodyTextOf } from "../requestBody.ts";
import { newTask, taskAnswer, taskList, taskPage } from "../schemas/tasks.ts";
import { findResult, findTask, findTaskByKey, listTasks, type TaskRow } from "../store/tasks.ts";
import type { WorkspaceRow } from "../store/workspaces.ts";
import type { TaskWork } from "../taskRunner.ts";
import { requireWorkspace } from "./workspaces.ts";

export function taskRoutes(deps: ApiDeps): Endpoint[] {
  return [runTask(deps), showTask(deps), showResult(deps), showTasks(deps)];
}

const runTask = (deps: ApiDeps) =>
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
      const workspace = await requireWorkspace(deps.db, partner.wallet, body.workspaceId);
      const idempotencyKey = await dedupeKeyOf(deps.db, partner.wallet, "task", {
        key: headers["idempotency-key"],
        body,
      });
      const work: TaskWork = {
        id: randomUUID(),
        requestId,
        wallet: partner.wallet,
        keyId: partner.keyId,
        workspaceId: body.workspaceId,
        kind: "task",
        method: body.method,
        path: body.path,
        ...payloadOf(body, bodyTextOf(request)),
        timeouts: { progress: body.timeoutSeconds, total: body.totalTimeoutSeconds },
        idempotencyKey,
      };
      // A repetition of an earlier task still gets its result.
      if (idempotencyKey === undefined) requireOpen(workspace);
      else if ((await findTaskByKey(deps.db, partner.wallet, idempotencyKey)) === undefined)
        requireOpen(workspace);
      if (!(await deps.tasks.begin(work))) return repeated(deps, work, body.wait, disconnected);
      if (!body.wait) {
        deps.tasks.runInBackground(work);
        return new Reply(202, taskOf(await requireTask(deps, partner.wallet, work.id)));
      }
      // With a key the client may ask for the result later, so the task continues after a disconnect.
      const cancellation = idempotencyKey === undefined ? disconnected : new AbortController().signal;
      const failure = await deps.tasks.run(work, cancellation);
      if (failure !== undefined) throw withTask(failure, work.id);
      const task = await requireTask(deps, partner.wallet, work.id);
      if (task.node_id !== null) response.setHeader("x-ngpu-node-id", String(task.node_id));
      return taskOf(task);
    },
  );

const showTask = (deps: ApiDeps) =>
  endpoint(
    {
      method: "get",
      path: "/v1/tasks/:id",
      tag: "Tasks",
      summary: "Show a task",
      access: "partner",
      params: z.object({ id: z.uuid() }),
      answer: taskAnswer,
    },
    async ({ partner, params }) => taskOf(await requireTask(deps, partner.wallet, params.id)),
  );

const showResult = (deps: ApiDeps) =>
  endpoint(
    {
      method: "get",
      path: "/v1/tasks/:id/result",
      tag: "Tasks",
      summary: "Download a task's result as the container sent it",
      description:
        "The bytes of the response's body with its content-type and content-encoding. Results of OpenAI-compatible calls are not kept as bytes.",
      access: "partner",
      params: z.object({ id: z.uuid() }),
      answer: z.unknown(),
      streams: { contentType: "*/*", description: "The response's body" },
    },
    async ({ partner, params, response }) => {
      await requireTask(deps, partner.wallet, params.id);
      const found = await findResult(deps.db, partner.wallet, params.id);
      if (found === undefined) {
        throw new InputError("The task has no stored response.", {
          code: "task_result_not_found",
          status: 404,
          hint: "GET /v1/tasks/{id} shows the task's status and its result as JSON.",
        });
      }
      response.setHeader("content-type", found.contentType ?? "application/octet-stream");
      if (found.contentEncoding !== undefined) response.setHeader("content-encoding", found.contentEncoding);
      // A browser neither shows nor runs what a container has sent.
      response.setHeader("content-disposition", "attachment");
      response.setHeader("content-length", found.bytes.length);
      response.end(found.bytes);
      return undefined;
    },
  );

/** The input as the container receives it: the bytes of the request's own text. */
function payloadOf(body: z.output<typeof newTask>, text: Buffer | undefined) {
  if (body.method === "GET" || body.input === undefined) return { input: undefined, payload: undefined };
  const payload = text && memberValue(text, "input");
  return { input: body.input, payload: payload ?? Buffer.from(JSON.stringify(body.input)) };
}

const showTasks = (deps: ApiDeps) =>
  endpoint(
    {
      method: "get",
      path: "/v1/tasks",
      tag: "Tasks",
      summary: "List your tasks, newest first",
      access: "partner",
      query: taskPage,
      answer: taskList,
    },
    async ({ partner, query }) => {
      const { limit, after, workspaceId } = query;
      const rows = await listTasks(deps.db, partner.wallet, { limit, after, workspaceId });
      return {
        tasks: rows.map((row) => {
          const { result: _none, ...head } = taskOf(row);
          return head;
        }),
        next: rows.length === limit ? (rows.at(-1)?.id ?? null) : null,
      };
    },
  );

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

async function requireTask({ db }: ApiDeps, wallet: string, id: string): Promise<TaskRow> {
  const task = await findTask(db, wallet, id);
  if (task !== undefined) return task;
  throw new InputError(`You have no task ${id}.`, {
    code: "task_not_found",
    hint: "GET /v1/tasks lists your tasks.",
    status: 404,
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

export function taskOf(row: TaskRow) {
  return {
    id: row.id,
    status: row.status,
    workspaceId: row.workspace_id,
    kind: row.kind,
    nodeId: row.node_id,
    ms: row.duration_ms,
    httpStatus: row.http_status,
    result: row.result ?? null,
    error:
      row.error_code === null
        ? null
        : { code: row.error_code, message: row.error_message ?? "", hint: row.error_hint },
    createdAt: row.created_at.toISOString(),
    finishedAt: row.finished_at?.toISOString() ?? null,
  };
}
