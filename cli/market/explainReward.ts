import { z } from "zod";
import { epochNumber } from "../audit/recompute.ts";
import { apiOf, type GlobalOptions, settingsOf } from "../shared/settings.ts";

const answerSchema = z.object({ sentences: z.array(z.string()) }).loose();

/** Prints one sentence for each term of a node's reward. */
export async function showReward(options: GlobalOptions & { node: number; epoch: string }): Promise<void> {
  const path = { number: String(epochNumber(options.epoch)), nodeId: String(options.node) };
  const answer = answerSchema.parse(
    await apiOf(settingsOf(options)).call("GET /v1/epochs/{number}/nodes/{nodeId}", { path }),
  );
  process.stdout.write(options.json ? `${JSON.stringify(answer)}\n` : `${answer.sentences.join("\n")}\n`);
}
