import { requestIdIn } from "@ngpu/runtime/http";
import { toJson } from "@ngpu/runtime/json";
import type { Logger } from "@ngpu/runtime/logger";
import type { ErrorRequestHandler } from "express";
import { beginError } from "./problem.ts";

/** Paths below `/v1/` that OpenAI's clients call. */
const openAiPaths =
  /^\/v1\/(assistants|audio|batches|chat|completions|containers|conversations|embeddings|engines|evals|files|fine[-_]tun(es|ing)|images\/(edits|generations|variations)|models|moderations|organization|realtime|responses|threads|uploads|vector_stores|videos)(\/|$)/;

/** Whether OpenAI's clients call this path, served here or not. */
export const isOpenAiPath = (path: string) => openAiPaths.test(path);

/** Sends errors of OpenAI-compatible paths in the format that OpenAI's clients expect. */
export function openAiErrorHandler(logger: Logger): ErrorRequestHandler {
  return (error, request, response, next) => {
    if (!isOpenAiPath(request.path) || response.headersSent) {
      next(error);
      return;
    }
    const { status, code, detail, hint, errors } = beginError(logger, error, { request, response });
    const [first] = errors ?? [];
    response
      .status(status)
      .type("json")
      .send(
        toJson({
          error: {
            message: `${detail} ${hint}`,
            type: typeOf(status),
            param: first === undefined ? null : first.pointer.slice(1).replaceAll("/", "."),
            code,
          },
          request_id: requestIdIn(response),
        }),
      );
  };
}

function typeOf(status: number): string {
  if (status === 401) return "authentication_error";
  if (status === 429) return "rate_limit_error";
  return status < 500 ? "invalid_request_error" : "api_error";
}
