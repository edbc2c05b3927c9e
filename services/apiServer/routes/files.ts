import { pipeline } from "node:stream/promises";
import { transaction } from "@ngpu/db/pool";
import { InputError } from "@ngpu/runtime/errors";
import { z } from "zod";
import type { ApiDeps } from "../deps.ts";
import { type Endpoint, endpoint, readPart } from "../endpoint.ts";
import { largestFile, requireLength, type Written } from "../files/contents.ts";
import { readUpload } from "../files/uploadForm.ts";
import {
  fileAnswer,
  fileDeleted,
  fileId,
  fileList,
  filename,
  filePage,
  newFile,
  uploadFields,
} from "../schemas/files.ts";
import { deleteFile, type FileRow, findFile, listFiles, nameContent } from "../store/files.ts";

const tag = "OpenAI-compatible";
const params = z.object({ id: fileId });

export function fileRoutes(deps: ApiDeps): Endpoint[] {
  return [upload(deps), list(deps), show(deps), content(deps), remove(deps)];
}

const seconds = (at: Date) => Math.floor(at.getTime() / 1000);

/** A file as OpenAI's clients read it. */
const fileOf = (row: FileRow) => ({
  id: row.id,
  object: "file" as const,
  bytes: row.bytes,
  created_at: seconds(row.created_at),
  expires_at: seconds(row.expires_at),
  filename: row.filename,
  purpose: row.purpose,
  status: "processed" as const,
  sha256: row.sha256,
});

/** The entries of a page, of which one more was read than is shown. */
export function openAiPageOf<Entry extends { id: string }>(entries: readonly Entry[], limit: number) {
  const data = entries.slice(0, limit);
  return {
    object: "list" as const,
    data,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
    has_more: entries.length > limit,
  };
}

/** @throws InputError `file_not_found` (404). */
export async function requireFile(deps: Pick<ApiDeps, "db">, wallet: string, id: string): Promise<FileRow> {
  const file = await findFile(deps.db, wallet, id);
  if (file !== undefined) return file;
  throw new InputError(`You have no file ${id}.`, {
    code: "file_not_found",
    status: 404,
    hint: "GET /v1/files lists your files. Files are deleted when their time is over.",
  });
}

const upload = (deps: ApiDeps) =>
  endpoint(
    {
      method: "post",
      path: "/v1/files",
      tag,
      summary: "Upload a file",
      description:
        "Compatible with OpenAI's endpoint. The bytes are encrypted while they are written, and stored once for each content: `sha256` is its address. Files of an account have a quota together, and each is deleted at `expires_at`.",
      access: "partner",
      body: newFile,
      isForm: true,
      isUpload: true,
      answer: fileAnswer,
      openAiErrors: true,
    },
    async ({ partner: { wallet }, request }) => {
      const length = request.headers["content-length"];
      requireLength(length === undefined ? undefined : Number(length));
      const most = Math.min(largestFile, length === undefined ? largestFile : Number(length));
      const state: { written?: Written } = {};
      try {
        const form = await readUpload(request, async (bytes) => {
          state.written = await deps.contents.write(wallet, bytes, { most, counts: true });
          return state.written;
        });
        const written = form.result;
        const fields = readPart("body", uploadFields, form.fields);
        const name = readPart("body", z.object({ file: filename }), { file: form.filename }).file;
        const file = { filename: name, purpose: fields.purpose, seconds: fields["expires_after[seconds]"] };
        return fileOf(await transaction(deps.db, (db) => nameContent(db, written, written, file)));
      } catch (error) {
        if (state.written !== undefined) await deps.contents.drop(state.written);
        throw error;
      }
    },
  );

const list = (deps: ApiDeps) =>
  endpoint(
    {
      method: "get",
      path: "/v1/files",
      tag,
      summary: "List your files",
      access: "partner",
      query: filePage,
      answer: fileList,
      openAiErrors: true,
    },
    async ({ partner, query }) => {
      const { limit, after, purpose, order } = query;
      const rows = await listFiles(deps.db, partner.wallet, { limit: limit + 1, after, purpose, order });
      return openAiPageOf(rows.map(fileOf), limit);
    },
  );

const show = (deps: ApiDeps) =>
  endpoint(
    {
      method: "get",
      path: "/v1/files/:id",
      tag,
      summary: "Show a file",
      access: "partner",
      params,
      answer: fileAnswer,
      openAiErrors: true,
    },
    async ({ partner, params: { id } }) => fileOf(await requireFile(deps, partner.wallet, id)),
  );

const content = (deps: ApiDeps) =>
  endpoint(
    {
      method: "get",
      path: "/v1/files/:id/content",
      tag,
      summary: "Download a file",
      description:
        "The bytes as they were sent, decrypted while they are read. A file that was changed on disk breaks off.",
      access: "partner",
      params,
      answer: z.unknown(),
      streams: { contentType: "*/*", description: "The file's bytes" },
      openAiErrors: true,
    },
    async ({ partner, params: { id }, response, disconnected }) => {
      const file = await requireFile(deps, partner.wallet, id);
      const bytes = await deps.contents.read(partner.wallet, file);
      response.setHeader("content-type", "application/octet-stream");
      response.setHeader("content-length", file.bytes);
      response.setHeader(
        "content-disposition",
        `attachment; filename*=UTF-8''${encodeURIComponent(file.filename)}`,
      );
      response.setHeader("cache-control", "private, no-transform");
      try {
        await pipeline(bytes, response, { signal: disconnected });
      } catch (error) {
        if (!disconnected.aborted) deps.logger.error({ event: "file_unreadable", fileId: file.id, error });
        response.destroy();
      }
      return undefined;
    },
  );

const remove = (deps: ApiDeps) =>
  endpoint(
    {
      method: "delete",
      path: "/v1/files/:id",
      tag,
      summary: "Delete a file",
      description:
        "Its bytes are removed from the disk once no file and no open batch refers to them, within a minute.",
      access: "partner",
      params,
      answer: fileDeleted,
      openAiErrors: true,
    },
    async ({ partner, params: { id } }) => {
      const file = await requireFile(deps, partner.wallet, id);
      await deleteFile(deps.db, partner.wallet, file.id);
      return { id: file.id, object: "file" as const, deleted: true as const };
    },
  );
