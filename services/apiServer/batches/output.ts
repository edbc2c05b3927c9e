import { Readable } from "node:stream";
import { type Database, transaction } from "@ngpu/db/pool";
import { RetryableError } from "@ngpu/runtime/errors";
import type { Contents, Written } from "../files/contents.ts";
import { type BatchRow, endBatch } from "../store/batches.ts";
import { type EndedLine, endedLines, type LineEnd } from "../store/batchLines.ts";
import { nameContent } from "../store/files.ts";

/** Lines that are read at once: each may have a result of 8 MiB. */
const together = 8;

/** Writes the files of a batch whose lines have all ended, and ends it: both in one transaction, so that neither is there twice. */
export async function writeOutput(
  { db, contents }: { db: Database; contents: Contents },
  batch: BatchRow,
  isWhole: boolean,
): Promise<void> {
  const output = await write({ db, contents }, batch, "succeeded");
  const errors = await write({ db, contents }, batch, "failed");
  await transaction(db, async (connection) => {
    const name = async (written: Written | undefined, filename: string) => {
      if (written === undefined) return null;
      const file = { filename, purpose: "batch_output", seconds: batch.output_seconds };
      return (await nameContent(connection, written, written, file)).id;
    };
    await endBatch(connection, batch.id, {
      output: await name(output, `${batch.id}_output.jsonl`),
      errors: await name(errors, `${batch.id}_error.jsonl`),
      isWhole,
    });
  });
}

/** Undefined: no line ended so. */
async function write(
  { db, contents }: { db: Database; contents: Contents },
  batch: BatchRow,
  outcome: LineEnd["outcome"],
): Promise<Written | undefined> {
  const [first] = await endedLines(db, batch.id, { outcome, after: 0, limit: 1 });
  if (first === undefined) return undefined;
  const bytes = Readable.from(textsOf(db, batch.id, outcome));
  return contents.write(batch.wallet, bytes, { most: Number.MAX_SAFE_INTEGER, counts: false });
}

async function* textsOf(db: Database, batchId: string, outcome: LineEnd["outcome"]): AsyncGenerator<Buffer> {
  for (let after = 0; ; ) {
    const lines = await endedLines(db, batchId, { outcome, after, limit: together });
    for (const line of lines) yield Buffer.from(`${outputLine(batchId, line)}\n`);
    const last = lines.at(-1);
    if (last === undefined) return;
    after = last.line;
  }
}

/** A line of an output, as OpenAI's clients read it. The response's JSON is that of the task. */
function outputLine(batchId: string, line: EndedLine): string {
  const { line: number, custom_id, task_id, error_code: code, error_message: message } = line;
  const id = `batch_req_${(task_id ?? `${batchId}.${number}`).replaceAll("-", "")}`;
  const head = { id, custom_id, task_id };
  if (code !== null) return JSON.stringify({ ...head, response: null, error: { code, message } });
  // A task whose end is not stored yet, because Postgres was away.
  if (line.http_status === null) throw resultMissing(batchId, number);
  const response = `{"status_code":${line.http_status},"request_id":"${batchId}.${number}","body":${line.result ?? "null"}}`;
  return `${JSON.stringify(head).slice(0, -1)},"response":${response},"error":null}`;
}

function resultMissing(batchId: string, line: number): RetryableError {
  return new RetryableError("The result of a line is not stored yet.", {
    code: "batch_result_missing",
    hint: "Wait: the batch is finished when it is stored.",
    details: { batchId, line },
  });
}
