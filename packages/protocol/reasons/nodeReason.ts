import { z } from "zod";
import { storableText } from "../storableText.ts";
import { answerBytes, logLimits, messageBytes, pathBytes } from "./boundedText.ts";
import { type ReasonCode, reasons } from "./reasons.ts";

/** Text of at most `bytes` of UTF-8 that Postgres can store. */
const bytesText = (bytes: number) =>
  storableText(bytes).refine((text) => Buffer.byteLength(text) <= bytes, `has more than ${bytes} bytes`);

const message = bytesText(messageBytes).optional();
const log = bytesText(logLimits.bytes).optional();
const image = bytesText(400).optional();
const count = z
  .number()
  .int()
  .min(0)
  .max(2 ** 31 - 1);
const exitCode = z.number().int().min(-255).max(255);
const pull = z.strictObject({ image, message });

/** What a node may say with each of its codes. */
const details = {
  config_invalid: z.strictObject({ message }),
  container_exited: z.strictObject({ exitCode, starts: count, log }),
  container_start_failed: z.strictObject({ message, exitCode: exitCode.optional(), log }),
  disk_full: z.strictObject({ missingGib: count.optional(), message }),
  gpu_lost: z.strictObject({}),
  health_failing: z.strictObject({
    path: bytesText(pathBytes),
    port: z.number().int().min(0).max(65_535),
    status: z.number().int().min(0).max(999).optional(),
    answer: bytesText(answerBytes).optional(),
    message,
    log,
  }),
  image_architecture_mismatch: z.strictObject({
    wanted: bytesText(64).optional(),
    found: bytesText(64).optional(),
    message,
  }),
  image_digest_mismatch: z.strictObject({ image }),
  image_not_found: pull,
  image_pull_denied: pull,
  image_pull_failed: pull,
  image_registry_unreachable: pull,
  image_volumes_exceeded: z.strictObject({ volumes: count, most: count }),
  isolation_unavailable: z.strictObject({ message }),
  out_of_memory: z.strictObject({ memoryMib: count, exitCode, starts: count, log }),
  secret_missing: z.strictObject({ names: z.array(bytesText(128)).max(128) }),
  secrets_unavailable: z.strictObject({ message }),
} as const satisfies Partial<Record<ReasonCode, z.ZodType>>;

export type NodeReasonCode = keyof typeof details;

/** Why a lease does not run, as its node reports it. */
export type NodeReason = {
  [Code in NodeReasonCode]: { code: Code; details: z.output<(typeof details)[Code]> };
}[NodeReasonCode];

/** Evidence of an occurrence: reasons that differ in it alone are the same reason. */
const evidence = new Set(["log", "answer", "message", "starts", "missingGib"]);

/** Identifies a reason: its code and, of a node's, the details that are not evidence. */
export function reasonKey(code: ReasonCode, given: Readonly<Record<string, unknown>>): string {
  if (reasons[code].source === "market") return code;
  const facts = Object.entries(given).filter(([name, value]) => !evidence.has(name) && value !== undefined);
  return `${code} ${JSON.stringify(facts.sort(([a], [b]) => (a < b ? -1 : 1)))}`;
}

/** A node's reason with a code of the list and details within their bounds; otherwise the part that is not. */
export function parseNodeReason(code: string, given: unknown): NodeReason | { invalid: string } {
  if (!isNodeCode(code)) return { invalid: "code" };
  const parsed = details[code].safeParse(given);
  if (parsed.success) return { code, details: parsed.data } as NodeReason;
  return { invalid: `details.${parsed.error.issues[0]?.path.join(".") ?? ""}` };
}

function isNodeCode(code: string): code is NodeReasonCode {
  return Object.hasOwn(details, code);
}
