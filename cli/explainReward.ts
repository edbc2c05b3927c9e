import { z } from "zod";
import { callApi } from "./api.ts";
import { epochNumber } from "./recompute.ts";

const answerSchema = z.object({ sentences: z.array(z.string()) }).loose();

/** Prints one sentence for each term of a node's reward. */
export async function showReward(options: {
  api: string;
  node: number;
  epoch: string;
  json: boolean;
}): Promise<void> {
  const path = `/v1/epochs/${epochNumber(options.epoch)}/nodes/${options.node}`;
  const answer = answerSchema.parse(await callApi({ api: options.api }, path));
  process.stdout.write(options.json ? `${JSON.stringify(answer)}\n` : `${answer.sentences.join("\n")}\n`);
}
