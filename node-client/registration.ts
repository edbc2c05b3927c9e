import type { ChainClient } from "@ngpu/chain-reader/client";
import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { codeOf, nodeStatuses } from "@ngpu/contracts-sdk/enumNames";
import { computeNodeAbi } from "@ngpu/contracts-sdk/generated/abi";
import type { Logger } from "@ngpu/runtime/logger";
import { type Hex, isAddressEqual, type LocalAccount, zeroAddress } from "viem";
import { type Journal, readFact, writeFact } from "./journal/open.ts";
import { lastBySubject, type OutboxItem, takeSequence } from "./journal/outbox.ts";
import { gpuIdOf, type Offer, offerDiffers, withLeasedGpus } from "./offer.ts";
import { deadline, type Outbox } from "./outbox.ts";
import type { Gpu, SickGpu } from "./probe/gpus.ts";

type Dependencies = {
  client: ChainClient;
  deployment: Deployment;
  account: LocalAccount;
  wallet: Hex | undefined;
  /** The wallet's signature that accepts this node. */
  walletConsent: Hex | undefined;
  journal: Journal;
  outbox: Outbox;
  logger: Logger;
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
}: Pick<Dependencies, "client" | "deployment"> & { account: { address: Hex } }) {
  return client.readContract({
    address: deployment.contracts.ComputeNode,
    abi: computeNodeAbi,
    functionName: "nodeIdOf",
    args: [account.address],
  });
}

/**
 * Updates the registry's entry to this machine's offer: registers the node, asks for its wallet, corrects its spec, sets it
 * online.
 *
 * @returns The node's id, or undefined while it is not registered.
 */
export async function ensureRegistered(deps: Dependencies): Promise<number | undefined> {
  const nodeId = await nodeIdOf(deps);
  if (nodeId === 0) {
    await deps.recordAbsence();
    await register(deps);
    return undefined;
  }
  const entry = await readEntry(deps, nodeId);
  await askForWallet(deps, nodeId, entry);
  await correctEntry(deps, nodeId, entry);
  return nodeId;
}

type Entry = Awaited<ReturnType<typeof readEntry>>;

async function readEntry({ client, deployment }: Dependencies, nodeId: number) {
  const contract = { address: deployment.contracts.ComputeNode, abi: computeNodeAbi } as const;
  const args = [nodeId] as const;
  const [[spec, pricePerSecond], status, free, wallet, nominated, [sequence, ownership]] = await Promise.all([
    client.readContract({ ...contract, functionName: "specOf", args }),
    client.readContract({ ...contract, functionName: "statusOf", args }),
    client.readContract({ ...contract, functionName: "freeOf", args }),
    client.readContract({ ...contract, functionName: "walletOf", args }),
    client.readContract({ ...contract, functionName: "nominatedWalletOf", args }),
    client.readContract({ ...contract, functionName: "sequencesOf", args }),
  ]);
  return { spec, pricePerSecond, status, free, wallet, nominated, sequence, ownership };
}

/** One message at a time: a later sequence that arrives first would make the registry refuse the earlier one. */
async function correctEntry(deps: Dependencies, nodeId: number, entry: Entry): Promise<void> {
  if (isPending(deps, "updateSpec") || isPending(deps, "setStatus")) return;
  const offer = withLeasedGpus(deps.offer, entry);
  const next = () => takeSequence(deps.journal, `node/${deps.account.address}`, entry.sequence);
  if (offerDiffers(entry, offer) && canUpdate(deps, offer)) {
    const message = { nodeId, ...offer, sequence: next(), deadline: deadline() };
    await deps.outbox.submit("updateSpec", message, "updateSpec");
    return;
  }
  const status = codeOf(nodeStatuses, deps.status);
  if (entry.status !== status && canRequest(deps, "setStatus")) {
    const message = { nodeId, status, sequence: next(), deadline: deadline() };
    await deps.outbox.submit("setStatus", message, "setStatus");
  }
}

/** While no wallet is bound: nominates the configured one, and passes on its consent where there is one. */
async function askForWallet(deps: Dependencies, nodeId: number, entry: Entry): Promise<void> {
  const { wallet, walletConsent, account } = deps;
  if (wallet === undefined || !isAddressEqual(entry.wallet, zeroAddress)) return;
  if (!isAddressEqual(entry.nominated, wallet)) {
    if (!canRequest(deps, "setWallet")) return;
    const sequence = entry.ownership + 1;
    const message = { nodeId, wallet, sequence, deadline: deadline(), consent: "0x" as Hex };
    await deps.outbox.submit("setWallet", message, "setWallet");
  } else if (walletConsent === undefined) {
    sayUnaccepted(deps, nodeId, wallet);
  } else if (lastRequest(deps, "acceptNode")?.status !== "refused" && canRequest(deps, "acceptNode")) {
    const { ownership: sequence } = entry;
    const message = { nodeId, key: account.address, wallet, sequence, deadline: deadline() };
    await deps.outbox.forward("acceptNode", message, walletConsent, "acceptNode");
  }
}

/** Says once in the log what the wallet's owner has to do. */
function sayUnaccepted({ journal, logger }: Dependencies, nodeId: number, wallet: Hex): void {
  const asked = `${nodeId} ${wallet}`;
  if (readFact(journal, "asked_wallet") === asked) return;
  writeFact(journal, "asked_wallet", asked);
  const hint = `Until the wallet accepts the node, earnings go to the node's key: npm run cli -- node accept ${nodeId}`;
  logger.warn({ event: "wallet_not_accepted", nodeId, wallet, hint });
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
    consent: deps.walletConsent ?? "0x",
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
  const last = lastRequest(deps, "updateSpec");
  return canRequest(deps, "updateSpec") || (last !== undefined && offerDiffers(last.message as Offer, offer));
}

type Request = "register" | "updateSpec" | "setStatus" | "setWallet" | "acceptNode";

/** False while a request is pending, and shortly after a refusal or a confirmation that the endpoint may not show yet. */
function canRequest(deps: Dependencies, kind: Request): boolean {
  const last = lastRequest(deps, kind);
  if (last === undefined || last.status === "expired") return true;
  return !isPending(deps, kind) && Date.now() - (last.settledAt ?? last.createdAt) > retryRefused;
}

function isPending(deps: Dependencies, kind: Request): boolean {
  const status = lastRequest(deps, kind)?.status;
  return status === "waiting" || status === "queued";
}

function lastRequest({ journal }: Dependencies, kind: Request): OutboxItem | undefined {
  return lastBySubject(journal, kind).get(kind);
}
