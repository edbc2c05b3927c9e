import { FatalError } from "@ngpu/runtime/errors";
import type { Market } from "../market.ts";
import type { Progress } from "../reporter.ts";
import type { JourneyResult } from "../result.ts";
import { waitFor } from "../waitFor.ts";
import { type Measurer, sessionSeen } from "./node.ts";

type MeasurementRow = {
  round_id: bigint;
  down_mbps: number;
  up_mbps: number;
  ports_reachable: number;
  disk_free_gib: number;
};

/** Waits for a valid, finalized measurement of the node. */
export async function measureNode(
  market: Market,
  { nodeId, measurer }: { nodeId: number; measurer: Measurer },
  progress: Progress,
): Promise<JourneyResult["measurement"] & { diskFreeGib: number }> {
  const { measureWindowSeconds } = market.deployment.parameters;
  const row = await waitFor(
    "a finalized measurement",
    async () => {
      const { rows } = await market.database.query<MeasurementRow>(
        `select round_id, down_mbps, up_mbps, ports_reachable, disk_free_gib
           from chain.measurement
          where node_id = $1 and status = 'finalized' and not absent
            and expires_at > extract(epoch from now())
          order by round_id desc limit 1`,
        [nodeId],
      );
      return rows[0];
    },
    {
      signal: market.signal,
      logsDir: market.logsDir,
      progress,
      // A failed round is followed by another.
      seconds: 90 + 3 * measureWindowSeconds,
      describeState: async () =>
        `${sessionSeen("the measurer", await measurer.health())}, ${await roundSeen(market, nodeId)}`,
    },
  );
  if (row.ports_reachable < 1) {
    throw new FatalError("The measurement node reached no mapped port of this machine.", {
      code: "port_unreachable",
      hint: `See the logs of node and measurer in ${market.logsDir}.`,
    });
  }
  return {
    id: String(row.round_id),
    downMbps: Number(row.down_mbps),
    upMbps: Number(row.up_mbps),
    portsReachable: Number(row.ports_reachable),
    diskFreeGib: Number(row.disk_free_gib),
  };
}

async function roundSeen(market: Market, nodeId: number): Promise<string> {
  const { rows } = await market.database.query<{ round_id: bigint; status: string; drawn: string | null }>(
    `select m.round_id, m.status, d.status || coalesce(' (' || d.failure || ')', '') as drawn
       from chain.measurement m left join app.measure_round d using (draws)
      where m.node_id = $1 order by m.round_id desc limit 1`,
    [nodeId],
  );
  const [round] = rows;
  return round === undefined
    ? "no round requested yet"
    : `round ${round.round_id} ${round.status}, ${round.drawn ?? "not drawn yet"}`;
}
