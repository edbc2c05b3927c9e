import type { PlacementExplanation } from "@ngpu/protocol/placement/question";
import type { WorkspaceSpec } from "@ngpu/protocol/workspaceSpec";
import type { ApiDeps } from "./deps.ts";
import type { NewWorkspace } from "./schemas/workspaces.ts";
import { questionOf } from "./spec.ts";
import { gpuNames } from "./store/market.ts";

/**
 * Asks match where a workspace could go, and says GPU models by their names: the chain and match know eight bytes of each.
 *
 * @throws RetryableError `match_unreachable`
 */
export async function explained(
  { db, match }: Pick<ApiDeps, "db" | "match">,
  spec: WorkspaceSpec,
  wish: NewWorkspace,
): Promise<PlacementExplanation> {
  const explanation = await match.explain(questionOf(spec, wish));
  const model = /\b0x[0-9a-f]{16}\b/g;
  const models = new Set(explanation.words.flatMap((words) => words.match(model) ?? []));
  if (models.size === 0) return explanation;
  const names = await gpuNames(db, [...models]);
  if (wish.gpu?.model !== undefined) names.set(spec.gpuModel, wish.gpu.model);
  const named = (words: string) => words.replace(model, (found) => names.get(found) ?? found);
  return { ...explanation, words: explanation.words.map(named) };
}
