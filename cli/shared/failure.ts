import { ApiError, ApiUnreachableError, StreamCutError } from "@ngpu/api-client/errors";
import { messageOf, NgpuError } from "@ngpu/runtime/errors";

/** What a command prints about its failure. */
export type Failure = {
  code: string;
  message: string;
  hint: string;
  status?: number;
  request_id?: string;
  errors?: readonly { location: string; pointer: string; detail: string }[];
  details?: Record<string, unknown>;
};

/** The facts of any error. */
export function failureOf(error: unknown): Failure {
  if (error instanceof ApiError) {
    return {
      code: error.code,
      message: error.message,
      status: error.status,
      hint: error.hint ?? "See the API's documentation at /docs.",
      ...(error.requestId === undefined ? {} : { request_id: error.requestId }),
      ...(error.errors.length === 0 ? {} : { errors: error.errors }),
      ...(Object.keys(error.details).length === 0 ? {} : { details: { ...error.details } }),
    };
  }
  if (error instanceof ApiUnreachableError) {
    const hint = "Set its URL with --api, NGPU_API or ngpu login; ngpu doctor checks the connection.";
    return { code: "api_unreachable", message: error.message, hint };
  }
  if (error instanceof StreamCutError) {
    return { code: "stream_cut", message: error.message, hint: "Run the command again." };
  }
  if (error instanceof NgpuError) return { code: error.code, message: error.message, hint: error.hint };
  return { code: "internal_error", message: messageOf(error), hint: "Report this with the command." };
}

/** The failure as lines for people. */
export function failureText({ code, message, hint, errors = [], request_id: id }: Failure): string {
  const others = errors.slice(1).map(({ location, pointer, detail }) => `  ${location} ${pointer} ${detail}`);
  return [message, ...others, hint, `(${code}${id === undefined ? "" : `, request ${id}`})`].join("\n");
}
