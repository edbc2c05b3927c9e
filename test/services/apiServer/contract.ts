import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { isOpenAiPath } from "../../../services/apiServer/openAiErrors.ts";

type Reference = { $ref: string };
type Media = Record<string, { schema?: unknown }>;
type ResponseObject = { headers?: Record<string, HeaderObject | Reference>; content?: Media };
type HeaderObject = { required?: boolean; schema: unknown };
export type Operation = {
  operationId: string;
  security?: unknown[];
  parameters?: { name: string; in: "path" | "query" | "header"; required?: boolean; schema: unknown }[];
  requestBody?: { content: Media };
  responses: Record<string, ResponseObject | Reference>;
};
/** An OpenAPI 3.1 document. */
export type OpenApi = { paths: Record<string, Record<string, Operation>>; components: object };

/** One answer of the server. */
export type Answered = {
  method: string;
  /** With its query. */
  path: string;
  status: number;
  headers: Headers;
  /** Undefined: not looked at. */
  body: string | undefined;
};

export type Contract = {
  document: OpenApi;
  /** What the document does not allow about an answer; empty when it allows everything. */
  errorsOf(answered: Answered): string[];
};

/** Files that the server serves as they are; they are no operations. */
const filePaths = /^\/(docs\/|client(\/|$))/;

/** Checks answers against the OpenAPI document that the server serves. */
export function createContract(document: OpenApi): Contract {
  const checker = { document, validate: createValidator(document) };
  const find = createFinder(document);
  return {
    document,
    errorsOf: (answered) => {
      const path = answered.path.split("?")[0] ?? "";
      if (filePaths.test(path) && path !== "/docs/") return [];
      const found = find(answered.method, path);
      return [
        ...requestIdErrors(answered),
        ...(found === undefined
          ? errorsOutside(answered, path, checker)
          : errorsOfOperation(answered, found, checker)),
      ];
    },
  };
}

type Found = { operation: Operation; pointer: string[] };
type Validate = (pointer: string[], value: unknown) => string[];
type Checker = { document: OpenApi; validate: Validate };

/** Compiles each schema of the document once. */
function createValidator(document: OpenApi): Validate {
  const ajv = new Ajv2020({ strict: false, allErrors: false });
  addFormats.default(ajv);
  ajv.addSchema(document, "openapi");
  const compiled = new Map<string, ValidateFunction>();
  return (pointer, value) => {
    const $ref = `openapi#${pointer.map((part) => `/${encodeURIComponent(part.replaceAll("~", "~0").replaceAll("/", "~1"))}`).join("")}`;
    const check = compiled.get($ref) ?? ajv.compile({ $ref });
    compiled.set($ref, check);
    if (check(value)) return [];
    return (check.errors ?? []).map(
      ({ instancePath, message, params }) =>
        `${instancePath || "the value"} ${message} ${JSON.stringify(params)}`,
    );
  };
}

function createFinder({ paths }: OpenApi) {
  const templates = Object.keys(paths)
    // A path without parameters comes before one that it also matches.
    .sort((one, other) => one.split("{").length - other.split("{").length)
    .map((path) => ({
      path,
      pattern: new RegExp(`^${path.replaceAll(".", "\\.").replaceAll(/\{\w+\}/g, "[^/]+")}/?$`, "i"),
    }));
  return (method: string, path: string): Found | undefined => {
    for (const template of templates) {
      if (!template.pattern.test(path)) continue;
      const name = method === "HEAD" ? "get" : method.toLowerCase();
      const operation = paths[template.path]?.[name];
      if (operation !== undefined) return { operation, pointer: ["paths", template.path, name] };
    }
    return undefined;
  };
}

function errorsOfOperation(
  answered: Answered,
  { operation, pointer }: Found,
  { document, validate }: Checker,
): string[] {
  const { status, headers } = answered;
  if (status === 500) return [`the server failed: ${answered.body}`];
  // Only a container's response has this header where any response may pass.
  const passes = operation.responses.default !== undefined && headers.has("x-ngpu-node-id");
  const key = passes ? "default" : String(status);
  const given = operation.responses[key];
  if (given === undefined) return [`the status ${status} is not documented: ${answered.body}`];
  const at = "$ref" in given ? given.$ref.slice(2).split("/") : [...pointer, "responses", key];
  const response = valueAt(document, at) as ResponseObject;
  return [
    ...headerErrors(headers, response, at, { document, validate }),
    ...(passes ? [] : bodyErrors(answered, response, at, validate)),
  ];
}

function headerErrors(
  headers: Headers,
  response: ResponseObject,
  pointer: string[],
  { document, validate }: Checker,
): string[] {
  return Object.entries(response.headers ?? {}).flatMap(([name, given]) => {
    const at = "$ref" in given ? given.$ref.slice(2).split("/") : [...pointer, "headers", name];
    const { required } = valueAt(document, at) as HeaderObject;
    const value = headers.get(name);
    if (value === null) return required === true ? [`the header ${name} is missing`] : [];
    return validate([...at, "schema"], value).map((error) => `header ${name}: ${error}`);
  });
}

function bodyErrors(
  { method, headers, body }: Answered,
  response: ResponseObject,
  pointer: string[],
  validate: Validate,
): string[] {
  if (body === undefined) return [];
  if (response.content === undefined) return body === "" ? [] : [`the body is not documented: ${body}`];
  const type = headers.get("content-type")?.split(";")[0] ?? "";
  const documented = response.content[type] === undefined ? "*/*" : type;
  if (response.content[documented] === undefined) return [`the content type "${type}" is not documented`];
  if (method === "HEAD" || !/json$/.test(documented)) return [];
  return jsonErrors(body, (value) => validate([...pointer, "content", documented, "schema"], value));
}

function jsonErrors(body: string, check: (value: unknown) => string[]): string[] {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return [`the body is not JSON: ${body}`];
  }
  return check(value).map((error) => `body: ${error}`);
}

/** An answer to a request of no operation: 404 or 405 as a problem, or what OPTIONS answers. */
function errorsOutside(
  { method, status, headers, body }: Answered,
  path: string,
  { validate }: Checker,
): string[] {
  if (method === "OPTIONS" && status === 204) {
    const isDescribed = headers.has("allow") || headers.has("access-control-allow-methods");
    return isDescribed ? [] : ["the header allow is missing"];
  }
  if (![400, 404, 405, 429].includes(status))
    return [`the status ${status} is not allowed outside operations`];
  if (status === 405 && !headers.has("allow")) return ["the header allow is missing"];
  if (body === undefined || method === "HEAD") return [];
  const schema = isOpenAiPath(path) ? "OpenAiError" : "Problem";
  return jsonErrors(body, (value) => validate(["components", "schemas", schema], value));
}

/** An error's body names the request as its header does. */
function requestIdErrors({ status, headers, body }: Answered): string[] {
  const header = headers.get("x-request-id");
  if (header === null) return ["the header x-request-id is missing"];
  if (status < 400 || body === undefined || headers.has("x-ngpu-node-id")) return [];
  if (headers.get("content-type")?.startsWith("application/") !== true || body === "") return [];
  return jsonErrors(body, (value) => {
    const { request_id: named = header } = value as { request_id?: string };
    return named === header ? [] : [`request_id is ${named}, x-request-id is ${header}`];
  });
}

const valueAt = (document: object, pointer: string[]): unknown =>
  pointer.reduce<unknown>((value, part) => (value as Record<string, unknown>)?.[part], document);
