import type { ChainLog } from "@ngpu/chain-reader/rpc";
import { messageOf, NgpuError } from "@ngpu/runtime/errors";
import pg from "pg";
import { copyField } from "./copy.ts";
import type { EventSource } from "./schema.ts";

/** The table of logs that could not be stored as rows of their event. */
export const asideTable = "set_aside";

type Reason = { code: string; reason: string };

/** A log that was set aside, and why. */
export type LogSetAside = Reason & { log: ChainLog; source: EventSource };

/** The logs to set aside, with the error of each, and what is called for each log that is set aside. */
export type Aside = {
  logs?: ReadonlyMap<ChainLog, unknown>;
  onSetAside?: (one: LogSetAside) => void;
};

const longestReason = 500;

/** The reason in a row of `set_aside`: the code of an error, or its SQLSTATE. */
export function reasonOf(error: unknown): Reason {
  const code =
    error instanceof NgpuError ? error.code : error instanceof pg.DatabaseError ? error.code : undefined;
  const inner = error instanceof NgpuError && error.cause instanceof Error ? `: ${error.cause.message}` : "";
  const reason = `${messageOf(error)}${inner}`.replaceAll("\0", "").slice(0, longestReason);
  return { code: code ?? "event_undecodable", reason: reason.toWellFormed() };
}

/** The columns of `set_aside` after the common ones, in COPY's text format, each with a tab before it. */
export function asideValues(log: ChainLog, { table }: EventSource, { code, reason }: Reason): string {
  const values = [
    copyField("text", table.contract),
    copyField("text", table.event),
    copyField("text", code),
    copyField("text", reason),
    copyField("text[]", [...log.topics]),
    copyField("text", log.data),
  ];
  return values.map((value) => `\t${value}`).join("");
}
