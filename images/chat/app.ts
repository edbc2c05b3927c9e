import { randomBytes } from "node:crypto";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { abortOnClose, RequestError, readJson, sendJson, writePiece } from "../shared/http.ts";
import { log } from "../shared/log.ts";
import { complete } from "./complete.ts";
import type { Model } from "./model/train.ts";
import { type CompletionRequest, parseCompletion } from "./request.ts";

export type ChatDeps = {
  model: Model;
  /** Id of the model in /v1/models. */
  modelId: string;
  /** Identifies the training text, as OpenAI's system_fingerprint. */
  fingerprint: string;
  /** Start time of the server, Unix seconds. */
  created: number;
  tokensPerSecond: number;
  /** Maximum concurrent completions; more are rejected with 429. */
  maxConcurrent: number;
  maxBodyBytes: number;
};

/** The OpenAI-compatible endpoints of one model. */
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
    throw new RequestError(
      404,
      "unknown_url",
      `There is no endpoint ${name}.`,
      "Use POST /v1/chat/completions or GET /v1/models.",
    );
  }
  const completion = parseCompletion(await readJson(request, deps.maxBodyBytes), modelId);
  if (state.running >= deps.maxConcurrent) {
    throw new RequestError(
      429,
      "rate_limit_exceeded",
      "Too many completions are running.",
      "Try again in a few seconds.",
    );
  }
  state.running += 1;
  try {
    await (completion.stream ? sendStream : sendCompletion)(deps, completion, response);
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

async function sendCompletion(
  deps: ChatDeps,
  request: CompletionRequest,
  response: ServerResponse,
): Promise<void> {
  let content = "";
  const onText = (text: string) => {
    content += text;
  };
  const { finish, usage } = await run(deps, request, abortOnClose(response), onText);
  const message = { role: "assistant", content, refusal: null };
  const choices = [{ index: 0, message, logprobs: null, finish_reason: finish }];
  sendJson(response, 200, { ...head(deps, "chat.completion"), choices, usage });
}

async function sendStream(
  deps: ChatDeps,
  request: CompletionRequest,
  response: ServerResponse,
): Promise<void> {
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

/** Completes a request and logs its end, also when the client disconnected. */
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

const failed = {
  status: 500,
  message: "The model failed.",
  hint: "Try again. The container's log has the reason.",
  field: null,
  code: null,
};

/** Sends an error in OpenAI's format; nothing to a disconnected client. */
function fail(request: IncomingMessage, response: ServerResponse, error: Error): void {
  if (response.headersSent || response.destroyed) return void response.destroy();
  const known = error instanceof RequestError;
  if (!known) log("failed", { error: error.message });
  // Otherwise the unread body would be parsed as the next request.
  if (!request.complete) response.setHeader("Connection", "close");
  const { status, message, hint, field, code } = known ? error : failed;
  const types: Record<number, string> = { 429: "rate_limit_error", 500: "server_error" };
  const type = types[status] ?? "invalid_request_error";
  sendJson(response, status, { error: { message: `${message} ${hint}`, type, param: field, code } });
}
