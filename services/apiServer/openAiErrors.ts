import { InputError, NgpuError } from "@ngpu/runtime/errors";
import { requestIdIn, requestLogger } from "@ngpu/runtime/http";
import { toJson } from "@ngpu/runtime/json";
import type { Logger } from "@ngpu/runtime/logger";
import type { ErrorRequestHandler } from "express";

/** Sends errors in the format that OpenAI's clients expect. */
export function openAiErrorHandler(logger: Logger): ErrorRequestHandler {
  return (error, request, response, next) => {
    if (response.locals.openAiErrors !== true || response.headersSent) {
      next(error);
      return;
    }
    const status = statusOf(error);
    if (status >= 500 && status !== 503)
      requestLogger(logger, response).error({
        event: "request_failed",
        method: request.method,
        path: request.path,
        error,
      });
    const known = error instanceof NgpuError;
    response
      .status(status)
      .type("json")
      .send(
        toJson({
          error: {
            message: known || status < 500 ? sentence(error) : "Internal error.",
            type: typeOf(status),
            param: null,
            code: known ? error.code : null,
            request_id: requestIdIn(response),
          },
        }),
      );
  };
}

function sentence(error: Error): string {
  return error instanceof NgpuError && error.hint !== undefined
    ? `${error.message} ${error.hint}`
    : error.message;
}

function statusOf(error: unknown): number {
  if (error instanceof InputError) return error.status;
  if (error instanceof NgpuError) return error.retryable ? 503 : 500;
  if (error instanceof Error && "status" in error && typeof error.status === "number") return error.status;
  return 500;
}

function typeOf(status: number): string {
  if (status === 401) return "authentication_error";
  if (status === 429) return "rate_limit_error";
  return status < 500 ? "invalid_request_error" : "api_error";
}
