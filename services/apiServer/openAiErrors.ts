import { answerErrors, requestIdIn } from "@ngpu/runtime/http";
import type { Logger } from "@ngpu/runtime/logger";
import type { ErrorRequestHandler } from "express";
import { beginError } from "./problem.ts";

/** Paths below `/v1/` that OpenAI's clients call. */
const openAiPaths =
  /^\/v1\/(assistants|audio|batches|chat|completions|containers|conversations|embeddings|engines|evals|files|fine[-_]tun(es|ing)|images\/(edits|generations|variations)|models|moderations|organization|realtime|rerank|responses|threads|uploads|vector_stores|videos)(\/|$)/i;

/** Whether OpenAI's clients call this path, served here or not. */
export const isOpenAiPath = (path: string) => openAiPaths.test(path);

/** Sends errors of OpenAI-compatible paths in the format that OpenAI's clients expect. */
export function openAiErrorHandler(logger: Logger): ErrorRequestHandler {
  return answerErrors((given, request, response) => {
    if (!isOpenAiPath(request.path)) return undefined;
    const { status, code, detail, hint, errors } = beginError(logger, given, { request, response });
    const [first] = errors ?? [];
    const error = {
      message: `${detail} ${hint}`,
      type: typeOf(status),
      param: first === undefined ? null : first.pointer.slice(1).replaceAll("/", "."),
      code,
    };
    return { status, type: "json", body: { error, request_id: requestIdIn(response) } };
  });
}

function typeOf(status: number): string {
  if (status === 401) return "authentication_error";
  if (status === 429) return "rate_limit_error";
  return status < 500 ? "invalid_request_error" : "api_error";
}
