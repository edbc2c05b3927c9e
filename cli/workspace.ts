import { FatalError, InputError } from "@ngpu/runtime/errors";
import { callApi } from "./api.ts";

export type WorkspaceOptions = { api: string; key?: string; json: boolean };
export type UpdateOptions = WorkspaceOptions & {
  image?: string;
  replicas?: string;
  maxDown?: string;
  maxPrice?: string;
  env?: string[];
  health?: string;
};

type Updated = { id: string; updated: string | null; scaled: string | null };

/**
 * Updates a workspace over the partner API.
 *
 * @throws FatalError `api_key_not_configured`; InputError `option_invalid`; the errors of `callApi`.
 */
export async function updateWorkspace(id: string, options: UpdateOptions): Promise<void> {
  const { image, replicas, maxDown, maxPrice, env, health } = options;
  const body = {
    image,
    health,
    replicas: replicas === undefined ? undefined : Number(replicas),
    maxDown: maxDown === undefined ? undefined : Number(maxDown),
    maxPricePerSecond: maxPrice,
    env: env === undefined ? undefined : Object.fromEntries(env.map(variableOf)),
  };
  if (options.key === undefined) {
    throw new FatalError("No API key is set.", {
      code: "api_key_not_configured",
      hint: "Pass --key or set NGPU_API_KEY.",
    });
  }
  const path = `/v1/workspaces/${encodeURIComponent(id)}/update`;
  const answer = (await callApi(options, path, body)) as Updated;
  const lines = [
    answer.updated === null
      ? "The spec is unchanged."
      : `Updated in ${answer.updated}; the replicas are replaced.`,
    ...(answer.scaled === null ? [] : [`Scaled in ${answer.scaled}.`]),
  ];
  process.stdout.write(`${options.json ? JSON.stringify(answer) : lines.join("\n")}\n`);
}

function variableOf(text: string): [string, string] {
  const at = text.indexOf("=");
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
  throw new InputError(`${text} is not NAME=value.`, {
    code: "option_invalid",
    hint: "Write the variable as NAME=value.",
  });
}
