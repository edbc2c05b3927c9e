import type { releaseReasons } from "@ngpu/contracts-sdk/enumNames";
import { workspaceConfig } from "@ngpu/protocol/workspaceConfig";
import { failureText, mappedPorts, workspaceStatus } from "./decide.ts";
import { type Reason, reasonOfWorkspace, shownReason } from "./reasons.ts";
import type { findScaling } from "./store/scaling.ts";
import type { PlacementRow, ReplicaRow, WorkspaceRow } from "./store/workspaces.ts";

/** A workspace as an entry of a list. */
export function entryOf(row: WorkspaceRow, replicas: ReplicaRow[], now: number) {
  const held = replicas.filter((replica) => replica.release_reason === null);
  return {
    id: row.id,
    name: row.name,
    image: imageOf(row),
    status: workspaceStatus({
      status: row.status,
      stopped: row.stopped,
      expiresAt: row.expires_at,
      wanted: row.replicas,
      now,
      replicas: replicas.map((replica) => ({ ...replica, held: replica.release_reason === null })),
    }),
    replicas: { wanted: row.replicas, running: held.filter((one) => one.state === "running").length },
    tier: row.tier,
  };
}

type ScalingView = Awaited<ReturnType<typeof findScaling>>;

/** A workspace with its configuration and replicas. */
export function workspaceOf(
  row: WorkspaceRow,
  replicas: ReplicaRow[],
  placements: PlacementRow[],
  { now, reasons, scaling }: { now: number; reasons: (Reason | null)[]; scaling: ScalingView },
) {
  const config = configOf(row);
  return {
    ...entryOf(row, replicas, now),
    reason: shownReason(reasonOfWorkspace(reasons)),
    authorizationId: row.authorization_id,
    config: config ?? row.config,
    scaling:
      config?.scaling === undefined
        ? null
        : { ...config.scaling, replicas: scaling.drainFrom, refusal: scaling.refusal },
    policy: row.policy,
    graceSeconds: row.grace_seconds,
    maxPricePerSecond: String(row.max_price_per_second),
    gpu: {
      model: isZero(row.gpu_model) ? null : row.gpu_model,
      count: row.gpus,
      minVramMib: row.min_vram_mib,
      minComputeCapability: row.min_compute_capability === 0 ? null : row.min_compute_capability / 10,
    },
    cpu: row.cpu_milli / 1000,
    memoryMib: row.memory_mib,
    diskGib: row.disk_gib,
    region: row.region,
    expiresAt: row.expires_at === 0 ? null : new Date(row.expires_at * 1000).toISOString(),
    published: { block: row.published_block, txHash: row.published_tx },
    replicaList: Array.from({ length: row.replicas }, (_one, number) =>
      replicaOf(
        { number, reason: reasons[number] ?? null },
        replicas.find((one) => one.replica === number),
        placements.find((one) => one.replica === number),
        config?.ports ?? [],
      ),
    ),
  };
}

function replicaOf(
  { number: replica, reason }: { number: number; reason: Reason | null },
  row: ReplicaRow | undefined,
  placement: PlacementRow | undefined,
  containerPorts: number[],
) {
  return {
    replica,
    reason: shownReason(reason),
    ...leaseOf(row),
    endpoints: row === undefined ? [] : endpointsOf(row, containerPorts),
    placement:
      placement === undefined
        ? null
        : {
            id: placement.request_id,
            status: placement.status,
            nodeId: placement.node_id,
            block: placement.block_number,
            refusals: placement.refusals,
            refusal: placement.refusal,
            requestedAt: placement.requested_at.toISOString(),
          },
  };
}

const noLease = {
  lease: null,
  node: null,
  state: null,
  desired: null,
  releaseReason: null,
  milestone: null,
  percent: null,
  pricePerSecond: null,
  failure: null,
  tier: null,
};

function leaseOf(row: ReplicaRow | undefined) {
  if (row === undefined) return noLease;
  return {
    lease: row.lease,
    node: { id: row.node_id, region: row.region, gpuName: row.gpu_name === "" ? null : row.gpu_name },
    state: row.state,
    desired: row.desired,
    releaseReason: row.release_reason as (typeof releaseReasons)[number] | null,
    milestone: row.milestone,
    percent: row.percent,
    pricePerSecond: String(row.price_per_second),
    failure: row.state === "failed" && row.detail !== null ? failureText(row.detail) : null,
    tier: row.tier,
  };
}

function endpointsOf(row: ReplicaRow, containerPorts: number[]) {
  const { host, detail } = row;
  if (row.state !== "running" || row.release_reason !== null || host === null || detail === null) return [];
  return mappedPorts(detail, containerPorts).map((mapped) => ({ ...mapped, host }));
}

/** The published configuration; null when it does not match the schema. */
function configOf(row: WorkspaceRow) {
  try {
    const parsed = workspaceConfig.safeParse(JSON.parse(row.config));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}

function imageOf(row: WorkspaceRow): string {
  const reference = configOf(row)?.image;
  const digest = `sha256:${row.image.replace(/^0x/, "")}`;
  return reference === undefined ? digest : `${reference}@${digest}`;
}

const isZero = (hex: string | null) => hex === null || /^0x0*$/.test(hex);
