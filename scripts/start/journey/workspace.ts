import Docker from "dockerode";
import type { Market, MarketImages } from "../market.ts";
import type { JourneyResult } from "../result.ts";
import { waitFor } from "../wait.ts";
import type { Api } from "./api.ts";
import type { Partner } from "./partner.ts";

/** The partner registers the image and publishes a workspace of it over HTTP. */
export async function publishWorkspace(
  market: Market,
  partner: Partner,
  image: MarketImages["chat"],
): Promise<string> {
  await partner.api.post("/v1/images", {
    digest: image.digest,
    sizeBytes: image.sizeBytes,
    chunkRoot: image.chunkRoot,
    reference: image.reference,
  });
  const published = await partner.api.post<{ id: string }>(
    "/v1/workspaces",
    {
      authorizationId: partner.authorizationId,
      name: "chat",
      image: `${image.reference}@${image.digest}`,
      ports: [8080],
      health: "/healthz",
      replicas: 1,
      cpu: 0.5,
      memoryMib: 512,
      diskGib: 1,
      maxPricePerSecond: "10000000000000",
    },
    { "idempotency-key": `start-${market.deployment.startBlock}-${Date.now()}` },
  );
  return published.id;
}

type AssignmentRow = {
  node_id: number;
  replica: number;
  lease: number;
  state: string;
  milestone: string | null;
};

const currentAssignment = `
  select assignment.node_id, assignment.replica, assignment.lease, assignment.state, progress.milestone
    from chain.assignment left join chain.progress using (workspace_id, replica, lease)
   where assignment.workspace_id = $1 and assignment.release_reason is null
   order by assignment.lease desc limit 1`;

const order = ["assigned", "ready", "running"];

/** Waits until the chain says that the workspace has come so far. */
export async function awaitState(
  market: Market,
  workspaceId: string,
  reached: (row: AssignmentRow) => boolean,
  what: string,
): Promise<AssignmentRow> {
  const read = async () =>
    (await market.database.query<AssignmentRow>(currentAssignment, [workspaceId])).rows[0];
  return waitFor(
    what,
    async () => {
      const row = await read();
      return row !== undefined && reached(row) ? row : undefined;
    },
    {
      signal: market.signal,
      seconds: 180,
      why: async () => {
        const row = await read();
        return row === undefined
          ? "No node is assigned yet."
          : `The lease is ${row.state}, its image ${row.milestone ?? "not begun"}.`;
      },
    },
  );
}

/** True once the assignment is in this state or has passed it. */
export function isAtLeast(row: AssignmentRow, state: string): boolean {
  return order.indexOf(row.state) >= order.indexOf(state);
}

/** What Docker says of the container that runs the lease. */
export async function inspectContainer(
  market: Market,
  lease: { workspaceId: string; replica: number; lease: number },
): Promise<{ containerId: string; image: string }> {
  const docker = new Docker({ socketPath: market.dockerSocket });
  const labels = [
    `ngpu.workspace=${lease.workspaceId}`,
    `ngpu.replica=${lease.replica}`,
    `ngpu.lease=${lease.lease}`,
    `ngpu.market=${market.deployment.contracts.ComputeNode.slice(2, 10).toLowerCase()}`,
  ];
  const [found] = await docker.listContainers({ filters: { label: labels } });
  if (found === undefined) throw new Error(`Docker knows no container labelled ${labels.join(", ")}.`);
  const inspected = await docker.getContainer(found.Id).inspect();
  const image = await docker.getImage(inspected.Image).inspect();
  return { containerId: inspected.Id, image: image.RepoDigests?.[0] ?? inspected.Config.Image };
}

type TaskAnswer = { id: string; status: string; nodeId: number; ms: number; result: unknown };

/** The partner asks the workspace a question and gets the container's answer. */
export async function runTask(market: Market, api: Api, workspaceId: string): Promise<JourneyResult["task"]> {
  const answer = await api.post<TaskAnswer>("/v1/tasks", {
    workspaceId,
    path: "/v1/chat/completions",
    input: {
      model: "ngpu-ngram-1",
      messages: [{ role: "user", content: "What does a compute node do?" }],
      max_tokens: 40,
      seed: 7,
    },
  });
  const { rows } = await market.database.query<{
    status: string;
    node_id: number;
    duration_ms: number;
    result: unknown;
  }>("select status, node_id, duration_ms, result from app.task where id = $1", [answer.id]);
  const row = rows[0];
  if (row === undefined || row.status !== "succeeded") {
    throw new Error(
      `Task ${answer.id} is ${row?.status ?? "not recorded"}: ${JSON.stringify(answer).slice(0, 300)}`,
    );
  }
  return { id: answer.id, nodeId: Number(row.node_id), ms: Number(row.duration_ms), result: row.result };
}
