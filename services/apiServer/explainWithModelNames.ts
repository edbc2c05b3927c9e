import { gpuCatalogue } from "@ngpu/placement/gpuCatalogue";
import { nearNames } from "@ngpu/placement/gpuNames";
import type { PlacementExplanation } from "@ngpu/protocol/placement/request";
import type { WorkspaceSpec } from "@ngpu/protocol/workspaceSpec";
import type { ApiDeps } from "./deps.ts";
import { gpuModelBytes, questionOf } from "./publicationSpec.ts";
import type { NewWorkspace } from "./schemas/newWorkspace.ts";
import { marketGpuNames } from "./store/market.ts";

/**
 * Asks match for an explanation and replaces GPU model hashes with names. The chain and match store eight bytes of each model.
 *
 * @throws RetryableError `match_unreachable`
 */
export async function explainWithModelNames(
  { db, match }: Pick<ApiDeps, "db" | "match">,
  { spec, config }: { spec: WorkspaceSpec; config: string },
  workspace: NewWorkspace,
): Promise<PlacementExplanation> {
  const question = questionOf(spec, config, workspace);
  const explanation = await match.explain(question);
  const market = await marketGpuNames(db);
  const suggested = withSuggestions(explanation, question, { typed: workspace.gpu?.model, market });
  const model = /\b0x[0-9a-f]{16}\b/g;
  if (!suggested.messages.some((message) => model.test(message))) return suggested;
  // Computed from the names: a node may claim any name for a model.
  const names = new Map([...gpuCatalogue, ...market].map((name) => [gpuModelBytes(name) as string, name]));
  const typed = workspace.gpu?.model;
  if (typed !== undefined && !names.has(spec.gpuModel)) names.set(spec.gpuModel, typed);
  const named = (message: string) => message.replace(model, (found) => names.get(found) ?? found);
  return { ...suggested, messages: suggested.messages.map(named) };
}

/** Adds similar names of the market's GPUs when nothing fits and no node has a model of the name. */
function withSuggestions(
  explanation: PlacementExplanation,
  { gpuModel, preferences }: ReturnType<typeof questionOf>,
  { typed, market }: { typed: string | undefined; market: string[] },
): PlacementExplanation {
  if (typed === undefined || explanation.fitting > 0) return explanation;
  const accepted = new Set(preferences.gpuModels ?? (gpuModel === null ? [] : [gpuModel]));
  if (market.some((name) => accepted.has(gpuModelBytes(name)))) return explanation;
  const gpuSuggestions = nearNames(typed, market);
  const asked = `No node has a GPU named "${typed}".`;
  const hint = gpuSuggestions.length === 0 ? asked : `${asked} Did you mean ${gpuSuggestions.join(" or ")}?`;
  return { ...explanation, gpuSuggestions, messages: [...explanation.messages, hint] };
}
