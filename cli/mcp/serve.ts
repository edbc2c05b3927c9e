import { randomUUID } from "node:crypto";
import type { ApiClient } from "@ngpu/api-client/client";
import { ApiError } from "@ngpu/api-client/errors";
import type { InputOf, Route } from "@ngpu/api-client/routes";
import { messageOf } from "@ngpu/runtime/errors";
import { version } from "@ngpu/runtime/version";
import { json } from "../shared/output.ts";
import type { Tool } from "./tools.ts";

/** A message of JSON-RPC 2.0; one without `id` is a notification. */
type Message = {
  jsonrpc?: string;
  id?: string | number | null;
  method?: string;
  params?: Record<string, unknown>;
};
type Reply = { jsonrpc: "2.0"; id: string | number | null } & (
  | { result: unknown }
  | { error: { code: number; message: string } }
);

/** Revisions of the Model Context Protocol that this server speaks, the newest first. */
const revisions = ["2025-06-18", "2025-03-26", "2024-11-05"];
const errors = { parse: -32_700, request: -32_600, method: -32_601, params: -32_602 } as const;

/**
 * Answers one line of a client of the Model Context Protocol.
 *
 * @returns The reply, a line; undefined for a notification.
 */
export async function answerLine(
  deps: { api: ApiClient; tools: readonly Tool[] },
  line: string,
): Promise<string | undefined> {
  let message: Message;
  try {
    message = JSON.parse(line) as Message;
  } catch {
    return json(failure(null, errors.parse, "The line is not JSON."));
  }
  const isMessage = typeof message === "object" && message !== null && !Array.isArray(message);
  if (!isMessage || typeof message.method !== "string")
    return json(failure(isMessage ? (message.id ?? null) : null, errors.request, "It is no request."));
  if (message.id === undefined) return undefined;
  return json(await answer(deps, message.id, message.method, message.params ?? {}));
}

async function answer(
  { api, tools }: { api: ApiClient; tools: readonly Tool[] },
  id: string | number | null,
  method: string,
  params: Record<string, unknown>,
): Promise<Reply> {
  const result = (value: unknown): Reply => ({ jsonrpc: "2.0", id, result: value });
  if (method === "initialize") return result(greeting(params.protocolVersion));
  if (method === "ping") return result({});
  if (method === "tools/list") return result({ tools: tools.map(listed) });
  if (method !== "tools/call") return failure(id, errors.method, `There is no method ${method}.`);
  const tool = tools.find(({ name }) => name === params.name);
  if (tool === undefined) return failure(id, errors.params, `There is no tool ${String(params.name)}.`);
  return result(await call(api, tool, params.arguments));
}

function greeting(asked: unknown) {
  const protocolVersion = revisions.find((one) => one === asked) ?? revisions[0];
  return {
    protocolVersion,
    capabilities: { tools: {} },
    serverInfo: { name: "ngpu", version },
    instructions:
      "Tools of a GPU market. Amounts are decimal strings of token units (1e-18 NGPU). A workspace is published, gets a node and runs; getV1WorkspacesId says why one does not. Running workspaces cost tokens by the second: delete them when they are done.",
  };
}

const listed = ({ name, description, inputSchema, readOnly, destructive }: Tool) => ({
  name,
  description,
  inputSchema,
  annotations: { readOnlyHint: readOnly, destructiveHint: destructive, openWorldHint: true },
});

/** Calls the API. An error is a result, which the model can act on. */
async function call(api: ApiClient, { route, idempotent }: Tool, given: unknown) {
  const content = (value: unknown) => [{ type: "text", text: json(value) }];
  try {
    const input = (given ?? {}) as InputOf<Route>;
    const options = idempotent ? { idempotencyKey: randomUUID() } : {};
    const value: unknown = await api.call(route as Route, input, options);
    return { content: content(value), structuredContent: value };
  } catch (error) {
    const {
      code,
      hint,
      details,
      errors: fields,
    } = error instanceof ApiError ? error : ({} as Partial<ApiError>);
    return {
      content: content({ message: messageOf(error), code, hint, details, errors: fields }),
      isError: true,
    };
  }
}

function failure(id: string | number | null, code: number, message: string): Reply {
  return { jsonrpc: "2.0", id, error: { code, message } };
}
