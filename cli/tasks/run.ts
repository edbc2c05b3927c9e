import { randomUUID } from "node:crypto";
import type { ApiClient } from "@ngpu/api-client/client";
import { ApiError } from "@ngpu/api-client/errors";
import { InputError } from "@ngpu/runtime/errors";
import { parseJson, readText } from "../shared/files.ts";
import { json, print, shown } from "../shared/output.ts";
import { type GlobalOptions, partnerApi, type Settings, settingsOf } from "../shared/settings.ts";
import { untilInterrupted } from "../shared/signals.ts";
import { parseSeconds } from "../shared/units.ts";
import { findWorkspace } from "../workspaces/find.ts";
import { endOf, showResult } from "./result.ts";

type Options = GlobalOptions & {
  path: string;
  method?: string;
  async: boolean;
  stream: boolean;
  output?: string;
  timeoutSeconds?: string;
  waitForCapacity?: string;
};

/** @deadline The result of a task; the market's longest own deadlines are 14,400 s after 3,600 s of waiting. The command fails. */
const resultTimeout = 18_060_000;

/** Paths whose answers the API passes on as they arrive. */
const streamed = [
  "/v1/chat/completions",
  "/v1/completions",
  "/v1/embeddings",
  "/v1/responses",
  "/v1/images/generations",
] as const;

/** Runs a task and prints its result. Ctrl-C aborts it in the container. The exit code is 3 when the task fails. */
export async function runTask(given: string, input: string | undefined, options: Options): Promise<void> {
  const settings = settingsOf(options);
  const value = input === undefined ? undefined : inputOf(input);
  const workspaceId = await findWorkspace(partnerApi(settings), given);
  await untilInterrupted(async (signal) => {
    const api = partnerApi(settings, signal);
    if (options.stream) return stream(api, workspaceId, value, options.path);
    await run(api, settings, { workspaceId, value, options });
  });
}

async function run(
  api: ApiClient,
  settings: Settings,
  { workspaceId, value, options }: { workspaceId: string; value: unknown; options: Options },
): Promise<void> {
  const { waitForCapacity: wait } = options;
  const body = {
    workspaceId,
    path: options.path,
    wait: !options.async,
    ...(wait === undefined ? {} : { waitForCapacity: { maxSeconds: parseSeconds(wait) } }),
    method: (options.method ?? (value === undefined ? "GET" : "POST")).toUpperCase() as "POST",
    ...(value === undefined ? {} : { input: value }),
    ...(options.timeoutSeconds === undefined ? {} : { timeoutSeconds: Number(options.timeoutSeconds) }),
  };
  if (options.async) {
    const task = await api.call("POST /v1/tasks", { body }, { idempotencyKey: randomUUID() });
    return print(settings.json ? json(task) : task.id);
  }
  // Without a key the API aborts the task when this client leaves, so the request is not repeated.
  const task = await api
    .call("POST /v1/tasks", { body }, { timeoutMs: resultTimeout })
    .catch((error: unknown) => {
      const id = error instanceof ApiError ? error.details.taskId : undefined;
      if (typeof id !== "string") throw error;
      return api.call("GET /v1/tasks/{id}", { path: { id } });
    });
  await showResult(settings, task, options.output);
  endOf(task);
}

/** Prints the data of each event as it arrives. */
async function stream(api: ApiClient, id: string, value: unknown, path: string): Promise<void> {
  const route = streamed.find((each) => each === path);
  if (route === undefined) {
    throw new InputError(`The answer of ${path} cannot be streamed.`, {
      code: "path_not_streamed",
      hint: `Use one of ${streamed.join(", ")}, or run without --stream.`,
    });
  }
  const body = { ...(value as object | undefined), model: `ws-${id}`, stream: true } as never;
  for await (const { data } of api.stream(`POST ${route}`, { body }))
    if (data !== "[DONE]") print(shown(data));
}

/** The JSON of an argument, of @file, or of stdin. */
function inputOf(text: string): unknown {
  const hint = 'Write JSON, such as \'{"prompt": "a cat"}\', @file or -.';
  if (text === "-") return parseJson(readText("-"), "The input on stdin", hint);
  if (text.startsWith("@")) return parseJson(readText(text.slice(1)), text.slice(1), hint);
  return parseJson(text, `The input ${text}`, hint);
}
