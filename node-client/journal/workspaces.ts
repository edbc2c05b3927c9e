import { toJson } from "@ngpu/runtime/json";
import { z } from "zod";
import type { PublicationKey } from "../leases.ts";
import type { Publication } from "../plans.ts";
import type { Journal } from "./open.ts";

const spec = z.object({
  image: z.custom<`0x${string}`>((value) => typeof value === "string"),
  policy: z.number(),
  graceSeconds: z.number(),
  resources: z.object({ gpus: z.number(), cpuMilli: z.number(), memoryMib: z.number(), diskGib: z.number() }),
  configHash: z.custom<`0x${string}`>((value) => typeof value === "string"),
});

/** Stores a workspace as of a lease's assignment. A reorg below its block deletes it. */
export function putPublication(journal: Journal, key: PublicationKey, publication: Publication): void {
  const { workspaceId, blockNumber, config, sizeBytes } = publication;
  journal
    .prepare("insert or replace into publication values (?, ?, ?, ?, ?, ?)")
    .run(
      key,
      String(workspaceId),
      blockNumber,
      toJson(publication.spec),
      config,
      sizeBytes?.toString() ?? null,
    );
}

export function readPublications(journal: Journal): Map<PublicationKey, Publication> {
  const rows = journal.prepare("select * from publication").all();
  return new Map(
    rows.map((row) => [
      String(row.key),
      {
        workspaceId: BigInt(String(row.workspace_id)),
        blockNumber: BigInt(Number(row.block_number)),
        spec: spec.parse(JSON.parse(String(row.spec))),
        config: String(row.config),
        sizeBytes: row.size_bytes === null ? undefined : BigInt(String(row.size_bytes)),
      },
    ]),
  );
}
