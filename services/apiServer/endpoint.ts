import { InputError } from "@ngpu/runtime/errors";
import { requestIdIn } from "@ngpu/runtime/http";
import { toJson } from "@ngpu/runtime/json";
import type { Request, RequestHandler, Response } from "express";
import { z } from "zod";
import { type Partner, requirePartner } from "./access.ts";
import type { FieldError } from "./problem.ts";

/** Access to an endpoint. `partner` requires an API key; `auth` is public with a stricter rate limit. */
export type Access = "public" | "auth" | "partner";

type Shapes = {
  params?: z.ZodObject;
  query?: z.ZodObject;
  headers?: z.ZodObject;
  body?: z.ZodType;
};
type Output<Schema> = Schema extends z.ZodType ? z.output<Schema> : undefined;

export type Call<Given extends Shapes> = {
  params: Output<Given["params"]>;
  query: Output<Given["query"]>;
  headers: Output<Given["headers"]>;
  body: Output<Given["body"]>;
  request: Request;
  response: Response;
  requestId: string;
  /** Aborted when the client disconnected. */
  disconnected: AbortSignal;
};

/** Description of an endpoint. The same schemas validate its calls and appear in its documentation. */
export type EndpointFacts = Shapes & {
  method: "get" | "post" | "delete";
  /** In express syntax: `/v1/workspaces/:id`. */
  path: string;
  tag: string;
  summary: string;
  description?: string;
  access: Access;
  /** True when a call sends a transaction whose gas this server pays. */
  writes?: boolean;
  /** HTTP status on success; default: 200. */
  status?: number;
  /** Further statuses of success, with the same body, and what they mean. */
  otherStatuses?: Record<number, string>;
  /** Error statuses besides those that access, parameters and method imply. */
  errors?: readonly number[];
  answer: z.ZodType;
  /** The body is a form with files. Its field `model` is what `body` describes; the bytes are passed on. */
  isForm?: boolean;
  /** The handler reads the request's body itself, while it arrives. */
  isUpload?: boolean;
  /** True when a container's response passes with its own status, headers and body. */
  passes?: boolean;
  /** The response when it is not JSON. */
  streams?: {
    contentType: string;
    description: string;
    /** It is never JSON: `answer` describes one entry of the stream. */
    always?: true;
  };
  /** A further type of the response. */
  also?: { contentType: string; description: string };
  /** Errors have OpenAI's format instead of ours. */
  openAiErrors?: boolean;
};

/** Parameters or a body of an endpoint that has none. */
const nothing = z.strictObject({});

export type Endpoint = EndpointFacts & { handler: RequestHandler };

/**
 * Combines an endpoint's description with its handler. The handler returns the JSON body, a Reply to change the status, or
 * undefined when it has sent the response itself.
 */
export function endpoint<const Facts extends EndpointFacts>(
  facts: Facts,
  handle: (
    call: Call<Facts> & (Facts["access"] extends "partner" ? { partner: Partner } : unknown),
  ) => Promise<z.input<Facts["answer"]> | Reply<z.input<Facts["answer"]>> | undefined>,
): Endpoint {
  const bodySchema = facts.body ?? (facts.method === "post" ? nothing : undefined);
  const handler: RequestHandler = async (request, response) => {
    const partner = facts.access === "partner" ? { partner: requirePartner(response) } : {};
    const call = {
      ...partner,
      params: read("path", facts.params, request.params),
      query: read("query", (facts.query ?? nothing).strict(), request.query),
      headers: read("header", facts.headers, request.headers),
      body: facts.isUpload === true ? undefined : read("body", bodySchema, request.body ?? {}),
      request,
      response,
      requestId: requestIdIn(response),
      disconnected: disconnectSignal(response),
    };
    // The parts were parsed by the schemas that the type is derived from.
    const answer = await handle(call as unknown as Parameters<typeof handle>[0]);
    if (answer === undefined || response.headersSent) return;
    const { status, body } = answer instanceof Reply ? answer : { status: facts.status ?? 200, body: answer };
    // For the audit log: the id of what was made.
    if (typeof body === "object" && body !== null && "id" in body) response.locals.made = String(body.id);
    response.status(status).type("json").send(toJson(body));
  };
  return { ...facts, handler };
}

/** A response with a status other than the endpoint's default. */
export class Reply<Body> {
  readonly status: number;
  readonly body: Body;
  constructor(status: number, body: Body) {
    this.status = status;
    this.body = body;
  }
}

/** Most invalid fields that an answer lists. */
const maxErrors = 50;

const read = (location: string, schema: z.ZodType | undefined, value: unknown): unknown =>
  schema === undefined ? undefined : readPart(location, schema, value);

/**
 * Reads a part of a request by its schema.
 *
 * @param location `path`, `query`, `header` or `body`.
 * @throws InputError `request_invalid`, with the invalid fields.
 */
export function readPart<Schema extends z.ZodType>(
  location: string,
  schema: Schema,
  value: unknown,
): z.output<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const errors = parsed.error.issues
    .slice(0, maxErrors)
    .flatMap((issue) => fieldErrors(location, issue))
    .slice(0, maxErrors);
  const [first] = errors;
  const where =
    first === undefined || first.pointer === "" ? location : `${location} ${first.pointer.slice(1)}`;
  throw new InputError(`Invalid ${where}: ${first?.detail}.`, {
    code: "request_invalid",
    hint: "See the API documentation at /docs.",
    details: { errors },
  });
}

function fieldErrors(location: string, issue: z.core.$ZodIssue): FieldError[] {
  const at = (path: PropertyKey[], detail: string) => ({ location, pointer: pointerTo(path), detail });
  if (issue.code !== "unrecognized_keys") return [at(issue.path, issue.message)];
  return issue.keys.map((key) => at([...issue.path, key], "is not known"));
}

/** A JSON Pointer (RFC 6901). */
function pointerTo(path: readonly PropertyKey[]): string {
  return path.map((part) => `/${String(part).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}

function disconnectSignal(response: Response): AbortSignal {
  const disconnected = new AbortController();
  const abort = () => {
    if (!response.writableFinished) disconnected.abort(new Error("the client disconnected"));
  };
  // A client may leave while its key is checked or its body is read.
  if (response.closed || response.socket?.destroyed === true) abort();
  else response.once("close", abort);
  return disconnected.signal;
}

/** Header that makes a repeated write idempotent. */
export const idempotencyHeader = z.object({
  "idempotency-key": z
    .string()
    .regex(/^[\x21-\x7e]{1,100}$/, "must be 1 to 100 visible ASCII characters")
    .optional()
    .meta({ description: "Idempotency key: a repeated request with the same key has no further effect." }),
});
