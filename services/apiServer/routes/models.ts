import { InputError } from "@ngpu/runtime/errors";
import { z } from "zod";
import { coldStartSeconds, isOpen, parseModel } from "../decide.ts";
import type { ApiDeps } from "../deps.ts";
import { type Endpoint, endpoint } from "../endpoint.ts";
import { modelEntry, modelList, modelRequest } from "../schemas/tasks.ts";
import { listReplicas, listWorkspaces, type WorkspaceRow } from "../store/workspaces.ts";

export function modelRoutes(deps: ApiDeps): Endpoint[] {
  return [models(deps), modelOf(deps)];
}

const models = (deps: ApiDeps) =>
  endpoint(
    {
      method: "get",
      path: "/v1/models",
      tag: "OpenAI-compatible",
      summary: "List your workspaces that take requests as models",
      access: "partner",
      answer: modelList,
      openAiErrors: true,
    },
    async ({ partner }) => {
      const workspaces = await listWorkspaces(deps.db, partner.wallet, 200, undefined);
      const replicas = await listReplicas(
        deps.db,
        workspaces.map((workspace) => workspace.id),
      );
      const running = new Set(
        replicas
          .filter((one) => one.state === "running" && one.release_reason === null)
          .map((one) => one.workspace_id),
      );
      return {
        object: "list" as const,
        data: workspaces
          // One at 0 takes requests, too.
          .filter((one) => running.has(one.id) || coldStartSeconds(one) !== undefined)
          .filter((one) => isOpen(one, Date.now() / 1000))
          .map((one) => modelEntryOf(one, `ws-${one.id}`, partner.wallet)),
      };
    },
  );

const modelOf = (deps: ApiDeps) =>
  endpoint(
    {
      method: "get",
      path: "/v1/models/:model",
      tag: "OpenAI-compatible",
      summary: "Show a workspace as a model",
      access: "partner",
      params: z.object({ model: modelRequest.shape.model }),
      answer: modelEntry,
      openAiErrors: true,
    },
    async ({ partner, params: { model } }) =>
      modelEntryOf(await requireModel(deps, partner.wallet, model), model, partner.wallet),
  );

const modelEntryOf = (workspace: WorkspaceRow, id: string, wallet: string) => ({
  id,
  object: "model" as const,
  created: Math.floor(workspace.published_at ?? 0),
  owned_by: wallet,
  name: workspace.name,
});

/** The workspace that a model names. @throws InputError `model_not_found` (404). */
export async function requireModel(
  deps: Pick<ApiDeps, "hot">,
  wallet: string,
  model: string,
): Promise<WorkspaceRow> {
  const parsed = parseModel(model);
  const found =
    parsed !== undefined && "id" in parsed
      ? await deps.hot.workspace(wallet, parsed.id)
      : parsed && (await deps.hot.workspaceByName(wallet, parsed.name));
  if (found !== undefined && isOpen(found, Date.now() / 1000)) return found;
  const what = found === undefined ? `You have no workspace ${model}.` : `The workspace ${model} is closed.`;
  throw new InputError(what, {
    code: "model_not_found",
    status: 404,
    hint: "GET /v1/models lists your running workspaces.",
  });
}
