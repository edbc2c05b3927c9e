import { type Assignment, leaseKey } from "../leases.ts";
import { offerOf } from "../offer.ts";
import type { NodeParts } from "../partTypes.ts";
import type { UpdateStatus } from "../updates/updateLoop.ts";
import { version } from "../version.ts";
import type { WallsStatus } from "../walls/walls.ts";
import { limitHardware, priceOf, readSettings, walletOf } from "./settings.ts";

/** What the running client knows about itself. Answer of `GET /status` on its control socket. */
export type NodeStatus = {
  version: string;
  startedAt: number;
  nodeId: number | null;
  address: string;
  wallet: string | null;
  api: string;
  chainId: number;
  drained: boolean;
  /** Whether the node's view of the chain may be acted on. */
  current: boolean;
  session: boolean;
  tunnels: number;
  lastContactAt: number;
  gpus: { name: string; uuid: string }[];
  sickGpus: { code: string; id: string; name: string | null; detail: string }[];
  leases: LeaseStatus[];
  /** The firewall between tenants and the networks of this machine. */
  walls: WallsStatus;
  updates: UpdateStatus;
  offer: OfferStatus;
};

export type LeaseStatus = {
  lease: string;
  desired: Assignment["desired"];
  state: Assignment["state"];
  /** Port of this machine that leads to the container's first port. Null: the container does not run. */
  hostPort: number | null;
};

export type OfferStatus = {
  /** Token units (1e-18) a second. */
  pricePerSecond: string;
  gpuName: string;
  gpus: number;
  cpuMilli: number;
  memoryMib: number;
  diskGib: number;
  ports: number;
  region: string | null;
};

/** The node's state, from its own parts: no request leaves the machine. */
export function statusOf(node: NodeParts): NodeStatus {
  const { env, network, journal } = node;
  const settings = readSettings(journal);
  return {
    ...stateOf(node),
    version,
    startedAt: Math.round(Date.now() - process.uptime() * 1_000),
    wallet: walletOf(settings, env).wallet ?? null,
    api: env.NGPU_API,
    chainId: network.deployment.chainId,
    drained: settings.drained,
    leases: leasesOf(node),
    walls: node.walls.status(),
    updates: node.updates.status(),
    offer: offerStatusOf(node),
  };
}

/** What the health page, the metrics and the operator's status have in common. */
export function stateOf({ account, hardware, membership, session, tunnels, lastContact }: NodeParts) {
  return {
    nodeId: membership.nodeId() ?? null,
    address: account.address,
    session: session.isOpen(),
    tunnels: tunnels.open(),
    gpus: hardware.gpus.map(({ name, uuid }) => ({ name, uuid })),
    sickGpus: hardware.sickGpus,
    current: membership.isCurrent(),
    lastContactAt: lastContact.last(),
  };
}

function leasesOf({ membership, reconciler }: NodeParts): LeaseStatus[] {
  const running = reconciler.running();
  return membership
    .view()
    .assignments.filter(({ ended, state }) => !ended && state !== "deleted" && state !== "released")
    .map((assignment) => {
      const lease = leaseKey(assignment);
      const { desired, state } = assignment;
      return { lease, desired, state, hostPort: running.get(lease) ?? null };
    });
}

/** What the node offers now. */
export function offerStatusOf(node: NodeParts): OfferStatus {
  const { spec, gpuName, pricePerSecond } = currentOffer(node);
  return {
    pricePerSecond: String(pricePerSecond),
    gpuName,
    ...spec.total,
    region: node.env.NODE_REGION ?? null,
  };
}

/** The offer of the machine within the operator's limits, as it is registered. */
export function currentOffer({ hardware, env, journal }: Pick<NodeParts, "hardware" | "env" | "journal">) {
  const settings = readSettings(journal);
  const price = priceOf(settings, env.NODE_PRICE);
  return offerOf(limitHardware(hardware, settings), { region: env.NODE_REGION, price });
}
