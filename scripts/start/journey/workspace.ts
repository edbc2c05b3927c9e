import { FatalError } from "@ngpu/runtime/errors";
import Docker from "dockerode";
import { marketLabel } from "../containers.ts";
import type { Market, MarketImages } from "../market.ts";
import type { Progress } from "../reporter.ts";
import type { JourneyResult } from "../result.ts";
import { waitFor } from "../wait.ts";
import type { Partner } from "./partner.ts";

/**
 * The partner registers the image and publishes a workspace of it over HTTP.
 *
 * @returns The workspace's id as the chain has it.
 */
export async function publishWorkspace(
  market: Market,
  partner: Partner,
  image: MarketImages["chat"],
  progress: Progress,
): Promise<string> {
  progress("registering the image");
  await partner.api.post("/v1/images", {
    digest: image.digest,
    sizeBytes: image.sizeBytes,
    chunkRoot: image.chunkRoot,
    reference: image.reference,
  });
  progress("publishing");
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
  return waitFor(
    "the workspace on the chain",
    async () => {
      const { rows } = await market.database.query<{ workspace_id: bigint }>(
        "select workspace_id from chain.workspace where workspace_id = $1 and owner = $2 and image = $3",
        [published.id, market.keys.partner.account.address.toLowerCase(), chainDigest(image.digest)],
      );
      return rows[0] === undefined ? undefined : String(rows[0].workspace_id);
    },
    { signal: market.signal, logsDir: market.logsDir, progress, seconds: 60 },
  );
}

/** A digest as the chain holds it. */
function chainDigest(digest: string): string {
  return digest.replace(/^sha256:/, "0x");
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
  wanted: { what: string; reached: (row: AssignmentRow) => boolean; progress: Progress },
): Promise<AssignmentRow> {
  const read = async () =>
    (await market.database.query<AssignmentRow>(currentAssignment, [workspaceId])).rows[0];
  return waitFor(
    wanted.what,
    async () => {
      const row = await read();
      return row !== undefined && wanted.reached(row) ? row : undefined;
    },
    {
      ...{ signal: market.signal, logsDir: market.logsDir, progress: wanted.progress, seconds: 180 },
      seeing: async () => {
        const row = await read();
        return row === undefined
          ? "no node assigned yet"
          : `the lease is ${row.state}, its image ${row.milestone ?? "not begun"}`;
      },
    },
  );
}

/** True once the assignment is in this state or has passed it. */
export function isAtLeast(row: AssignmentRow, state: string): boolean {
  return order.indexOf(row.state) >= order.indexOf(state);
}

/**
 * What Docker says of the container that runs the lease.
 *
 * @throws FatalError `container_missing`, or `container_image` when it runs another image than the chain's workspace names.
 */
export async function inspectContainer(
  market: Market,
  lease: { workspaceId: string; replica: number; lease: number },
): Promise<{ containerId: string; image: string }> {
  const docker = new Docker({ socketPath: market.dockerSocket });
  const label = [
    `ngpu.workspace=${lease.workspaceId}`,
    `ngpu.replica=${lease.replica}`,
    `ngpu.lease=${lease.lease}`,
    `ngpu.market=${marketLabel(market.deployment)}`,
  ];
  const [found] = await docker.listContainers({ filters: { label } });
  if (found === undefined) {
    throw new FatalError(`Docker knows no running container labelled ${label.join(", ")}.`, {
      code: "container_missing",
      hint: `The node's log is ${market.logsDir}/node.log.`,
    });
  }
  const inspected = await docker.getContainer(found.Id).inspect();
  const image = await docker.getImage(inspected.Image).inspect();
  const { rows } = await market.database.query<{ image: string }>(
    "select image from chain.workspace where workspace_id = $1",
    [lease.workspaceId],
  );
  const digest = rows[0]?.image.replace(/^0x/, "@sha256:") ?? "none";
  // The engine may know the same image under the names of other registries; the container's own comes first.
  const [repository = ""] = inspected.Config.Image.split("@");
  const names = (image.RepoDigests ?? []).filter((name) => name.endsWith(digest));
  const name = names.find((one) => one.startsWith(`${repository}@`)) ?? names[0];
  if (name === undefined) {
    throw new FatalError(`Container ${found.Id} does not run the image of workspace ${lease.workspaceId}.`, {
      code: "container_image",
      details: { wanted: digest, found: image.RepoDigests },
    });
  }
  return { containerId: inspected.Id, image: name };
}

type TaskRow = { status: string; node_id: number; duration_ms: number; result: unknown };

/** The partner asks the workspace a question and gets the container's answer. */
export async function runTask(
  market: Market,
  { api }: Partner,
  workspaceId: string,
): Promise<JourneyResult["task"]> {
  const answer = await api.post<{ id: string }>("/v1/tasks", {
    workspaceId,
    path: "/v1/chat/completions",
    input: {
      model: "ngpu-ngram-1",
      messages: [{ role: "user", content: "What does a compute node do?" }],
      max_tokens: 40,
      seed: 7,
    },
  });
  const { rows } = await market.database.query<TaskRow>(
    "select status, node_id, duration_ms, result from app.task where id = $1 and workspace_id = $2",
    [answer.id, workspaceId],
  );
  const row = rows[0];
  if (row === undefined || row.status !== "succeeded") {
    throw new FatalError(
      `Task ${answer.id} is ${row?.status ?? "not recorded"}: ${JSON.stringify(answer).slice(0, 300)}`,
      { code: "task_failed" },
    );
  }
  return { id: answer.id, nodeId: Number(row.node_id), ms: Number(row.duration_ms), result: row.result };
}

type OpenRow = { workspace_id: bigint };

/**
 * Closes the workspaces that earlier starts of this market left open on a chain that lasts: their replicas would fill
 * this machine, at the partner's cost.
 *
 * @returns How many there were.
 */
export async function closeOpenWorkspaces(market: Market, { api }: Partner): Promise<number> {
  const { rows } = await market.database.query<OpenRow>(
    `select workspace_id from chain.workspace where owner = $1 and status = 'open' order by workspace_id`,
    [market.keys.partner.account.address.toLowerCase()],
  );
  for (const { workspace_id } of rows) await api.delete(`/v1/workspaces/${workspace_id}`);
  return rows.length;
}

/** Closes the workspace and waits until its leases have ended on the chain, so that nobody is charged for them any more. */
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
