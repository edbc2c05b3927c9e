import { InputError } from "@ngpu/runtime/errors";
import { requestIdIn } from "@ngpu/runtime/http";
import { toJson } from "@ngpu/runtime/json";
import type { Request, RequestHandler, Response } from "express";
import { z } from "zod";
import { type Partner, requirePartner } from "./access.ts";

/** Who may call: `partner` needs an API key; `auth` is public but counted strictly. */
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

/** What an endpoint says of itself: the schemas that validate a call are those that its documentation shows. */
export type EndpointFacts = Shapes & {
  method: "get" | "post" | "delete";
  /** As express writes it: `/v1/workspaces/:id`. */
  path: string;
  tag: string;
  summary: string;
  description?: string;
  access: Access;
  /** Sends a transaction that this server pays for. */
  writes?: boolean;
  /** Status of an answer that went well; 200 when left out. */
  status?: number;
  answer: z.ZodType;
  /** What the answer is when it isn't JSON. */
  streams?: { contentType: string; description: string };
  /** Errors take OpenAI's shape instead of ours. */
  openAiErrors?: boolean;
};

export type Endpoint = EndpointFacts & { handler: RequestHandler };

/**
 * Describes an endpoint and its handler. The handler returns what is answered as JSON, or undefined when it has answered
 * by itself; `reply` changes the status.
 */
export function endpoint<const Facts extends EndpointFacts>(
  facts: Facts,
  handle: (
    call: Call<Facts> & (Facts["access"] extends "partner" ? { partner: Partner } : unknown),
  ) => Promise<z.input<Facts["answer"]> | Reply<z.input<Facts["answer"]>> | undefined>,
): Endpoint {
  const handler: RequestHandler = async (request, response) => {
    const partner = facts.access === "partner" ? { partner: requirePartner(response) } : {};
    const call = {
      ...partner,
      params: read("path", facts.params, request.params),
      query: read("query", facts.query, request.query),
      headers: read("header", facts.headers, request.headers),
      body: read("body", facts.body, request.body ?? {}),
      request,
      response,
      requestId: requestIdIn(response),
      disconnected: disconnectSignal(response),
    };
    // The call's parts were read by the very schemas that its type is made of.
    const answer = await handle(call as unknown as Parameters<typeof handle>[0]);
    if (answer === undefined || response.headersSent) return;
    const { status, body } = answer instanceof Reply ? answer : { status: facts.status ?? 200, body: answer };
    response.status(status).type("json").send(toJson(body));
  };
  return { ...facts, handler };
}

/** An answer with another status than the endpoint's usual one. */
export class Reply<Body> {
  readonly status: number;
  readonly body: Body;
  constructor(status: number, body: Body) {
    this.status = status;
    this.body = body;
  }
}

function read(location: string, schema: z.ZodType | undefined, value: unknown): unknown {
  if (schema === undefined) return undefined;
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const errors = parsed.error.issues.map((issue) => ({
    path: issue.path.map(String).join("."),
    message: issue.message,
  }));
  const [first] = errors;
  const where = first?.path ? `${location} ${first.path}` : `the ${location}`;
  throw new InputError(`In ${where}: ${first?.message}.`, {
    code: "request_invalid",
    hint: "See the API documentation at /docs.",
    details: { location, errors },
  });
}

function disconnectSignal(response: Response): AbortSignal {
  const disconnected = new AbortController();
  response.once("close", () => {
    if (!response.writableFinished) disconnected.abort(new Error("the client disconnected"));
  });
  return disconnected.signal;
}

/** The text of a header that a client may send with a write, so that a repeat does nothing twice. */
export const idempotencyHeader = z.object({
  "idempotency-key": z
    .string()
    .regex(/^[\x21-\x7e]{1,100}$/, "must be 1 to 100 visible ASCII characters")
    .optional()
    .meta({ description: "Idempotency key: a repeated request with the same key has no further effect." }),
});
