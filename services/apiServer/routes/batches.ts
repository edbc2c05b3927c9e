import { InputError } from "@ngpu/runtime/errors";
import { z } from "zod";
import type { ApiDeps } from "../deps.ts";
import { type Endpoint, endpoint } from "../endpoint.ts";
import { batchAnswer, batchId, batchLimits, batchList, batchPage, newBatch } from "../schemas/batches.ts";
import { keptSeconds } from "../schemas/files.ts";
import { type BatchRow, findBatch, insertBatch, listBatches, requestBatchCancel } from "../store/batches.ts";
import { openAiPageOf, requireFile } from "./files.ts";

const tag = "OpenAI-compatible";
const params = z.object({ id: batchId });

export function batchRoutes(deps: ApiDeps): Endpoint[] {
  return [create(deps), list(deps), show(deps), cancel(deps)];
}

const seconds = (at: Date | null) => (at === null ? null : Math.floor(at.getTime() / 1000));

/** A batch as OpenAI's clients read it. */
function batchOf(row: BatchRow): z.input<typeof batchAnswer> {
  const ended = (status: BatchRow["status"]) => (row.status === status ? seconds(row.ended_at) : null);
  return {
    id: row.id,
    object: "batch",
    endpoint: row.endpoint as z.input<typeof newBatch>["endpoint"],
    errors: row.errors === null ? null : { object: "list", data: row.errors },
    input_file_id: row.input_file_id,
    completion_window: row.completion_window,
    status: row.status,
    output_file_id: row.output_file_id,
    error_file_id: row.error_file_id,
    created_at: seconds(row.created_at) ?? 0,
    in_progress_at: seconds(row.in_progress_at),
    expires_at: seconds(row.expires_at) ?? 0,
    finalizing_at: seconds(row.finalizing_at),
    completed_at: ended("completed"),
    failed_at: ended("failed"),
    expired_at: ended("expired"),
    cancelling_at: seconds(row.cancelling_at),
    cancelled_at: ended("cancelled"),
    request_counts: { total: row.total, completed: row.completed, failed: row.failed },
    metadata: row.metadata,
  };
}

const create = (deps: ApiDeps) =>
  endpoint(
    {
      method: "post",
      path: "/v1/batches",
      tag,
      summary: "Run the requests of a file",
      description:
        "Compatible with OpenAI's endpoint. Each line of the file becomes a task of the workspace that its `model` names, by the key of this call, and costs what any task costs. Lines wait for replicas; each has one result, also after a restart of the market. The results are files of JSON lines.",
      access: "partner",
      body: newBatch,
      errors: [404],
      answer: batchAnswer,
      openAiErrors: true,
    },
    async ({ partner, body }) => {
      const file = await requireFile(deps, partner.wallet, body.input_file_id);
      const batch = {
        wallet: partner.wallet,
        key_id: partner.keyId,
        endpoint: body.endpoint,
        completion_window: body.completion_window,
        input_file_id: file.id,
        input_content_id: file.content_id,
        input_key_id: file.key_id,
        metadata: body.metadata ?? null,
        output_seconds: body.output_expires_after?.seconds ?? keptSeconds.usual,
      };
      const row = await insertBatch(deps.db, batch, batchLimits.open);
      if (row !== undefined) return batchOf(row);
      // The file may have been deleted meanwhile.
      await requireFile(deps, partner.wallet, file.id);
      throw new InputError(`${batchLimits.open} batches of the account have not ended.`, {
        code: "batch_limit_reached",
        status: 429,
        hint: "Wait until one has ended, or cancel one.",
      });
    },
  );

const list = (deps: ApiDeps) =>
  endpoint(
    {
      method: "get",
      path: "/v1/batches",
      tag,
      summary: "List your batches, newest first",
      access: "partner",
      query: batchPage,
      answer: batchList,
      openAiErrors: true,
    },
    async ({ partner, query: { limit, after } }) => {
      const rows = await listBatches(deps.db, partner.wallet, { limit: limit + 1, after });
      return openAiPageOf(rows.map(batchOf), limit);
    },
  );

const show = (deps: ApiDeps) =>
  endpoint(
    {
      method: "get",
      path: "/v1/batches/:id",
      tag,
      summary: "Show a batch",
      access: "partner",
      params,
      answer: batchAnswer,
      openAiErrors: true,
    },
    async ({ partner, params: { id } }) => batchOf(await requireBatch(deps, partner.wallet, id)),
  );

const cancel = (deps: ApiDeps) =>
  endpoint(
    {
      method: "post",
      path: "/v1/batches/:id/cancel",
      tag,
      summary: "Cancel a batch",
      description:
        "Its requests in progress are cancelled. The results of those that have ended are in its files.",
      access: "partner",
      params,
      answer: batchAnswer,
      openAiErrors: true,
    },
    async ({ partner, params: { id } }) => {
      await requireBatch(deps, partner.wallet, id);
      await requestBatchCancel(deps.db, partner.wallet, id);
      return batchOf(await requireBatch(deps, partner.wallet, id));
    },
  );

async function requireBatch(deps: Pick<ApiDeps, "db">, wallet: string, id: string): Promise<BatchRow> {
  const batch = await findBatch(deps.db, wallet, id);
  if (batch !== undefined) return batch;
  throw new InputError(`You have no batch ${id}.`, {
    code: "batch_not_found",
    status: 404,
    hint: "GET /v1/batches lists your batches.",
  });
}
