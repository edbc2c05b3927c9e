import type { Queryable } from "@ngpu/db/pool";
import {
  type WorkspaceSpec,
  type WorkspaceSpecRow,
  workspaceSpecColumns,
  workspaceSpecOf,
} from "@ngpu/protocol/workspaceSpec";
import { FatalError } from "@ngpu/runtime/errors";

/** Specs of published workspaces, by id. Unknown ids are omitted. */
export async function loadSpecs(db: Queryable, workspaceIds: bigint[]): Promise<Map<bigint, WorkspaceSpec>> {
  const found = await db.query<WorkspaceSpecRow & { workspace_id: bigint }>(
    `select workspace_id::int8, ${workspaceSpecColumns} from chain.workspace where workspace_id = any($1)`,
    [workspaceIds],
  );
  return new Map(found.rows.map((row) => [row.workspace_id, workspaceSpecOf(row)]));
}

/**
 * The spec of a published workspace.
 *
 * @throws FatalError `workspace_not_found`.
 */
export async function loadSpec(db: Queryable, workspaceId: bigint): Promise<WorkspaceSpec> {
  const spec = (await loadSpecs(db, [workspaceId])).get(workspaceId);
  if (spec === undefined) throw unknownWorkspace(workspaceId);
  return spec;
}

/** The FatalError `workspace_not_found`: the workspace was not published, or a reorg reverted its block. */
export function unknownWorkspace(workspaceId: bigint): FatalError {
  return new FatalError(`The chain has no workspace ${workspaceId}.`, {
    code: "workspace_not_found",
    hint: "Check the id. A reorganized publication is sent again.",
    details: { workspaceId },
  });
}
