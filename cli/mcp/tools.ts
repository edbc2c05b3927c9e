/** A JSON schema, and the operations of an OpenAPI document, as far as tools need them. */
type Json = Record<string, unknown>;
type Parameter = { name: string; in: string; required?: boolean; description?: string; schema?: Json };
type Operation = {
  operationId: string;
  summary: string;
  description?: string;
  parameters?: Parameter[];
  requestBody?: { content: Record<string, { schema: Json }> };
};
export type OpenApiDocument = {
  paths: Record<string, Record<string, Operation>>;
  components?: { schemas?: Record<string, Json> };
};

/** A tool of the Model Context Protocol, and the route that it calls. */
export type Tool = {
  name: string;
  route: string;
  description: string;
  inputSchema: Json;
  readOnly: boolean;
  destructive: boolean;
  /** Whether an Idempotency-Key makes a repetition of it harmless. */
  idempotent: boolean;
};

/** What an agent needs to run programs on the market. Money that a wallet signs, keys and streams are not among them. */
const routes: readonly string[] = [
  "GET /v1/market",
  "GET /v1/nodes",
  "GET /v1/nodes/{id}",
  "POST /v1/match/explain",
  "POST /v1/workspaces",
  "GET /v1/workspaces",
  "GET /v1/workspaces/{id}",
  "GET /v1/workspaces/{id}/events",
  "GET /v1/workspaces/{id}/stats",
  "POST /v1/workspaces/{id}/update",
  "POST /v1/workspaces/{id}/stop",
  "POST /v1/workspaces/{id}/start",
  "DELETE /v1/workspaces/{id}",
  "POST /v1/tasks",
  "GET /v1/tasks",
  "GET /v1/tasks/{id}",
  "POST /v1/tasks/{id}/cancel",
  "GET /v1/tasks/{id}/receipt",
  "GET /v1/models",
  "GET /v1/account",
  "GET /v1/usage",
  "GET /v1/invoices",
  "GET /v1/invoices/{month}",
];

/**
 * The market's operations as tools, described by its own OpenAPI document.
 *
 * @param readOnly Only those that change nothing.
 */
export function toolsOf(document: OpenApiDocument, readOnly: boolean): Tool[] {
  const { schemas = {} } = document.components ?? {};
  return routes.flatMap((route) => {
    const [method = "", path = ""] = route.split(" ");
    const operation = document.paths[path]?.[method.toLowerCase()];
    if (operation === undefined) return [];
    const tool = toolOf(route, operation, schemas);
    return readOnly && !tool.readOnly ? [] : [tool];
  });
}

function toolOf(route: string, operation: Operation, schemas: Record<string, Json>): Tool {
  const [method = ""] = route.split(" ");
  const { parameters = [], description, summary } = operation;
  const body = operation.requestBody?.content["application/json"]?.schema;
  // An agent reads JSON.
  const inQuery = parameters.filter(({ name }) => name !== "format");
  const parts = {
    ...partOf("path", parameters),
    ...partOf("query", inQuery),
    ...(body === undefined ? {} : { body }),
  };
  const required = Object.keys(parts).filter((part) => part !== "query");
  const readOnly = method === "GET" || route === "POST /v1/match/explain";
  return {
    name: operation.operationId,
    route,
    description: description === undefined ? `${summary}.` : `${summary}. ${description}`,
    inputSchema: withDefinitions(
      { type: "object", properties: parts, required, additionalProperties: false },
      schemas,
    ),
    readOnly,
    destructive: !readOnly,
    idempotent: parameters.some(({ name }) => name.toLowerCase() === "idempotency-key"),
  };
}

function partOf(place: "path" | "query", parameters: readonly Parameter[]): Json {
  const own = parameters.filter((one) => one.in === place);
  if (own.length === 0) return {};
  const properties = Object.fromEntries(
    own.map(({ name, schema, description }) => [
      name,
      { ...schema, ...(description === undefined ? {} : { description }) },
    ]),
  );
  const required = own.filter((one) => one.required === true).map(({ name }) => name);
  return { [place]: { type: "object", properties, required, additionalProperties: false } };
}

const reference = /"#\/components\/schemas\/([^"]+)"/g;

/** The schema with those that it refers to, so that it stands alone. */
function withDefinitions(schema: Json, schemas: Record<string, Json>): Json {
  const found = new Set<string>();
  const collect = (value: unknown) => {
    for (const [, name = ""] of JSON.stringify(value).matchAll(reference)) {
      if (found.has(name)) continue;
      found.add(name);
      collect(schemas[name] ?? {});
    }
  };
  collect(schema);
  const definitions = Object.fromEntries([...found].map((name) => [name, schemas[name] ?? {}]));
  const whole = found.size === 0 ? schema : { ...schema, $defs: definitions };
  return JSON.parse(JSON.stringify(whole).replaceAll(reference, '"#/$$defs/$1"')) as Json;
}
