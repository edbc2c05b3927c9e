import { STATUS_CODES } from "node:http";
import type { ZodOpenApiResponseObject, ZodOpenApiResponsesObject } from "zod-openapi";
import type { Endpoint } from "./endpoint.ts";
import { problemBody } from "./schemas/common.ts";
import { openAiError } from "./schemas/tasks.ts";

const headerRef = (name: string) => ({ $ref: `#/components/headers/${name}` });

/** Headers that responses refer to. */
export const headerComponents = {
  RequestId: {
    description: "Id of the request: the client's own, or a generated one",
    required: true,
    schema: { type: "string" as const, pattern: "^[A-Za-z0-9._:-]{1,128}$" },
  },
  RetryAfter: {
    description: "Seconds after which the request may succeed",
    required: true,
    schema: { type: "string" as const, pattern: "^[0-9]+$" },
  },
  RateLimit: {
    description: "Remaining calls (r) and seconds until more are allowed (t)",
    schema: { type: "string" as const },
  },
  RateLimitPolicy: {
    description: "The limit: calls (q) per seconds (w)",
    schema: { type: "string" as const },
  },
  TaskId: {
    description: "Id of the task that records the call",
    schema: { type: "string" as const, format: "uuid" },
  },
  NodeId: {
    description: "Id of the node that served the call",
    schema: { type: "string" as const, pattern: "^[0-9]+$" },
  },
};

const commonHeaders = { "x-request-id": headerRef("RequestId") };
const limitHeaders = { ratelimit: headerRef("RateLimit"), "ratelimit-policy": headerRef("RateLimitPolicy") };
const taskHeaders = { "x-ngpu-task-id": headerRef("TaskId"), "x-ngpu-node-id": headerRef("NodeId") };
const retryable = [429, 503];

/** What each error status means. The keys are the error statuses that the API uses. */
const errorTexts: Record<number, string> = {
  400: "A parameter, a header or the body is invalid; `errors` names each invalid field",
  401: "The API key is missing or invalid, or the sign-in is not valid",
  403: "The key lacks the scope, or another wallet owns what the request uses",
  404: "It does not exist, or belongs to another account",
  406: "The request accepts no type that the API can send",
  409: "The request conflicts with the current state",
  410: "It has ended, or is not kept any more",
  413: "The body is too large; `details.limitBytes` is the limit",
  415: "The body's type, encoding or charset is not supported",
  422: "The container's response is too large to store; the task ran",
  426: "The endpoint is a WebSocket",
  429: "Too many requests",
  500: "An error of this API",
  501: "The client of the replica's node is too old for this request",
  502: "The container's response is invalid or broke off, or the connection to it was lost",
  503: "A part that the API needs does not answer, or no replica is reachable; try again",
  504: "The container did not respond by the deadline",
};

const shapes = {
  problem: { prefix: "", type: "application/problem+json", schema: problemBody },
  openAi: { prefix: "OpenAi", type: "application/json", schema: openAiError },
};
type Shape = keyof typeof shapes;

const nameOf = (shape: Shape, status: number) =>
  `${shapes[shape].prefix}${(STATUS_CODES[status] ?? "Error").replaceAll(/[^A-Za-z]/g, "")}`;

function errorResponse(shape: Shape, status: number): ZodOpenApiResponseObject {
  const { type, schema } = shapes[shape];
  return {
    description: errorTexts[status] ?? "Error",
    headers: {
      ...commonHeaders,
      ...limitHeaders,
      ...(retryable.includes(status) ? { "retry-after": headerRef("RetryAfter") } : {}),
      ...(shape === "openAi" ? taskHeaders : {}),
    },
    content: { [type]: { schema } },
  };
}

/** The error responses that the operations refer to. */
export function errorComponents(
  endpoints: readonly Endpoint[],
  others: readonly number[],
): Record<string, ZodOpenApiResponseObject> {
  const used = new Map<string, ZodOpenApiResponseObject>();
  const add = (shape: Shape, status: number) => used.set(nameOf(shape, status), errorResponse(shape, status));
  for (const one of endpoints) for (const status of errorStatuses(one)) add(shapeOf(one), status);
  for (const status of others) add("problem", status);
  return Object.fromEntries(used);
}

export const problemRef = (status: number) => ({
  $ref: `#/components/responses/${nameOf("problem", status)}`,
});

const shapeOf = (one: Endpoint): Shape => (one.openAiErrors === true ? "openAi" : "problem");

/** The error statuses that an endpoint can answer with: those that its facts imply, and its own. */
export function errorStatuses(one: Endpoint): number[] {
  const statuses = new Set([400, 406, 429, 500, 503, ...(one.errors ?? [])]);
  if (one.access === "partner") for (const status of [401, 403]) statuses.add(status);
  if (one.params !== undefined) statuses.add(404);
  if (one.writes === true) statuses.add(409);
  if (one.method === "post") for (const status of [413, 415]) statuses.add(status);
  // A file of any type is always acceptable.
  if (one.streams?.contentType === "*/*") statuses.delete(406);
  return [...statuses].sort((a, b) => a - b);
}

/** All responses of an endpoint. */
export function responsesOf(one: Endpoint): ZodOpenApiResponsesObject {
  const responses: ZodOpenApiResponsesObject = {
    [`${one.status ?? 200}`]: success(one, one.passes === true ? "The container's response" : "Success"),
  };
  for (const [status, description] of Object.entries(one.otherStatuses ?? {})) {
    responses[status as "200"] = success(one, description);
  }
  if (one.method === "get") {
    responses["304"] = {
      description: "Not modified, when the request has If-None-Match",
      headers: { ...commonHeaders, ...limitHeaders },
    };
  }
  for (const status of errorStatuses(one)) {
    responses[`${status}` as "400"] = { $ref: `#/components/responses/${nameOf(shapeOf(one), status)}` };
  }
  if (one.passes === true) {
    responses.default = {
      description: "The container's response, with its own status, headers and body",
      headers: {
        ...commonHeaders,
        "x-ngpu-task-id": headerRef("TaskId"),
        "x-ngpu-node-id": headerRef("NodeId"),
      },
      content: { "*/*": { schema: {} } },
    };
  }
  return responses;
}

/** OpenAPI 3.1 has no schema for a sequence, so the one of an entry takes its place. */
function streamSchema(one: Endpoint, { always, description }: NonNullable<Endpoint["streams"]>) {
  return always === true ? one.answer : { type: "string" as const, description };
}

function success(one: Endpoint, description: string): ZodOpenApiResponseObject {
  const { streams } = one;
  const stream =
    streams === undefined ? {} : { [streams.contentType]: { schema: streamSchema(one, streams) } };
  const { also } = one;
  const further =
    also === undefined
      ? {}
      : { [also.contentType]: { schema: { type: "string" as const, description: also.description } } };
  const isNeverJson = streams?.contentType === "*/*" || streams?.always === true;
  const json = isNeverJson ? {} : { "application/json": { schema: one.answer } };
  const headers = one.tag === "Tasks" || one.passes === true ? taskHeaders : {};
  return {
    description,
    headers: { ...commonHeaders, ...limitHeaders, ...headers },
    content: { ...json, ...stream, ...further },
  };
}

/** A success of a route that is no endpoint. */
export const plainSuccess = (description: string, content: ZodOpenApiResponseObject["content"]) => ({
  description,
  headers: commonHeaders,
  ...(content === undefined ? {} : { content }),
});
