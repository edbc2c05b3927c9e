import { FatalError } from "@ngpu/runtime/errors";
import type { Market } from "../market.ts";
import type { JourneyResult } from "../result.ts";
import type { Partner } from "./partner.ts";

type TaskRow = { status: string; node_id: number; duration_ms: number; result: unknown };

/** The partner asks the workspace a question and receives the container's answer. */
export async function runTask(
  market: Market,
  { api }: Partner,
  workspaceId: string,
): Promise<JourneyResult["task"]> {
  const answer = await api.post<{ id: string }>("/v1/tasks", {
    workspaceId,
    path: "/v1/chat/completions",
    input: {
      model: "ngpu-ngram-1",
      messages: [{ role: "user", content: "What does a compute node do?" }],
      max_tokens: 40,
      seed: 7,
    },
  });
  const { rows } = await market.database.query<TaskRow>(
    "select status, node_id, duration_ms, result from app.task where id = $1 and workspace_id = $2",
    [answer.id, workspaceId],
  );
  const row = rows[0];
  if (row === undefined || row.status !== "succeeded") {
    throw new FatalError(
      `Task ${answer.id} is ${row?.status ?? "not recorded"}: ${JSON.stringify(answer).slice(0, 300)}`,
      { code: "task_failed", hint: "See the logs of gateway and node in .ngpu/logs." },
    );
  }
  return { id: answer.id, nodeId: Number(row.node_id), ms: Number(row.duration_ms), result: row.result };
}
