import type { Market } from "../market.ts";
import { waitFor } from "../waitFor.ts";
import type { Partner } from "./partner.ts";

type OpenRow = { workspace_id: bigint };

/**
 * Closes the workspaces that earlier starts of this market left open on a persistent chain. Their replicas would
 * occupy this machine at the partner's cost.
 *
 * @returns The number of closed workspaces.
 */
export async function closeOpenWorkspaces(market: Market, { api }: Partner): Promise<number> {
  const { rows } = await market.database.query<OpenRow>(
    `select workspace_id from chain.workspace where owner = $1 and status = 'open' order by workspace_id`,
    [market.keys.partner.account.address.toLowerCase()],
  );
  for (const { workspace_id } of rows) await api.delete(`/v1/workspaces/${workspace_id}`);
  return rows.length;
}

/** Closes the workspace and waits until its leases have ended on the chain, so that they cost nothing more. */
export async function endWorkspace(
  market: Market,
  { api }: Partner,
  workspaceId: string,
  signal: AbortSignal,
): Promise<void> {
  await api.delete(`/v1/workspaces/${workspaceId}`);
  await waitFor(
    "the end of the workspace's leases",
    async () => {
      const { rows } = await market.database.query<{ held: number }>(
        `select count(*)::int as held from chain.assignment where workspace_id = $1 and release_reason is null`,
        [workspaceId],
      );
      return rows[0]?.held === 0 ? true : undefined;
    },
    { signal, logsDir: market.logsDir, progress: () => undefined, seconds: 60 },
  );
}
