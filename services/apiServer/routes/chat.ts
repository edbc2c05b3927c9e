import { randomUUID } from "node:crypto";
import type { Request } from "express";
import { headersForContainer } from "../containerHeaders.ts";
import { coldStartSeconds, innerModel } from "../decide.ts";
import type { ApiDeps } from "../deps.ts";
import { type Endpoint, endpoint } from "../endpoint.ts";
import { budgetKeyOf, requireBudget } from "../keyLimits.ts";
import { shownParts, withField } from "../multipart.ts";
import { passResponse } from "../passResponse.ts";
import { withMember } from "../payload.ts";
import { bodyTextOf } from "../requestBody.ts";
import { chatAnswer, chatRequest, formRequest, modelRequest, timeoutHeaders } from "../schemas/tasks.ts";
import type { TaskWork } from "../taskWork.ts";
import { requireModel } from "./models.ts";

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
  return passed.map((one) => passedRoute(deps, one));
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
