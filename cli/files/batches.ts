import { setTimeout as sleep } from "node:timers/promises";
import type { Schema } from "@ngpu/api-client/client";
import { endWith } from "../shared/exitCodes.ts";
import { json, note, print, printEach, safe, status } from "../shared/output.ts";
import { type GlobalOptions, partnerApi, type Settings, settingsOf } from "../shared/settings.ts";
import { untilInterrupted } from "../shared/signals.ts";
import { table } from "../shared/table.ts";
import { parseSeconds } from "../shared/units.ts";
import { upload } from "./files.ts";

type Batch = Schema<"Batch">;
type WaitOptions = GlobalOptions & { wait: boolean; timeout: string };

const ended = ["completed", "failed", "expired", "cancelled"];
/** Milliseconds between two looks at a batch. */
const interval = 1_000;
/** Seconds for which the file of a batch is kept. */
const keptSeconds = 30 * 86_400;

const countsOf = ({ request_counts: { total, completed, failed } }: Batch) =>
  `${completed + failed}/${total}${failed === 0 ? "" : `, ${failed} failed`}`;

/** Lists batches, newest first. */
export async function listBatches(options: GlobalOptions & { limit: string }): Promise<void> {
  const settings = settingsOf(options);
  const query = { limit: Number(options.limit) };
  const { data } = await partnerApi(settings).call("GET /v1/batches", { query });
  if (settings.json) return printEach(data);
  const columns = [{ title: "BATCH" }, { title: "STATUS" }, { title: "REQUESTS" }, { title: "OUTPUT" }];
  const rows = data.map((one) => [one.id, status(one.status), countsOf(one), one.output_file_id ?? ""]);
  print(table(columns, rows));
}

/** Runs the requests of a file, which is uploaded unless it is the id of one that is. */
export async function createBatch(file: string, options: WaitOptions & { endpoint: string }): Promise<void> {
  const settings = settingsOf(options);
  const api = partnerApi(settings);
  const isId = /^(file-[0-9a-f]{24}|sha256:[0-9a-f]{64})$/.test(file);
  const kept = { purpose: "batch", seconds: keptSeconds };
  const batch = await api.call("POST /v1/batches", {
    body: {
      input_file_id: isId ? file : (await upload(api, file, kept)).id,
      endpoint: options.endpoint as Batch["endpoint"],
      completion_window: "24h",
    },
  });
  if (!options.wait) return print(settings.json ? json(batch) : batch.id);
  await waitFor(settings, batch.id, options);
}

/** Shows a batch. With `wait` it waits for its end; the exit code is 3 when a request failed, 4 when the time is over. */
export async function showBatch(id: string, options: WaitOptions): Promise<void> {
  await waitFor(settingsOf(options), id, options);
}

async function waitFor(settings: Settings, id: string, { wait, timeout }: WaitOptions): Promise<void> {
  const stop = performance.now() + parseSeconds(timeout) * 1000;
  await untilInterrupted(async (signal) => {
    for (;;) {
      const batch = await partnerApi(settings, signal).call("GET /v1/batches/{id}", { path: { id } });
      const hasEnded = ended.includes(batch.status);
      if (hasEnded || !wait) return showOne(settings, batch);
      if (performance.now() > stop) {
        endWith("timeout");
        return note(`Batch ${id} is ${batch.status} after ${timeout}.`);
      }
      await sleep(interval, undefined, { signal });
    }
  });
}

function showOne(settings: Settings, batch: Batch): void {
  if (ended.includes(batch.status) && (batch.status !== "completed" || batch.request_counts.failed > 0))
    endWith("workload");
  if (settings.json) {
    print(json(batch));
    return;
  }
  const lines: [string, string | null][] = [
    ["batch", batch.id],
    ["status", status(batch.status)],
    ["requests", countsOf(batch)],
    ["output", batch.output_file_id],
    ["errors", batch.error_file_id],
  ];
  for (const [name, value] of lines) if (value !== null) print(`${name.padEnd(10)}${value}`);
  for (const { line, code, message } of batch.errors?.data ?? [])
    print(`${line === null ? "" : `line ${line}: `}${code}: ${safe(message)}`);
}

/** Cancels a batch. */
export async function cancelBatch(id: string, options: GlobalOptions): Promise<void> {
  const settings = settingsOf(options);
  const batch = await partnerApi(settings).call("POST /v1/batches/{id}/cancel", { path: { id } });
  print(settings.json ? json(batch) : `Batch ${batch.id} is ${batch.status}.`);
}
