import { randomBytes } from "node:crypto";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { abortOnClose, RequestError, readJson, sendJson, writePiece } from "../shared/http.ts";
import { log } from "../shared/log.ts";
import { complete } from "./complete.ts";
import type { Model } from "./model/train.ts";
import { type CompletionRequest, parseCompletion } from "./request.ts";

export type ChatDeps = {
  model: Model;
  /** The name under which /v1/models lists it. */
  modelId: string;
  /** Tells one training text from another, as OpenAI's system_fingerprint does. */
  fingerprint: string;
  /** When the server started, in seconds since 1970. */
  created: number;
  tokensPerSecond: number;
  /** Completions drawn at once; more are refused with 429. */
  maxConcurrent: number;
  maxBodyBytes: number;
};

/** The OpenAI-shaped endpoints over one model. */
export function chatHandler(deps: ChatDeps): RequestListener {
  const state = { running: 0 };
  return (request, response) => {
    const path = (request.url ?? "/").split("?")[0] ?? "/";
    answer(deps, state, request, response, path).catch((error: Error) => fail(request, response, error));
  };
}

async function answer(
  deps: ChatDeps,
  state: { running: number },
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
): Promise<void> {
  const { modelId, created } = deps;
  const card = { id: modelId, object: "model", created, owned_by: "ngpu" };
  const name = `${request.method} ${path}`;
  if (name === "GET /healthz") return sendJson(response, 200, { ok: true, model: modelId });
  if (name === "GET /v1/models") return sendJson(response, 200, { object: "list", data: [card] });
  if (name === `GET /v1/models/${modelId}`) return sendJson(response, 200, card);
  if (name !== "POST /v1/chat/completions") {
    throw new RequestError(404, "unknown_url", `There is no endpoint ${name}.`);
  }
  const asked = parseCompletion(await readJson(request, deps.maxBodyBytes), modelId);
  if (state.running >= deps.maxConcurrent) {
    throw new RequestError(
      429,
      "rate_limit_exceeded",
      "Too many completions are running. Try again shortly.",
    );
  }
  state.running += 1;
  try {
    await (asked.stream ? stream : whole)(deps, asked, response);
  } finally {
    state.running -= 1;
  }
}

function head({ modelId, fingerprint }: ChatDeps, object: string) {
  const id = `chatcmpl-${randomBytes(12).toString("hex")}`;
  return {
    id,
    object,
    created: Math.floor(Date.now() / 1000),
    model: modelId,
    system_fingerprint: fingerprint,
  };
}

async function whole(deps: ChatDeps, request: CompletionRequest, response: ServerResponse): Promise<void> {
  let content = "";
  const onText = (text: string) => {
    content += text;
  };
  const { finish, usage } = await run(deps, request, abortOnClose(response), onText);
  const message = { role: "assistant", content, refusal: null };
  const choices = [{ index: 0, message, logprobs: null, finish_reason: finish }];
  sendJson(response, 200, { ...head(deps, "chat.completion"), choices, usage });
}

async function stream(deps: ChatDeps, request: CompletionRequest, response: ServerResponse): Promise<void> {
  const signal = abortOnClose(response);
  const common = { ...head(deps, "chat.completion.chunk"), ...(request.includeUsage && { usage: null }) };
  const send = (body: object) =>
    writePiece(response, `data: ${JSON.stringify({ ...common, ...body })}\n\n`, signal);
  const delta = (change: object, finish: string | null = null) =>
    send({ choices: [{ index: 0, delta: change, logprobs: null, finish_reason: finish }] });
  response.writeHead(200, {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache",
    "X-Accel-Buffering": "no",
  });
  await delta({ role: "assistant", content: "" });
  const { finish, usage } = await run(deps, request, signal, (content) => delta({ content }));
  await delta({}, finish);
  if (request.includeUsage) await send({ choices: [], usage });
  response.end("data: [DONE]\n\n");
}

/** Completes and logs how it went, which is where one sees that a client's leaving stopped the work. */
async function run(
  { model, tokensPerSecond }: ChatDeps,
  request: CompletionRequest,
  signal: AbortSignal,
  onText: (text: string) => void | Promise<void>,
) {
  const started = performance.now();
  const duration = () => Math.round(performance.now() - started);
  try {
    const done = await complete({ model, request, tokensPerSecond, signal, onText });
    log("completion", { finish: done.finish, ...done.usage, duration: duration() });
    return done;
  } catch (error) {
    if (signal.aborted) log("completion", { finish: "client_gone", duration: duration() });
    throw error;
  }
}

/** OpenAI's error shape; a client that has gone gets nothing. */
function fail(request: IncomingMessage, response: ServerResponse, error: Error): void {
  if (response.headersSent || response.destroyed) return void response.destroy();
  const known = error instanceof RequestError;
  if (!known) log("failed", { error: error.message });
  // An unread body would be taken for the next request.
  if (!request.complete) response.setHeader("Connection", "close");
  const { status, message, field, code } = known
    ? error
    : { status: 500, message: "The model failed.", field: null, code: null };
  const types: Record<number, string> = { 429: "rate_limit_error", 500: "server_error" };
  const type = types[status] ?? "invalid_request_error";
  sendJson(response, status, { error: { message, type, param: field, code } });
}
