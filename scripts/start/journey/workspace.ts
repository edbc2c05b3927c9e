import { FatalError } from "@ngpu/runtime/errors";
import Docker from "dockerode";
import { marketLabel } from "../containers.ts";
import type { Market, MarketImages } from "../market.ts";
import type { Progress } from "../reporter.ts";
import { waitFor } from "../waitFor.ts";
import { closeOpenWorkspaces } from "./closing.ts";
import type { Partner } from "./partner.ts";
import { untilDone } from "./step.ts";

type Image = MarketImages["chat"];

/** The published workspace. */
function workspaceOf(partner: Partner, image: Image) {
  return {
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
  };
}

/**
 * The partner registers the image and publishes a workspace of it over HTTP. A retry publishes the same workspace.
 *
 * @returns A function that returns the workspace's id on the chain.
 */
export function publisher(
  market: Market,
  partner: Partner,
  image: Image,
): (progress: Progress) => Promise<string> {
  const key = `start-${market.deployment.startBlock}-${Date.now()}`;
  const clear = untilDone(async () => {
    if (!market.chain.embedded) await closeOpenWorkspaces(market, partner);
  });
  return async (progress) => {
    await clear();
    progress("registering the image");
    await partner.api.post("/v1/images", {
      digest: image.digest,
      sizeBytes: image.sizeBytes,
      chunkRoot: image.chunkRoot,
      reference: image.reference,
    });
    progress("publishing");
    const body = workspaceOf(partner, image);
    const { id } = await partner.api.post<{ id: string }>("/v1/workspaces", body, { "idempotency-key": key });
    return publishedWorkspace(market, id, image, progress);
  };
}

function publishedWorkspace(market: Market, id: string, image: Image, progress: Progress): Promise<string> {
  const owner = market.keys.partner.account.address.toLowerCase();
  return waitFor(
    "the workspace on the chain",
    async () => {
      const { rows } = await market.database.query<{ workspace_id: bigint }>(
        "select workspace_id from chain.workspace where workspace_id = $1 and owner = $2 and image = $3",
        [id, owner, chainDigest(image.digest)],
      );
      return rows[0] === undefined ? undefined : String(rows[0].workspace_id);
    },
    { signal: market.signal, logsDir: market.logsDir, progress, seconds: 60 },
  );
}

/** A digest in the chain's format. */
function chainDigest(digest: string): string {
  return digest.replace(/^sha256:/, "0x");
}

export type AssignmentRow = {
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

/** A workspace to wait for, with the market and the partner's API. */
export type Awaited = { workspaceId: string; partner: Partner; image: Image };

/** Waits until the workspace has reached a state on the chain. */
export async function awaitState(
  market: Market,
  { workspaceId, partner, image }: Awaited,
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
      signal: market.signal,
      logsDir: market.logsDir,
      progress: wanted.progress,
      seconds: 180,
      describeState: async () => {
        const row = await read();
        return row === undefined
          ? `no node is assigned, ${await explained(partner, image)}`
          : `the lease is ${row.state}, its image ${row.milestone ?? "not started"}`;
      },
    },
  );
}

/** The placement that match would choose for the workspace now. */
async function explained(partner: Partner, image: Image): Promise<string> {
  const { authorizationId: _ours, ...body } = workspaceOf(partner, image);
  const { messages } = await partner.api.post<{ messages: string[] }>("/v1/match/explain", body);
  return messages[0] === undefined
    ? "match gives no reason"
    : `match reports: ${messages[0].replace(/\.$/, "")}`;
}

/** True once the assignment has reached or passed this state. */
export function isAtLeast(row: AssignmentRow, state: string): boolean {
  return order.indexOf(row.state) >= order.indexOf(state);
}

/**
 * Docker's description of the container that runs the lease.
 *
 * @throws FatalError `container_not_found`, or `container_image_mismatch` when it runs another image than the workspace on the
 *   chain.
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
    throw new FatalError(`Docker has no running container labelled ${label.join(", ")}.`, {
      code: "container_not_found",
      hint: `See the node's log, ${market.logsDir}/node.log.`,
    });
  }
  const inspected = await docker.getContainer(found.Id).inspect();
  const image = await docker.getImage(inspected.Image).inspect();
  const { rows } = await market.database.query<{ image: string }>(
    "select image from chain.workspace where workspace_id = $1",
    [lease.workspaceId],
  );
  const digest = rows[0]?.image.replace(/^0x/, "@sha256:") ?? "none";
  // The engine may know the same image by names of other registries. The container's own name has precedence.
  const [repository = ""] = inspected.Config.Image.split("@");
  const names = (image.RepoDigests ?? []).filter((name) => name.endsWith(digest));
  const name = names.find((one) => one.startsWith(`${repository}@`)) ?? names[0];
  if (name === undefined) {
    throw new FatalError(`Container ${found.Id} does not run the image of workspace ${lease.workspaceId}.`, {
      code: "container_image_mismatch",
      hint: "See the node's log, .ngpu/logs/node.log.",
      details: { wanted: digest, found: image.RepoDigests },
    });
  }
  return { containerId: inspected.Id, image: name };
}
