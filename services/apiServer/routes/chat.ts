import { randomUUID } from "node:crypto";
import { InputError } from "@ngpu/runtime/errors";
import type { Request } from "express";
import { z } from "zod";
import { headersForContainer } from "../containerHeaders.ts";
import { coldStartSeconds, innerModel, isOpen, parseModel } from "../decide.ts";
import type { ApiDeps } from "../deps.ts";
import { type Endpoint, endpoint } from "../endpoint.ts";
import { budgetKeyOf, requireBudget } from "../keyLimits.ts";
import { shownParts, withField } from "../multipart.ts";
import { passResponse } from "../passResponse.ts";
import { withMember } from "../payload.ts";
import { bodyTextOf } from "../requestBody.ts";
import {
  chatAnswer,
  chatRequest,
  formRequest,
  modelEntry,
  modelList,
  modelRequest,
  timeoutHeaders,
} from "../schemas/tasks.ts";
import { listReplicas, listWorkspaces, type WorkspaceRow } from "../store/workspaces.ts";
import type { TaskWork } from "../taskWork.ts";

const events = { contentType: "text/event-stream", description: "With `stream: true`" };
/** Clients accept any type for it. */
const audio = { contentType: "*/*", description: "The audio, or its events with `stream_format: sse`" };

/** The format of a transcription is the caller's choice. */
const anyText = {
  contentType: "*/*",
  description: "JSON, or the text, subtitles or events that the fields ask for",
};

type Passed = {
  path: string;
  summary: string;
  body: typeof chatRequest | typeof modelRequest | typeof formRequest;
  streams: { contentType: string; description: string };
  /** Its body is a form with files. */
  isForm?: boolean;
};

const form = { body: formRequest, streams: anyText, isForm: true };

/** OpenAI's endpoints that a container serves itself, each under the same path; `rerank` is that of vLLM and TEI. */
const passed: Passed[] = [
  { path: "/v1/chat/completions", summary: "Chat with a workspace", body: chatRequest, streams: events },
  {
    path: "/v1/completions",
    summary: "Complete a text with a workspace",
    body: modelRequest,
    streams: events,
  },
  {
    path: "/v1/embeddings",
    summary: "Embed texts with a workspace",
    body: modelRequest,
    streams: events,
  },
  {
    path: "/v1/responses",
    summary: "Get a workspace's response to an input",
    body: modelRequest,
    streams: events,
  },
  {
    path: "/v1/images/generations",
    summary: "Generate images with a workspace",
    body: modelRequest,
    streams: events,
  },
  {
    path: "/v1/audio/speech",
    summary: "Speak a text with a workspace",
    body: modelRequest,
    streams: audio,
  },
  {
    path: "/v1/moderations",
    summary: "Classify an input with a workspace",
    body: modelRequest,
    streams: events,
  },
  {
    path: "/v1/rerank",
    summary: "Order documents by a query with a workspace",
    body: modelRequest,
    streams: events,
  },
  { path: "/v1/audio/transcriptions", summary: "Transcribe a recording with a workspace", ...form },
  { path: "/v1/audio/translations", summary: "Translate a recording with a workspace", ...form },
  { path: "/v1/images/edits", summary: "Edit images with a workspace", ...form },
  { path: "/v1/images/variations", summary: "Vary an image with a workspace", ...form },
];

export function chatRoutes(deps: ApiDeps): Endpoint[] {
  return [...passed.map((one) => passedRoute(deps, one)), models(deps), modelOf(deps)];
}

const passedRoute = (deps: ApiDeps, { path, summary, body, streams, isForm = false }: Passed) =>
  endpoint(
    {
      method: "post",
      path,
      tag: "OpenAI-compatible",
      summary,
      description:
        "Compatible with OpenAI's endpoint. The container receives the body as sent, with its own model name, and its response passes unchanged. `stream: true` streams server-sent events.",
      access: "partner",
      headers: timeoutHeaders,
      body,
      isForm,
      errors: [404, 409, 502, 504],
      passes: true,
      answer: chatAnswer,
      streams,
      openAiErrors: true,
    },
    async ({ partner, body: given, headers, request, response, requestId, disconnected }) => {
      const workspace = await requireModel(deps, partner.wallet, given.model);
      await requireBudget(deps.db, partner);
      const model = innerModel(given.model);
      const text = bodyTextOf(request) ?? Buffer.from(JSON.stringify(given));
      const work: TaskWork = {
        id: randomUUID(),
        requestId,
        wallet: partner.wallet,
        keyId: partner.keyId,
        budgetKeyId: budgetKeyOf(partner),
        coldStartSeconds: coldStartSeconds(workspace),
        workspaceId: workspace.id,
        kind: "chat",
        method: "POST",
        path,
        ...(isForm ? formOf(request, text, model) : { payload: withMember(text, "model", model) }),
        headers: headersForContainer(request),
        timeouts: { progress: headers["x-ngpu-timeout"], total: headers["x-ngpu-total-timeout"] },
        idempotencyKey: undefined,
      };
      deps.tasks.start(work);
      response.setHeader("x-ngpu-task-id", work.id);
      await deps.tasks.watch(passResponse(deps, work, response, disconnected));
      return undefined;
    },
  );

/** A form with the container's own model, and what the task shows of it. */
function formOf(
  request: Request,
  bytes: Buffer,
  model: string | undefined,
): Pick<TaskWork, "payload" | "input"> {
  const type = request.headers["content-type"] ?? "";
  const payload = withField(bytes, type, "model", model);
  return { payload, input: Buffer.from(JSON.stringify(shownParts(payload, type))) };
}

const models = (deps: ApiDeps) =>
  endpoint(
    {
      method: "get",
      path: "/v1/models",
      tag: "OpenAI-compatible",
      summary: "List your workspaces that take requests as models",
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
          // One at 0 takes requests, too.
          .filter((one) => running.has(one.id) || coldStartSeconds(one) !== undefined)
          .filter((one) => isOpen(one, Date.now() / 1000))
          .map((one) => modelEntryOf(one, `ws-${one.id}`, partner.wallet)),
      };
    },
  );

const modelOf = (deps: ApiDeps) =>
  endpoint(
    {
      method: "get",
      path: "/v1/models/:model",
      tag: "OpenAI-compatible",
      summary: "Show a workspace as a model",
      access: "partner",
      params: z.object({ model: modelRequest.shape.model }),
      answer: modelEntry,
      openAiErrors: true,
    },
    async ({ partner, params: { model } }) =>
      modelEntryOf(await requireModel(deps, partner.wallet, model), model, partner.wallet),
  );

const modelEntryOf = (workspace: WorkspaceRow, id: string, wallet: string) => ({
  id,
  object: "model" as const,
  created: Math.floor(workspace.published_at ?? 0),
  owned_by: wallet,
  name: workspace.name,
});

/** The workspace that a model names. @throws InputError `model_not_found` (404). */
export async function requireModel(
  deps: Pick<ApiDeps, "hot">,
  wallet: string,
  model: string,
): Promise<WorkspaceRow> {
  const parsed = parseModel(model);
  const found =
    parsed !== undefined && "id" in parsed
      ? await deps.hot.workspace(wallet, parsed.id)
      : parsed && (await deps.hot.workspaceByName(wallet, parsed.name));
  if (found !== undefined && isOpen(found, Date.now() / 1000)) return found;
  const what = found === undefined ? `You have no workspace ${model}.` : `The workspace ${model} is closed.`;
  throw new InputError(what, {
    code: "model_not_found",
    status: 404,
    hint: "GET /v1/models lists your running workspaces.",
  });
}
