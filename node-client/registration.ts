import { randomBytes } from "node:crypto";
import type { ChainClient } from "@ngpu/chain-reader/client";
import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { codeOf, nodeStatuses } from "@ngpu/contracts-sdk/enumNames";
import { computeNodeAbi } from "@ngpu/contracts-sdk/generated/abi";
import { bytesToBigInt, type LocalAccount, zeroAddress } from "viem";
import type { Journal } from "./journal/open.ts";
import { lastBySubject, type OutboxItem } from "./journal/outbox.ts";
import { gpuIdOf, type Offer, offerDiffers, withLeasedGpus } from "./offer.ts";
import { deadline, type Outbox } from "./outbox.ts";
import type { Gpu, SickGpu } from "./probe/gpus.ts";

type Dependencies = {
  client: ChainClient;
  deployment: Deployment;
  account: LocalAccount;
  wallet: `0x${string}` | undefined;
  journal: Journal;
  outbox: Outbox;
  offer: Offer;
  /** The status that the node declares. */
  status: "online" | "maintenance";
  gpus: Gpu[];
  sickGpus: SickGpu[];
  /** Called when the registry does not have the node. */
  recordAbsence: () => Promise<void>;
};

/** Milliseconds after a refusal or confirmation before the same request is sent again. */
const retryRefused = 30_000;

/** Reads the node's id from the registry; 0 when it is not registered. */
export async function nodeIdOf({
  client,
  deployment,
  account,
}: Pick<Dependencies, "client" | "deployment" | "account">) {
  return client.readContract({
    address: deployment.contracts.ComputeNode,
    abi: computeNodeAbi,
    functionName: "nodeIdOf",
    args: [account.address],
  });
}

/**
 * Updates the registry's entry to this machine's offer: registers the node, corrects its spec, sets it online.
 *
 * @returns The node's id, or undefined while it is not registered.
 */
export async function ensureRegistered(deps: Dependencies): Promise<number | undefined> {
  const { client, deployment } = deps;
  const nodeId = await nodeIdOf(deps);
  if (nodeId === 0) {
    await deps.recordAbsence();
    await register(deps);
    return undefined;
  }
  const contract = { address: deployment.contracts.ComputeNode, abi: computeNodeAbi } as const;
  const [[spec, pricePerSecond], status, free] = await Promise.all([
    client.readContract({ ...contract, functionName: "specOf", args: [nodeId] }),
    client.readContract({ ...contract, functionName: "statusOf", args: [nodeId] }),
    client.readContract({ ...contract, functionName: "freeOf", args: [nodeId] }),
  ]);
  const offer = withLeasedGpus(deps.offer, { spec, free });
  if (offerDiffers({ spec, pricePerSecond }, offer) && canUpdate(deps, offer)) {
    const message = { nodeId, ...offer, nonce: nonce(), deadline: deadline() };
    await deps.outbox.submit("updateSpec", message, "updateSpec");
  }
  const declared = codeOf(nodeStatuses, deps.status);
  if (status !== declared && canRequest(deps, "setStatus")) {
    const message = { nodeId, status: declared, nonce: nonce(), deadline: deadline() };
    await deps.outbox.submit("setStatus", message, "setStatus");
  }
  return nodeId;
}

async function register(deps: Dependencies): Promise<void> {
  if (!canRequest(deps, "register")) return;
  const { offer, account, gpus } = deps;
  const sick = mayReturn(deps);
  const idOf = ({ uuid, isLocal }: { uuid: string; isLocal?: boolean }) =>
    gpuIdOf(isLocal ? `${account.address}/${uuid}` : uuid);
  const total = { gpus: gpus.length + sick.length, cpuMilli: 0, memoryMib: 0, diskGib: 0, ports: 0 };
  const message = {
    key: account.address,
    wallet: deps.wallet ?? zeroAddress,
    // The registry limits later offers to the cards of the registration, so sick cards are registered too. Without
    // other resources nothing is placed until the next update, which offers the healthy cards alone.
    spec: sick.length === 0 ? offer.spec : { ...offer.spec, total },
    pricePerSecond: offer.pricePerSecond,
    gpuName: offer.gpuName,
    // A UUID that another machine may have is made unique by the node's key.
    gpuUuids: [
      ...gpus.map(idOf),
      ...sick.map(({ id }) => idOf({ uuid: id, isLocal: !id.startsWith("GPU-") })),
    ],
    deadline: deadline(),
  };
  await deps.outbox.submit("register", message, "register");
}

/** Most cards of one registration. */
const maxCards = 64;

/** The sick cards that may be offered with the healthy ones once they recover. */
function mayReturn({ gpus, sickGpus }: Dependencies): SickGpu[] {
  const [first] = gpus;
  const isEqual = ({ name }: SickGpu) => first === undefined || name === null || name === first.name;
  return sickGpus.filter(isEqual).slice(0, Math.max(0, maxCards - gpus.length));
}

/** An offer that differs from the last one is not held back: a card that fell sick must not get a lease. */
function canUpdate(deps: Dependencies, offer: Offer): boolean {
  if (canRequest(deps, "updateSpec")) return true;
  const last = lastBySubject(deps.journal, "updateSpec").get("updateSpec");
  return last !== undefined && isSettled(last) && offerDiffers(last.message, offer);
}

const isSettled = ({ status }: Pick<OutboxItem, "status">) => status !== "waiting" && status !== "queued";

/** False while a request is pending, and shortly after a refusal or a confirmation that the endpoint may not show yet. */
function canRequest({ journal }: Dependencies, kind: "register" | "updateSpec" | "setStatus"): boolean {
  const last: OutboxItem | undefined = lastBySubject(journal, kind).get(kind);
  if (last === undefined || last.status === "expired") return true;
  if (!isSettled(last)) return false;
  return Date.now() - (last.settledAt ?? last.createdAt) > retryRefused;
}

function nonce(): bigint {
  return bytesToBigInt(randomBytes(32));
}
