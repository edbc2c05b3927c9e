import { z } from "zod";

/**
 * A position in the output of a replica, after the lines that its reader has. The anchor is a line whose time is later than that of
 * all lines before it, so it is the first line of at least its time, even where the node's clock was set back. `count` lines were
 * read since the anchor, which is one of them.
 */
export type LogCursor = {
  lease: number;
  /** First 12 digits of the container's id. */
  container: string;
  /** Time of the anchor in nanoseconds; 0: nothing was read. */
  anchor: bigint;
  count: number;
};

const cursorPattern = /^(\d{1,10})\.([0-9a-f]{12})\.(\d{1,19})\.(\d{1,9})$/;

export const logCursorText = z.string().regex(cursorPattern, "is not the cursor of a line");

export function formatLogCursor({ lease, container, anchor, count }: LogCursor): string {
  return `${lease}.${container}.${anchor}.${count}`;
}

/** Parses a cursor; undefined for any other text. */
export function parseLogCursor(text: string): LogCursor | undefined {
  const [matched, lease, container, anchor, count] = cursorPattern.exec(text) ?? [];
  if (matched === undefined || container === undefined || anchor === undefined) return undefined;
  return { lease: Number(lease), container, anchor: BigInt(anchor), count: Number(count) };
}

export const logStreams = ["stdout", "stderr"] as const;

/** One line of a container's output. */
export const logLine = z.object({
  cursor: logCursorText,
  replica: z.number().int(),
  lease: z.number().int(),
  time: z.string().meta({ description: "When the node received the line, RFC 3339 with nanoseconds" }),
  stream: z.enum(logStreams),
  text: z.string().optional().meta({ description: "The line without its end; absent if it is not UTF-8" }),
  base64: z.string().optional().meta({ description: "The bytes of a line that is not UTF-8" }),
  partial: z.literal(true).optional().meta({
    description: "The line continues with the next one of its stream: the engine splits lines of 16 KiB",
  }),
});

/** Lines that are not kept any more. */
export const logGap = z.object({
  cursor: logCursorText,
  replica: z.number().int(),
  lease: z.number().int(),
  gap: z.object({
    reason: z.enum(["rotated", "replaced"]).meta({
      description:
        "`rotated`: the node keeps the last 20 to 30 MB of a container. `replaced`: the rest was removed with its container",
    }),
    after: z.string().nullable().meta({ description: "Time of the last line before the gap; null: unknown" }),
    until: z.string().nullable().meta({ description: "Time of the first line after it; null: unknown" }),
  }),
});

export type LogLine = z.infer<typeof logLine>;
export type LogGap = z.infer<typeof logGap>;

/** Which lines a reader asks a node for. */
export const logQuery = z.object({
  cursor: logCursorText.optional(),
  since: z.iso.datetime({ offset: true, message: "is not a time such as 2030-01-01T00:00:00Z" }).optional(),
  follow: z.enum(["true", "false"], "is not true or false").optional(),
  stream: z.enum(logStreams, "is not stdout or stderr").optional(),
});
