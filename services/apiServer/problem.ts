import { STATUS_CODES } from "node:http";
import { translateDatabaseError } from "@ngpu/db/pool";
import { InputError, NgpuError } from "@ngpu/runtime/errors";
import { answerErrors, requestIdIn, requestLogger } from "@ngpu/runtime/http";
import type { Logger } from "@ngpu/runtime/logger";
import type { ErrorRequestHandler, Request, Response } from "express";

/** One invalid field. `pointer` is a JSON Pointer into the part of the request that `location` names. */
export type FieldError = { location: string; pointer: string; detail: string };

/** An error as a caller sees it: RFC 9457's members without `type` and `instance`. */
export type Problem = {
  status: number;
  code: string;
  title: string;
  detail: string;
  hint: string;
  errors: FieldError[] | undefined;
  details: Record<string, unknown> | undefined;
};

/** Seconds after which a caller tries again when nothing more precise is known. */
const retryAfterSeconds = 5;

const unsupported = {
  code: "media_type_unsupported",
  hint: "Send application/json in UTF-8, uncompressed or with gzip, deflate or br.",
};

/** Codes and hints of the errors that express and its body parser throw, by their type. */
const parserErrors: Record<string, { code: string; hint: string }> = {
  "entity.too.large": { code: "body_too_large", hint: "Send a shorter body." },
  "entity.parse.failed": { code: "json_invalid", hint: "Send a JSON object." },
  "encoding.unsupported": unsupported,
  "charset.unsupported": unsupported,
};

/** Sends errors as `application/problem+json` (RFC 9457). */
export function problemHandler(logger: Logger): ErrorRequestHandler {
  return answerErrors((error, request, response) => {
    const { status, code, title, detail, hint, errors, details } = beginError(logger, error, {
      request,
      response,
    });
    const requestId = requestIdIn(response);
    const body = {
      type: `urn:ngpu:error:${code}`,
      title,
      status,
      detail,
      instance: `urn:ngpu:request:${encodeURIComponent(requestId)}`,
      code,
      hint,
      errors,
      details,
      request_id: requestId,
    };
    return { status, type: "application/problem+json", body };
  });
}

/** Logs an error of this server, sets Retry-After, and translates the error. */
export function beginError(
  logger: Logger,
  error: unknown,
  { request, response }: { request: Request; response: Response },
): Problem {
  const known = translateDatabaseError(error);
  const problem = problemOf(known);
  const { status } = problem;
  if (status >= 500 && status !== 503) {
    const { method, path } = request;
    requestLogger(logger, response).error({ event: "request_failed", method, path, error });
  }
  if ((status === 429 || status === 503) && !response.hasHeader("retry-after")) {
    response.setHeader("retry-after", String(problem.details?.retryAfterSeconds ?? retryAfterSeconds));
  }
  return problem;
}

function problemOf(error: unknown): Problem {
  const status = statusOf(error);
  const title = STATUS_CODES[status] ?? "Error";
  if (error instanceof NgpuError) {
    const { errors, ...details } = error.details as { errors?: FieldError[] } & Record<string, unknown>;
    return {
      status,
      title,
      code: error.code,
      detail: error.message,
      hint: error.hint,
      errors,
      details: Object.keys(details).length === 0 ? undefined : details,
    };
  }
  const none = { errors: undefined, details: undefined };
  if (status >= 500 || !(error instanceof Error)) {
    return {
      ...none,
      status: 500,
      title: "Internal Server Error",
      code: "internal_error",
      detail: "Internal error.",
      hint: "Try again. If it recurs, report the request_id to the market's operator.",
    };
  }
  const type = "type" in error ? String(error.type) : "";
  const { code, hint } = parserErrors[type] ?? {
    code: "request_invalid",
    hint: "See the API documentation at /docs.",
  };
  const known = { ...none, status, title, code, hint };
  if (type === "entity.too.large" && "limit" in error) {
    const limitBytes = Number(error.limit);
    return { ...known, details: { limitBytes }, detail: `The body is larger than ${limitBytes} bytes.` };
  }
  return { ...known, detail: error.message };
}

function statusOf(error: unknown): number {
  if (error instanceof InputError) return error.status;
  if (error instanceof NgpuError) return error.retryable ? 503 : 500;
  // body-parser and express set a status on their own client errors.
  if (error instanceof Error && "status" in error && typeof error.status === "number") return error.status;
  return 500;
}
