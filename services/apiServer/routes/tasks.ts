import { InputError } from "@ngpu/runtime/errors";
import { rest } from "@ngpu/runtime/loop";
import { z } from "zod";
import type { ApiDeps } from "../deps.ts";
import { type Endpoint, endpoint, Reply } from "../endpoint.ts";
import { nextAfter } from "../paging.ts";
import { taskAnswer, taskList, taskPage } from "../schemas/tasks.ts";
import { requestCancel } from "../store/taskCancel.ts";
import { findResult, listTasks } from "../store/taskReads.ts";
import { requireTask, taskOf } from "../taskView.ts";
import { runTask } from "./runTask.ts";

export function taskRoutes(deps: ApiDeps): Endpoint[] {
  return [runTask(deps), showTask(deps), showResult(deps), cancelTask(deps), showTasks(deps)];
}

/** Milliseconds that a cancellation waits for the task's end, and between two polls. */
const cancelWait = { longest: 5_000, pause: 100 };

const cancelTask = (deps: ApiDeps) =>
  endpoint(
    {
      method: "post",
      path: "/v1/tasks/:id/cancel",
      tag: "Tasks",
      summary: "Cancel a task",
      description:
        "Closes the container's request, wherever the task runs, and answers with the task. A task that has ended stays as it is.",
      access: "partner",
      params: z.object({ id: z.uuid() }),
      otherStatuses: { 202: "The task is being cancelled" },
      answer: taskAnswer,
    },
    async ({ partner, params, disconnected }) => {
      await requireTask(deps.db, partner.wallet, params.id);
      await requestCancel(deps.db, partner.wallet, params.id);
      const deadline = performance.now() + cancelWait.longest;
      for (;;) {
        const task = await requireTask(deps.db, partner.wallet, params.id);
        const hasEnded = task.status !== "queued" && task.status !== "running";
        if (hasEnded) return taskOf(task);
        if (disconnected.aborted || performance.now() > deadline) return new Reply(202, taskOf(task));
        await rest(cancelWait.pause, disconnected);
      }
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
    async ({ partner, params }) => taskOf(await requireTask(deps.db, partner.wallet, params.id)),
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
      await requireTask(deps.db, partner.wallet, params.id);
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
        next: nextAfter(rows, limit, (row) => row.id),
      };
    },
  );
