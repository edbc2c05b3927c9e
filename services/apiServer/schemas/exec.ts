import { execCommand, execEndReasons } from "@ngpu/protocol/exec";
import { z } from "zod";
import { isoTime } from "./common.ts";

const size = z.number().int().min(1).max(1_000);

export const newExec = z.strictObject({
  command: execCommand.meta({ description: "The program and its arguments; no shell splits them" }),
  replica: z.number().int().min(0).max(65_535).default(0),
  tty: z.boolean().default(false).meta({ description: "With a terminal, as an interactive shell needs" }),
  columns: size.optional().meta({ description: "Width of the terminal" }),
  rows: size.optional().meta({ description: "Height of the terminal" }),
});

export const execSession = z
  .object({
    id: z.uuid(),
    replica: z.number().int(),
    lease: z.number().int().nullable(),
    nodeId: z.number().int().nullable(),
    keyId: z.string().meta({ description: "The API key that began it" }),
    command: z.array(z.string()),
    tty: z.boolean(),
    createdAt: isoTime,
    endedAt: isoTime.nullable(),
    endReason: z.enum(execEndReasons).nullable(),
    exitCode: z.number().int().nullable(),
  })
  .meta({ id: "ExecSession" });

export const execList = z.object({ sessions: z.array(execSession) });
export const execId = z.uuid().meta({ description: "Id of the session" });

export const attachQuery = z.object({
  output: z
    .string()
    .regex(/^\d{1,15}$/, "is not a number of bytes")
    .default("0")
    .meta({ description: "Bytes of output that the client has" }),
  acks: z
    .enum(["true", "false"], "is not true or false")
    .default("false")
    .meta({ description: "The client acknowledges output; the node then keeps it until it does" }),
});
