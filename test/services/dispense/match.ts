import { createPool } from "@ngpu/db/pool";
import { type Job, Worker } from "bullmq";
import type { Redis } from "ioredis";
import type { TestMarket } from "../workspace/market.ts";

export type Request = { requestId: string; workspaceId: bigint; replica: number; excluded: number[] };

/** Chooses a node for a request; null: impossible. */
export type Choose = (request: Request) => number | null;

/** Answers placement requests as match does, with nodes chosen by the test. */
export function answerPlacements(market: TestMarket, redis: Redis, choose: Choose) {
  const pool = createPool({ url: market.urlAs("ngpu_match"), name: "match", max: 2 });
  const answer = async ({ data }: Job<{ requestId: string }>) => {
    const requested = await pool.query<Request>(
      `select request_id as "requestId", workspace_id::int8 as "workspaceId", replica, excluded
       from app.placement where request_id = $1 and status = 'requested'`,
      [data.requestId],
    );
    const request = requested.rows[0];
    if (request === undefined) return;
    const nodeId = choose(request);
    await pool.query(
      `update app.placement set status = $2, node_id = $3, refusals = $4, answered_at = now(),
         block_number = head.number, block_hash = head.hash, position = 0
       from chain.head as head where request_id = $1 and status = 'requested' and head.tier = 'unsafe'`,
      [data.requestId, nodeId === null ? "impossible" : "answered", nodeId, nodeId === null ? "{}" : null],
    );
    await pool.query("select pg_notify('app_changed', 'placement')");
  };
  const worker = new Worker("placement", answer, { connection: redis });
  return async () => {
    await worker.close();
    await pool.end();
  };
}
