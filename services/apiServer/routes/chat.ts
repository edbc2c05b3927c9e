import { randomUUID } from "node:crypto";
import { InputError } from "@ngpu/runtime/errors";
import type { Response } from "express";
import { innerModel, isOpen, parseModel } from "../decide.ts";
import type { ApiDeps } from "../deps.ts";
import { type Endpoint, endpoint } from "../endpoint.ts";
import type { GatewayAnswer } from "../gatewayClient.ts";
import { chatAnswer, chatRequest, modelList } from "../schemas/tasks.ts";
import {
  findWorkspace,
  findWorkspaceByName,
  listReplicas,
  listWorkspaces,
  type WorkspaceRow,
} from "../store/workspaces.ts";
import { containerError, noAnswer, type TaskWork } from "../taskRunner.ts";
import { createTranscript } from "../transcript.ts";

export function chatRoutes(deps: ApiDeps): Endpoint[] {
  return [completions(deps), models(deps)];
}

const completions = (deps: ApiDeps) =>
  endpoint(
    {
      method: "post",
      path: "/v1/chat/completions",
      tag: "OpenAI-compatible",
      summary: "Chat with a workspace",
      description: "Compatible with OpenAI's endpoint; `stream: true` streams server-sent events.",
      access: "partner",
      body: chatRequest,
      answer: chatAnswer,
      streams: { contentType: "text/event-stream", description: "With `stream: true`" },
      openAiErrors: true,
    },
    async ({ partner, body, response, requestId, disconnected }) => {
      const workspace = await requireModel(deps, partner.wallet, body.model);
      const work: TaskWork = {
        id: randomUUID(),
        requestId,
        wallet: partner.wallet,
        keyId: partner.keyId,
        workspaceId: workspace.id,
        kind: "chat",
        method: "POST",
        path: "/v1/chat/completions",
        input: { ...body, model: innerModel(body.model) },
        idempotencyKey: undefined,
      };
      await deps.tasks.begin(work);
      response.setHeader("x-ngpu-task-id", work.id);
      await deps.tasks.watch(passChat(deps, work, response, disconnected));
      return undefined;
    },
  );

const models = (deps: ApiDeps) =>
  endpoint(
    {
      method: "get",
      path: "/v1/models",
      tag: "OpenAI-compatible",
      summary: "List your running workspaces as models",
      access: "partner",
      answer: modelList,
      openAiErrors: true,
    },
    async ({ partner }) => {
      const workspaces = await listWorkspaces(deps.db, partner.wallet, 200, undefined);
      const replicas = await listReplicas(
        deps.db,
        workspaces.map((workspace) => workspace.id),
      );
      const running = new Set(
        replicas
          .filter((one) => one.state === "running" && one.release_reason === null)
          .map((one) => one.workspace_id),
      );
      return {
        object: "list" as const,
        data: workspaces
          .filter((workspace) => running.has(workspace.id) && workspace.status === "open")
          .map((workspace) => ({
            id: `ws-${workspace.id}`,
            object: "model" as const,
            created: Math.floor(workspace.published_at ?? 0),
            owned_by: partner.wallet,
            name: workspace.name,
          })),
      };
    },
  );

async function requireModel(deps: ApiDeps, wallet: string, model: string): Promise<WorkspaceRow> {
  const parsed = parseModel(model);
  const found =
    parsed !== undefined && "id" in parsed
      ? await findWorkspace(deps.db, wallet, parsed.id)
      : parsed && (await findWorkspaceByName(deps.db, wallet, parsed.name));
  if (found !== undefined && isOpen(found, Date.now() / 1000)) return found;
  const what = found === undefined ? `You have no workspace ${model}.` : `The workspace ${model} is closed.`;
  throw new InputError(what, {
    code: "model_not_found",
    status: 404,
    hint: "GET /v1/models lists your running workspaces.",
  });
}

/** Streams the container's response to the client and records its content. */
async function passChat(
  deps: ApiDeps,
  work: TaskWork,
  response: Response,
  disconnected: AbortSignal,
): Promise<void> {
  const started = performance.now();
  let served: GatewayAnswer | undefined;
  try {
    served = await deps.tasks.open(work, disconnected);
    const { message } = served;
    const httpStatus = message.statusCode ?? 502;
    const contentType = String(message.headers["content-type"] ?? "application/json");
    response.status(httpStatus).setHeader("content-type", contentType);
    response.setHeader("x-ngpu-node-id", String(served.nodeId));
    // Proxies must not buffer the stream.
    response.setHeader("cache-control", "no-cache, no-transform");
    response.setHeader("x-accel-buffering", "no");
    response.flushHeaders();
    const transcript = createTranscript(contentType);
    for await (const part of message as AsyncIterable<Buffer>) {
      transcript.add(part);
      if (!response.write(part)) await drained(response, disconnected);
    }
    const isSuccess = httpStatus >= 200 && httpStatus < 300;
    await deps.tasks.end(work, started, {
      status: isSuccess ? "succeeded" : "failed",
      served,
      httpStatus,
      result: transcript.result(),
      error: isSuccess ? undefined : containerError(httpStatus),
    });
    response.end();
  } catch (error) {
    const failure = deps.tasks.errorOf(error, disconnected);
    await deps.tasks.end(work, started, { ...noAnswer(failure), served });
    if (!response.headersSent) throw failure;
    // The client must see that the stream was cut.
    response.destroy();
  }
}

async function drained(response: Response, disconnected: AbortSignal): Promise<void> {
  const ready = Promise.withResolvers<void>();
  response.once("drain", ready.resolve);
  disconnected.addEventListener("abort", () => ready.resolve(), { once: true });
  await ready.promise;
  disconnected.throwIfAborted();
}
