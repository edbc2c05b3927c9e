// The updater, a process of its own that ends: it verifies and unpacks, so that the client itself stays small.
// Reads an UpdateTask as JSON from stdin and writes an UpdateOutcome, or an error, as JSON to stdout.
import { json } from "node:stream/consumers";
import { messageOf, NgpuError } from "@ngpu/runtime/errors";
import { toJson } from "@ngpu/runtime/json";
import { update } from "./updater.ts";
import { updateTask } from "./updateTask.ts";

try {
  const outcome = await update(updateTask.parse(await json(process.stdin)));
  process.stdout.write(toJson(outcome));
} catch (error) {
  const { code, hint } = error instanceof NgpuError ? error : { code: "update_failed", hint: "Report it." };
  process.stdout.write(toJson({ error: { code, message: messageOf(error), hint } }));
}
