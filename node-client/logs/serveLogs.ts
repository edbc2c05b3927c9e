import { logQuery, parseLogCursor } from "@ngpu/protocol/logLines";
import { drained } from "@ngpu/runtime/drained";
import { InputError } from "@ngpu/runtime/errors";
import { accept, type NodeRequest } from "../nodeRequest.ts";
import { type LogOptions, readLogs } from "./readLogs.ts";

/** Between two empty lines of a silent stream, in milliseconds, so that each hop knows that the other end is there. */
const keepAlive = 15_000;

/** Sends the lines of a lease's container as JSON lines. */
export async function serveLogs({ stream, lease, current, query, signal, deps }: NodeRequest): Promise<void> {
  const options = optionsIn(query);
  accept(stream, "application/jsonl; charset=utf-8");
  const timer = setInterval(() => {
    if (stream.writableLength === 0) stream.write("\n");
  }, keepAlive);
  try {
    for await (const line of readLogs({ engine: deps.engine, lease, current }, options, signal)) {
      // The hop that has no reader any more cancels the stream, so this wait needs no deadline of its own.
      if (!stream.write(`${JSON.stringify(line)}\n`)) await drained(stream, { signal });
      timer.refresh();
    }
  } finally {
    clearInterval(timer);
  }
  if (!signal.aborted) stream.end();
}

/** @throws InputError `node_request_invalid`. */
function optionsIn(query: URLSearchParams): LogOptions {
  const parsed = logQuery.safeParse(Object.fromEntries(query));
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new InputError(`The query is invalid: ${issue?.path.join(".")} ${issue?.message}.`, {
      code: "node_request_invalid",
      hint: "Correct the value.",
    });
  }
  const { cursor, since, follow, stream } = parsed.data;
  return {
    cursor: cursor === undefined ? undefined : parseLogCursor(cursor),
    since,
    follow: follow === "true",
    stream,
  };
}
