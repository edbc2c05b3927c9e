import { writeFileSync } from "node:fs";
import type { Schema } from "@ngpu/api-client/client";
import { ApiUnreachableError, errorOf } from "@ngpu/api-client/errors";
import { endWith } from "../shared/exitCodes.ts";
import { json, note, print, shown } from "../shared/output.ts";
import type { Settings } from "../shared/settings.ts";

export type Task = Schema<"Task">;
type Bytes = { base64: string; contentType: string | null };

/** Sets the exit code of a task that has ended. */
export function endOf({ status }: Pick<Task, "status">): void {
  if (status === "failed" || status === "aborted") endWith("workload");
}

/** Prints a task's result; with `output` its bytes go to that file. The facts of the task go to stderr. */
export async function showResult(settings: Settings, task: Task, output: string | undefined): Promise<void> {
  if (output !== undefined && task.httpStatus !== null) await download(settings, task.id, output);
  if (settings.json) return print(json(task));
  const { status, nodeId, ms, httpStatus, error } = task;
  const served = nodeId === null ? "" : ` by node ${nodeId}`;
  const took = ms === null ? "" : ` in ${ms} ms`;
  note(`Task ${task.id} ${status}${served}${took}${httpStatus === null ? "" : `, HTTP ${httpStatus}`}.`);
  if (error !== null) note(`${error.message} (${error.code})${error.hint === null ? "" : `\n${error.hint}`}`);
  if (output === undefined && task.result !== null && task.result !== undefined) printValue(task.result);
}

function printValue(result: unknown): void {
  const { base64, contentType } = result as Partial<Bytes>;
  const isBytes = typeof base64 === "string" && contentType !== undefined;
  if (!isBytes) print(shown(typeof result === "string" ? result : JSON.stringify(result, null, 2)));
  else if (process.stdout.isTTY) note(`The result is ${contentType}; write it to a file with --output.`);
  else process.stdout.write(Buffer.from(base64, "base64"));
}

/** @deadline The bytes of a result from the API. The command fails. */
const downloadTimeout = 180_000;

/** Writes the bytes as the container sent them; fetch undoes a content-encoding. */
async function download({ api, key }: Settings, id: string, output: string): Promise<void> {
  const url = `${api.replace(/\/+$/, "")}/v1/tasks/${id}/result`;
  const response = await fetch(url, {
    headers: { authorization: `Bearer ${key}` },
    signal: AbortSignal.timeout(downloadTimeout),
  }).catch((cause: unknown) => {
    throw new ApiUnreachableError(api, cause);
  });
  if (!response.ok) {
    const problem: unknown = await response.json().catch(() => undefined);
    throw errorOf(response, problem, `GET ${url}`);
  }
  const bytes = Buffer.from(await response.arrayBuffer());
  writeFileSync(output, bytes);
  note(`Wrote ${bytes.length} bytes of ${response.headers.get("content-type")} to ${output}.`);
}
