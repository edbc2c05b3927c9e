import type { PlacementExplanation } from "@ngpu/protocol/placement/request";
import type { WorkspaceSpec } from "@ngpu/protocol/workspaceSpec";
import type { ApiDeps } from "./deps.ts";
import { questionOf } from "./publicationSpec.ts";
import type { NewWorkspace } from "./schemas/workspaces.ts";
import { gpuNames } from "./store/market.ts";

/**
 * Asks match for an explanation and replaces GPU model hashes with names. The chain and match store eight bytes of each model.
 *
 * @throws RetryableError `match_unreachable`
 */
export async function explainWithModelNames(
  { db, match }: Pick<ApiDeps, "db" | "match">,
  spec: WorkspaceSpec,
  workspace: NewWorkspace,
): Promise<PlacementExplanation> {
  const explanation = await match.explain(questionOf(spec, workspace));
  const model = /\b0x[0-9a-f]{16}\b/g;
  const models = new Set(explanation.messages.flatMap((message) => message.match(model) ?? []));
  if (models.size === 0) return explanation;
  const names = await gpuNames(db, [...models]);
  if (workspace.gpu?.model !== undefined) names.set(spec.gpuModel, workspace.gpu.model);
  const named = (message: string) => message.replace(model, (found) => names.get(found) ?? found);
  return { ...explanation, messages: explanation.messages.map(named) };
}
