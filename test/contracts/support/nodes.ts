import { computeNodeAbi } from "@ngpu/contracts-sdk/generated/abi";
import {
  domainOf,
  registrationTypes,
  walletChangeTypes,
  walletConsentTypes,
} from "@ngpu/contracts-sdk/typedData";
import { type Hex, keccak256, parseEventLogs, toBytes } from "viem";
import type { PrivateKeyAccount } from "viem/accounts";
import { keyOf, later, type MarketFixture } from "./market.ts";
import { zeroAddress } from "./reverts.ts";

/** First 8 bytes of the hash of a GPU's name. */
export function modelOf(name: string): Hex {
  return keccak256(toBytes(name)).slice(0, 18) as Hex;
}

export const gpuName = "NVIDIA H200";

export const nodeSpec = {
  gpuModel: modelOf(gpuName),
  vramMib: 143_771,
  computeCapability: 90,
  region: "0x4445" as Hex,
  total: { gpus: 1, cpuMilli: 16_000, memoryMib: 131_072, diskGib: 1_000, ports: 32 },
};

/** Resources in 88 bits, as ResourceMath packs them. */
export function packResources(amount: typeof nodeSpec.total): bigint {
  const lanes = [amount.cpuMilli, amount.memoryMib, amount.diskGib, amount.ports];
  const bits = [24n, 24n, 16n, 16n];
  return lanes.reduce(
    (packed, lane, place) => (packed << (bits[place] ?? 0n)) | BigInt(lane),
    BigInt(amount.gpus),
  );
}

/** A demand of resources at any price. */
export function demandOf(amount: typeof nodeSpec.total) {
  return {
    resources: packResources(amount),
    gpuModel: "0x0000000000000000" as Hex,
    minVramMib: 0,
    minComputeCapability: 0,
    region: "0x0000" as Hex,
    maxPricePerSecond: 2n ** 64n - 1n,
  };
}

export type Registration = ReturnType<typeof registrationOf>;

export function registrationOf(key: PrivateKeyAccount) {
  return {
    key: key.address,
    wallet: zeroAddress as Hex,
    spec: nodeSpec,
    pricePerSecond: 1_000n,
    gpuName,
    gpuUuids: [keccak256(key.address)],
    deadline: later,
    consent: "0x" as Hex,
  };
}

/** The wallet's signature that accepts the node of a key. */
export function signConsent(
  market: MarketFixture,
  wallet: PrivateKeyAccount,
  key: Hex,
  { sequence = 0, of = wallet.address }: { sequence?: number; of?: Hex } = {},
): Promise<Hex> {
  return wallet.signTypedData({
    domain: domainOf(market.deployment, "ComputeNode"),
    types: walletConsentTypes,
    primaryType: "WalletConsent",
    message: { key, wallet: of, sequence },
  });
}

export function signRegistration(
  market: MarketFixture,
  signer: PrivateKeyAccount,
  message: Registration,
): Promise<Hex> {
  return signer.signTypedData({
    domain: domainOf(market.deployment, "ComputeNode"),
    types: registrationTypes,
    primaryType: "Registration",
    message,
  });
}

export type Node = { id: number; key: PrivateKeyAccount };

/** Registers nodes and reads their ids from the log. */
export async function addNodes(
  market: MarketFixture,
  names: string[],
  overrides: Partial<Registration> = {},
): Promise<Node[]> {
  const keys = names.map(keyOf);
  const messages = keys.map((key) => ({ ...registrationOf(key), ...overrides }));
  const signatures = await Promise.all(
    messages.map((message, place) => signRegistration(market, keys[place] as PrivateKeyAccount, message)),
  );
  const receipt = await market.mined(market.computeNode.write.registerBatch([messages, signatures]));
  const logs = parseEventLogs({ abi: computeNodeAbi, eventName: "NodeRegistered", logs: receipt.logs });
  return keys.map((key) => {
    const log = logs.find(({ args }) => args.key === key.address);
    if (log === undefined) throw new Error(`${key.address} was not registered.`);
    return { id: log.args.nodeId, key };
  });
}

/** Binds a wallet to a node that has none. */
export async function bindWallet(
  market: MarketFixture,
  node: Node,
  wallet: PrivateKeyAccount,
  sequence = 1,
): Promise<void> {
  const consent = await signConsent(market, wallet, node.key.address, { sequence });
  const message = { nodeId: node.id, wallet: wallet.address, sequence, deadline: later, consent };
  const signature = await node.key.signTypedData({
    domain: domainOf(market.deployment, "ComputeNode"),
    types: walletChangeTypes,
    primaryType: "WalletChange",
    message,
  });
  await market.computeNode.write.setWalletBatch([[message], [signature]]);
}
