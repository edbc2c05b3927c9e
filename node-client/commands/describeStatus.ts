import type { NodeStatus } from "../operator/status.ts";
import { aligned, duration, pricePerHour, timeOf, tokens } from "./format.ts";
import type { MarketView } from "./market.ts";

type Entry = readonly [string, string];

/** A node's status as text. @param now Milliseconds. */
export function describeStatus(status: NodeStatus, market: MarketView, now: number): string {
  return aligned([
    ["Node", nodeLine(status, market)],
    ["Client", `version ${status.version}, running for ${duration(now - status.startedAt)}`],
    ["Market", marketLine(status, now)],
    ["Wallet", status.wallet ?? `${status.address} (the node's own address)`],
    ...offerEntries(status),
    ...earningEntries(market),
    ...proofEntries(market),
    ...leaseEntries(status),
    ["Walls", wallsLine(status, now)],
    ...(market.failure === null ? [] : [["API", `does not answer: ${market.failure}`] as const]),
  ]);
}

function nodeLine({ nodeId, address, drained }: NodeStatus, { node }: MarketView): string {
  if (nodeId === null) return `not registered yet (${address})`;
  const state = drained ? "drained: it accepts no new leases" : (node?.status ?? "registered");
  return `${nodeId} (${address}), ${state}`;
}

function marketLine(
  { api, chainId, current, session, tunnels, lastContactAt }: NodeStatus,
  now: number,
): string {
  const contact = lastContactAt === 0 ? "never" : `${duration(now - lastContactAt)} ago`;
  return [
    `${api}, chain ${chainId}`,
    `view of the chain ${current ? "current" : "behind"}`,
    `session ${session ? "open" : "closed"}`,
    `${tunnels} ${tunnels === 1 ? "tunnel" : "tunnels"}`,
    `last contact ${contact}`,
  ].join(", ");
}

function offerEntries({ offer, sickGpus }: NodeStatus): Entry[] {
  const gpus = offer.gpus === 0 ? "no GPU" : `${offer.gpus} × ${offer.gpuName}`;
  return [
    [
      "Offer",
      `${gpus}, ${offer.cpuMilli / 1_000} cores, ${offer.memoryMib} MiB, ${offer.diskGib} GiB disk, ${offer.ports} ports`,
    ],
    ["Price", `${pricePerHour(offer.pricePerSecond)} a replica`],
    ...sickGpus.map(
      ({ name, id, code, detail }) => ["Not offered", `${name ?? id} (${code}): ${detail}`] as const,
    ),
  ];
}

function earningEntries({ reward }: MarketView): Entry[] {
  if (reward === null) return [];
  const { earned, claimable, pending, claimed, withheld, bonds } = reward;
  const [bond] = bonds;
  return [
    [
      "Earnings",
      `${tokens(earned)} in total: ${tokens(claimed)} claimed, ${tokens(claimable)} claimable, ${tokens(pending)} not active yet`,
    ],
    [
      "Bond",
      bond === undefined
        ? "none withheld"
        : `${tokens(withheld)} withheld, ${bond.days} of ${bond.daysNeeded} days served, returned ${timeOf(bond.returnsAt)} at the earliest`,
    ],
  ];
}

function proofEntries({ node }: MarketView): Entry[] {
  if (node === null) return [];
  const { measurement, uptime } = node;
  const share =
    uptime.share === null ? "no slot yet" : `${(uptime.share * 100).toFixed(1)} % of ${uptime.slots} slots`;
  return [
    ["Uptime", share],
    [
      "Last proof",
      measurement === null
        ? "none yet"
        : `${timeOf(measurement.closesAt)}: ${measurement.downMbps ?? "?"} Mbit/s down, ${measurement.upMbps ?? "?"} up, ${measurement.portsReachable ?? "?"} ports, ${measurement.diskFreeGib ?? "?"} GiB free`,
    ],
  ];
}

function leaseEntries({ leases }: NodeStatus): Entry[] {
  if (leases.length === 0) return [["Leases", "none"]];
  return leases.map(({ lease, state, desired, hostPort }, index) => [
    index === 0 ? "Leases" : "",
    `${lease}  ${state}${hostPort === null ? "" : ` on port ${hostPort}`}${desired === "run" ? "" : `, ordered: ${desired}`}`,
  ]);
}

function wallsLine({ walls }: NodeStatus, now: number): string {
  const { state, repairs, repairedAt, failure } = walls;
  if (state === "down") return `down, no lease starts: ${failure}`;
  if (state === "unused") return "put up with the first lease";
  if (repairedAt === null) return "up";
  const times = repairs === 1 ? "once" : `${repairs} times`;
  return `up; put back ${times} after another program removed them, ${duration(now - repairedAt)} ago`;
}
