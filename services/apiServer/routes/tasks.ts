import { InputError } from "@ngpu/runtime/errors";
import { z } from "zod";
import type { ApiDeps } from "../deps.ts";
import { type Endpoint, endpoint } from "../endpoint.ts";
import { nextAfter } from "../paging.ts";
import { taskAnswer, taskList, taskPage } from "../schemas/tasks.ts";
import { findResult, listTasks } from "../store/tasks.ts";
import { requireTask, taskOf } from "../taskView.ts";
import { runTask } from "./runTask.ts";

export function taskRoutes(deps: ApiDeps): Endpoint[] {
  return [runTask(deps), showTask(deps), showResult(deps), showTasks(deps)];
}

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
