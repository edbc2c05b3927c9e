import { InputError } from "@ngpu/runtime/errors";
import type { Express, Request, RequestHandler, Response } from "express";
import { requirePartner } from "./access.ts";
import type { BodyBudget } from "./bodyBudget.ts";
import type { Endpoint } from "./endpoint.ts";
import type { CallLimits } from "./limits.ts";
import { multipartLimit } from "./multipart.ts";
import { payloadLimit } from "./payload.ts";
import { readForm, readJson } from "./requestBody.ts";
import { requireAccess } from "./roles.ts";
import { type Scope, scopesOf } from "./scopes.ts";

/** Largest body of a request that no container receives, in bytes. */
const bodyLimit = 256 << 10;

/** What bounds the calls of endpoints. */
export type EndpointLimits = {
  limits: CallLimits;
  budget: BodyBudget;
  /** Records the calls of an action in the audit log. */
  audit: (action: string) => RequestHandler;
};

/**
 * Serves the endpoints that run tasks. It is called before anything else is added to the app: express looks at all routes in order,
 * and these are called a thousand times as often as others.
 *
 * @param before Handlers that precede those of each endpoint.
 */
export function serveTasks(
  app: Express,
  endpoints: readonly Endpoint[],
  { before, ...bounds }: EndpointLimits & { before: readonly RequestHandler[] },
): void {
  const tasks = endpoints.filter(runsTasks);
  for (const one of tasks) app.post(one.path, ...before, ...handlersOf(one, bounds));
}

/** Serves all other endpoints. A method that a path does not have is answered with 405, and a path of no endpoint with 404. */
export function serveEndpoints(app: Express, endpoints: readonly Endpoint[], given: EndpointLimits): void {
  const { limits } = given;
  for (const one of endpoints) if (!runsTasks(one)) app[one.method](one.path, ...handlersOf(one, given));
  for (const path of new Set(endpoints.map((one) => one.path))) {
    const methods = endpoints.filter((one) => one.path === path).map((one) => one.method.toUpperCase());
    const allow = methods
      .flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : [method]))
      .concat("OPTIONS");
    app.all(path, markRoute(path), limits.general, (request, response) =>
      answerOtherMethod(request, response, allow),
    );
  }
  app.use(limits.general, (request) => {
    throw new InputError(`There is no endpoint ${request.method} ${request.path}.`, {
      code: "endpoint_not_found",
      status: 404,
      hint: "GET /docs lists the endpoints.",
    });
  });
}

function handlersOf(one: Endpoint, { limits, budget, audit }: EndpointLimits): RequestHandler[] {
  // Task inputs may be images; all other bodies are small.
  const largest = one.isForm === true ? multipartLimit : runsTasks(one) ? payloadLimit : bodyLimit;
  const read = one.isForm === true ? readForm : readJson;
  return [
    markRoute(one.path),
    requireAcceptable(one),
    one.access === "auth" ? limits.signIn : ((runsTasks(one) ? limits.tasks : undefined) ?? limits.general),
    ...(one.writes === true ? [limits.writes] : []),
    // Tasks are records themselves.
    ...(one.access === "partner" && one.method !== "get" && !runsTasks(one) ? [audit(actionOf(one))] : []),
    // The key is checked before the body is read.
    ...(one.access === "partner" ? [requireKey(scopesOf(one))] : []),
    ...(one.method === "post" && one.isUpload !== true ? [budget(largest), ...read(largest)] : []),
    one.handler,
  ];
}

/** As the documentation names it. */
const actionOf = ({ method, path }: Endpoint) =>
  `${method.toUpperCase()} ${path.replaceAll(/:(\w+)/g, "{$1}")}`;

/** Whether a call sends its body to a container. */
const runsTasks = ({ method, path, passes }: Endpoint) =>
  method === "post" && (path === "/v1/tasks" || passes === true);

/** Answers OPTIONS, and refuses every other method that a path does not have. */
function answerOtherMethod(request: Request, response: Response, allow: string[]): void {
  response.setHeader("allow", allow.join(", "));
  if (request.method !== "OPTIONS") throw notAllowed(request, allow);
  response.status(204).end();
}

/** Lets only GET and HEAD pass, for paths that are read only. */
export const onlyReads: RequestHandler = (request, response, next) => {
  if (request.method === "GET" || request.method === "HEAD") return next();
  answerOtherMethod(request, response, ["GET", "HEAD", "OPTIONS"]);
};

const markRoute =
  (path: string): RequestHandler =>
  (_request, response, next) => {
    response.locals.route = path;
    next();
  };

const requireKey =
  (scopes: readonly Scope[]): RequestHandler =>
  (_request, response: Response, next) => {
    requireAccess(requirePartner(response), scopes);
    next();
  };

function requireAcceptable(one: Endpoint): RequestHandler {
  const types = [
    ...(one.streams?.always === true ? [] : ["application/json"]),
    ...(one.streams === undefined ? [] : [one.streams.contentType]),
    ...(one.also === undefined ? [] : [one.also.contentType]),
    "application/problem+json",
  ];
  return (request, _response, next) => {
    if (one.streams?.contentType === "*/*") return next();
    if (request.accepts(types) !== false) return next();
    throw new InputError("The API cannot answer with a type that the request accepts.", {
      code: "not_acceptable",
      status: 406,
      hint: `Accept ${types.join(" or ")}.`,
    });
  };
}

function notAllowed(request: Request, allow: string[]): InputError {
  return new InputError(`${request.baseUrl}${request.path} does not have the method ${request.method}.`, {
    code: "method_not_allowed",
    status: 405,
    hint: `Use ${allow.join(", ")}.`,
  });
}
