import type { ApiClient } from "@ngpu/api-client/client";
import { InputError } from "@ngpu/runtime/errors";

/** Statuses of workspaces that are over. */
export const ended: readonly string[] = ["closed", "expired"];

/**
 * The id of a workspace given by id or name. A name means the newest open workspace with it.
 *
 * @throws InputError `workspace_name_unknown`.
 */
export async function findWorkspace(api: ApiClient, given: string): Promise<string> {
  if (/^\d+$/.test(given)) return given;
  const found = await findByName(api, given);
  if (found !== undefined) return found;
  throw new InputError(`You have no open workspace named ${given}.`, {
    code: "workspace_name_unknown",
    hint: "ngpu ps lists your workspaces.",
  });
}

/** The newest open workspace of the name; undefined if there is none. */
export async function findByName(api: ApiClient, name: string): Promise<string | undefined> {
  for await (const workspace of api.list("GET /v1/workspaces", { query: { limit: 200 } })) {
    if (workspace.name === name && !ended.includes(workspace.status)) return workspace.id;
  }
  return undefined;
}
