import { logGap, logLine, logQuery } from "@ngpu/protocol/logLines";
import { z } from "zod";

export const replicaNumber = z
  .string()
  .regex(/^\d{1,5}$/, "is not the number of a replica")
  .transform(Number)
  .default(0)
  .meta({ description: "Number of the replica, from 0" });

export const logsQuery = z.object({
  replica: replicaNumber,
  cursor: logQuery.shape.cursor.meta({ description: "Continue after the line that has this cursor" }),
  since: logQuery.shape.since.meta({
    description: "Without a cursor: begin at the first line of at least this time",
    example: "2030-01-01T00:00:00Z",
  }),
  follow: z
    .enum(["true", "false"], "is not true or false")
    .default("false")
    .meta({ description: "Wait for further lines" }),
  stream: logQuery.shape.stream.meta({ description: "Only the lines of this stream" }),
});

/** An entry of the answer, which is one line of JSON. */
export const logEntry = z
  .union([logLine.meta({ id: "LogLine" }), logGap.meta({ id: "LogGap" })])
  .meta({ id: "LogEntry" });
