import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Model, train } from "./model/train.ts";

/** The id of the model. */
export const modelId = "ngpu-ngram-1";

/** Trains the model on the text/ directory; takes a few milliseconds. */
export function loadModel(): { model: Model; fingerprint: string } {
  const folder = new URL("./text/", import.meta.url);
  const names = readdirSync(fileURLToPath(folder)).sort();
  const text = names.map((name) => readFileSync(new URL(name, folder), "utf8")).join("\n\n");
  const fingerprint = `fp_${createHash("sha256").update(text).digest("hex").slice(0, 12)}`;
  return { model: train(text), fingerprint };
}
