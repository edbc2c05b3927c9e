import type { Connection } from "@ngpu/db/pool";
import { toJson } from "@ngpu/runtime/json";
import pg from "pg";

/** The part of pg's connection that COPY needs; pg's type definitions do not declare it. */
type CopyTarget = {
  stream: { cork: () => void; uncork: () => void; write: (bytes: Buffer) => void };
  query: (text: string) => void;
  endCopyFrom: () => void;
};

/** A statement without parameters; `lines` is the input of a `copy … from stdin`, in COPY's text format. */
export type Statement = { text: string; lines?: Buffer };

/**
 * Runs statements as one transaction in a single round trip: the COPY data is sent together with the statements. When a
 * statement fails, the server discards the remaining statements and data.
 */
export function runPipelined(db: Pick<Connection, "query">, statements: readonly Statement[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const text = statements.map((statement) => statement.text).join(";\n");
    const callback = (error: Error | null | undefined) => (error ? reject(error) : resolve());
    const query = new pg.Query({ text, callback } as pg.QueryConfig);
    db.query(
      Object.assign(query, {
        submit(connection: CopyTarget) {
          connection.stream.cork();
          connection.query(text);
          for (const { lines } of statements) {
            if (lines === undefined) continue;
            // pg's own method does the same, with one more copy of the data.
            connection.stream.write(copyData(lines.length));
            connection.stream.write(lines);
            connection.endCopyFrom();
          }
          connection.stream.uncork();
        },
        handleCopyInResponse: () => undefined,
      }),
    );
  });
}

/** The header of a CopyData message with `length` bytes of data. */
function copyData(length: number): Buffer {
  const head = Buffer.alloc(5, "d");
  head.writeInt32BE(length + 4, 1);
  return head;
}

/** Adds rows to a table with COPY. @param lines Rows in COPY's text format, each with its line end. */
export function copyRows(db: Pick<Connection, "query">, table: string, lines: string): Promise<void> {
  return runPipelined(db, [copyInto(table, Buffer.from(lines))]);
}

export function copyInto(table: string, lines: Buffer): Statement {
  return { text: `copy ${table} from stdin`, lines };
}

/** A JSON value as a field of COPY's text format. @param type The column's Postgres type. */
export function copyField(type: string, value: unknown): string {
  if (type === "jsonb") return escaped(toJson(value));
  if (Array.isArray(value)) return escaped(`{${value.map(arrayItem).join(",")}}`);
  return typeof value === "boolean" ? (value ? "t" : "f") : escaped(String(value));
}

function arrayItem(value: unknown): string {
  return `"${String(value).replace(/["\\]/g, "\\$&")}"`;
}

const escapes: Record<string, string> = { "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r" };

function escaped(text: string): string {
  return text.replace(/[\\\t\n\r]/g, (found) => escapes[found] as string);
}
