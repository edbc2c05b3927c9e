import { InputError } from "@ngpu/runtime/errors";
import { z } from "zod";
import type { ApiDeps } from "../deps.ts";
import { type Endpoint, endpoint } from "../endpoint.ts";
import { shortfall } from "../funds.ts";
import { nextAfter } from "../paging.ts";
import { type Reason, replicaReasons } from "../reasons.ts";
import { page, workspaceIdText } from "../schemas/common.ts";
import { workspaceAnswer, workspaceList } from "../schemas/workspaces.ts";
import { currentTime } from "../store/escrow.ts";
import { readReasons } from "../store/reasons.ts";
import { findScaling } from "../store/scaling.ts";
import {
  findWorkspace,
  listPlacements,
  listReplicas,
  listWorkspaces,
  type WorkspaceRow,
} from "../store/workspaces.ts";
import { closedError } from "../workspaceOrders.ts";
import { entryOf, workspaceOf } from "../workspaceView.ts";

export function workspaceRoutes(deps: ApiDeps): Endpoint[] {
  return [workspaces(deps), workspace(deps)];
}

const workspaces = ({ db }: ApiDeps) =>
  endpoint(
    {
      method: "get",
      path: "/v1/workspaces",
      tag: "Workspaces",
      summary: "List your workspaces, newest first",
      access: "partner",
      query: page,
      answer: workspaceList,
    },
    async ({ partner, query }) => {
      const rows = await listWorkspaces(db, partner.wallet, query.limit, query.after);
      const [now, replicas] = await Promise.all([
        currentTime(db),
        listReplicas(
          db,
          rows.map((row) => row.id),
        ),
      ]);
      const own = (row: WorkspaceRow) => replicas.filter((replica) => replica.workspace_id === row.id);
      return {
        workspaces: rows.map((row) => entryOf(row, own(row), now)),
        next: nextAfter(rows, query.limit, (row) => row.id),
      };
    },
  );

const workspace = (deps: ApiDeps) =>
  endpoint(
    {
      method: "get",
      path: "/v1/workspaces/:id",
      tag: "Workspaces",
      summary: "Show a workspace with its replicas and where they run",
      access: "partner",
      params: z.object({ id: workspaceIdText }),
      answer: workspaceAnswer,
    },
    async ({ partner, params }) => {
      const { db } = deps;
      const row = await requireWorkspace(db, partner.wallet, params.id);
      const [now, replicas, placements, rows, scaling] = await Promise.all([
        currentTime(db),
        listReplicas(db, [row.id]),
        listPlacements(db, row.id),
        readReasons(db, row.id),
        findScaling(db, row.id),
      ]);
      const reasons = replicaReasons(row, { rows, replicas, placements, now });
      return workspaceOf(row, replicas, placements, {
        now,
        scaling,
        reasons: await withShortfall(deps, partner.wallet, row, reasons),
      });
    },
  );

/** Adds how much is missing to a balance that is too low. After a deposit the market places the replica again. */
async function withShortfall(
  deps: ApiDeps,
  wallet: string,
  row: WorkspaceRow,
  reasons: (Reason | null)[],
): Promise<(Reason | null)[]> {
  if (!reasons.some((reason) => reason?.code === "balance_too_low")) return reasons;
  const lacking = await shortfall(deps, wallet, row.authorization_id, {
    maxPricePerSecond: row.max_price_per_second,
    replicas: row.replicas,
  });
  return reasons.map((reason) => {
    if (reason?.code !== "balance_too_low") return reason;
    return lacking === undefined
      ? { ...reason, code: "placing", details: {} }
      : { ...reason, details: { ...reason.details, ...lacking } };
  });
}

/**
 * Finds a workspace of the wallet.
 *
 * @throws InputError `workspace_not_found` (404), also for the workspace of another wallet.
 */
export async function requireWorkspace(db: ApiDeps["db"], wallet: string, id: string): Promise<WorkspaceRow> {
  const row = await findWorkspace(db, wallet, id);
  if (row !== undefined) return row;
  throw workspaceNotFound(id);
}

export function workspaceNotFound(id: string): InputError {
  return new InputError(`You have no workspace ${id}.`, {
    code: "workspace_not_found",
    hint: "GET /v1/workspaces lists your workspaces.",
    status: 404,
  });
}

/** @throws InputError `workspace_closed` (409): a closed workspace takes no more orders. */
export function requireOpen({ id, status }: WorkspaceRow): void {
  if (status === "open") return;
  throw closedError(id);
}
