import { statementColumns } from "@ngpu/protocol/statementColumns";
import type { z } from "zod";
import type { statementAnswer } from "./schemas/statement.ts";

type Entry = z.input<typeof statementAnswer>["entries"][number];

const columns: readonly (keyof Entry)[] = statementColumns;

/** Entries as CSV (RFC 4180) with a header. No value has a character that needs quotes. */
export function statementCsv(entries: readonly Entry[]): string {
  const lines = entries.map((entry) => columns.map((column) => entry[column] ?? "").join(","));
  return [columns.join(","), ...lines, ""].join("\r\n");
}
