import type { Readable } from "node:stream";
import type { Database } from "@ngpu/db/pool";
import { batchLimits } from "../schemas/batches.ts";
import { type BatchRow, beginBatch, failBatch, type InputFault } from "../store/batches.ts";
import { deleteLines, insertLines } from "../store/batchLines.ts";
import { inputLineOf, linesOf } from "./batchInput.ts";

/** Most faults that a batch shows. */
const mostFaults = 100;
/** Lines that are stored at once. */
const together = 1_000;

/** Reads an input once, and stores its lines. A batch whose input has a fault fails, and none of its lines runs. */
export async function validateBatch(
  db: Database,
  batch: BatchRow,
  input: Readable,
  signal: AbortSignal,
): Promise<void> {
  const faults: InputFault[] = [];
  const seen = new Map<string, number>();
  let waiting: { line: number; customId: string }[] = [];
  const store = async () => {
    if (faults.length === 0) await insertLines(db, batch.id, waiting);
    waiting = [];
  };
  // Those of a validation that was interrupted.
  await deleteLines(db, batch.id);
  for await (const { line, bytes } of linesOf(input)) {
    signal.throwIfAborted();
    if (faults.length >= mostFaults) break;
    const found = inputLineOf(line, bytes, batch.endpoint);
    if ("code" in found) {
      faults.push(found);
      continue;
    }
    const first = seen.get(found.customId);
    if (first !== undefined) faults.push(repeated(line, first));
    seen.set(found.customId, line);
    if (seen.size > batchLimits.lines) {
      faults.push(ofInput("batch_too_long", `The file has more than ${batchLimits.lines} requests.`));
      break;
    }
    if (first === undefined) waiting.push({ line, customId: found.customId });
    if (waiting.length >= together) await store();
  }
  await store();
  if (seen.size === 0 && faults.length === 0)
    faults.push(ofInput("batch_empty", "The file has no requests."));
  if (faults.length === 0) await beginBatch(db, batch.id, seen.size);
  else {
    await deleteLines(db, batch.id);
    await failBatch(db, batch.id, faults);
  }
}

const ofInput = (code: string, message: string): InputFault => ({
  code,
  line: null,
  message,
  hint: "Put 1 to 50,000 requests into the file, one on each line.",
  param: null,
});

const repeated = (line: number, first: number): InputFault => ({
  code: "line_custom_id_repeated",
  line,
  message: `Line ${first} has the same custom_id.`,
  hint: "Give each request of the file a custom_id of its own.",
  param: "custom_id",
});
