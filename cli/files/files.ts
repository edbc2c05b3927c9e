import { createWriteStream, openAsBlob } from "node:fs";
import { basename } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ApiClient, Schema } from "@ngpu/api-client/client";
import { FatalError } from "@ngpu/runtime/errors";
import { json, note, print, printEach, safe } from "../shared/output.ts";
import { type GlobalOptions, partnerApi, settingsOf } from "../shared/settings.ts";
import { table } from "../shared/table.ts";
import { parseSeconds } from "../shared/units.ts";

/** @deadline The upload or download of a file, which may take hours. The command fails. */
const timeoutMs = 6 * 3_600_000;

const time = (seconds: number) => new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ");

/** Lists files, newest first. */
export async function listFiles(options: GlobalOptions & { limit: string }): Promise<void> {
  const settings = settingsOf(options);
  const { data } = await partnerApi(settings).call("GET /v1/files", {
    query: { limit: Number(options.limit) },
  });
  if (settings.json) return printEach(data);
  const columns = [
    { title: "FILE" },
    { title: "NAME", cut: true },
    { title: "PURPOSE" },
    { title: "BYTES", right: true },
    { title: "UNTIL" },
  ];
  const rows = data.map((one) => [
    one.id,
    safe(one.filename),
    one.purpose,
    String(one.bytes),
    time(one.expires_at),
  ]);
  print(table(columns, rows));
}

/**
 * Uploads a file while it is read.
 *
 * @throws FatalError `file_unreadable`.
 */
export async function upload(
  api: ApiClient,
  path: string,
  fields: { purpose: string; seconds: number },
): Promise<Schema<"File">> {
  const blob = await openAsBlob(path).catch((cause: unknown) => {
    throw new FatalError(`Cannot read ${path}.`, { code: "file_unreadable", hint: "Check its path.", cause });
  });
  const form = new FormData();
  form.set("purpose", fields.purpose);
  form.set("expires_after[anchor]", "created_at");
  form.set("expires_after[seconds]", String(fields.seconds));
  form.set("file", blob, basename(path));
  return api.call("POST /v1/files", { body: form }, { timeoutMs });
}

/** Uploads a file, and prints its id. */
export async function uploadFile(
  path: string,
  options: GlobalOptions & { purpose: string; keep: string },
): Promise<void> {
  const settings = settingsOf(options);
  const { purpose, keep } = options;
  const file = await upload(partnerApi(settings), path, { purpose, seconds: parseSeconds(keep) });
  print(settings.json ? json(file) : file.id);
}

/** Writes a file's bytes while they arrive. */
export async function downloadFile(id: string, options: GlobalOptions & { output?: string }): Promise<void> {
  const settings = settingsOf(options);
  const path = { id };
  const { body } = await partnerApi(settings).open("GET /v1/files/{id}/content", { path }, { timeoutMs });
  const bytes = Readable.fromWeb(body as Parameters<typeof Readable.fromWeb>[0]);
  if (options.output === undefined) {
    for await (const part of bytes) process.stdout.write(part as Buffer);
    return;
  }
  await pipeline(bytes, createWriteStream(options.output));
  if (settings.json) print(json({ id, file: options.output }));
  else note(`Wrote ${options.output}.`);
}

/** Deletes files. */
export async function deleteFiles(ids: string[], options: GlobalOptions): Promise<void> {
  const settings = settingsOf(options);
  for (const id of ids) {
    const deleted = await partnerApi(settings).call("DELETE /v1/files/{id}", { path: { id } });
    print(settings.json ? json(deleted) : `Deleted ${deleted.id}.`);
  }
}
