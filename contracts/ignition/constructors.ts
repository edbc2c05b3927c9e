import type { ContractName } from "@ngpu/contracts-sdk/deployment";
import { heartbeatWindowSlots } from "@ngpu/contracts-sdk/heartbeatWindow";
import type { NgpuParameters } from "./parameters.ts";

/** Names of the contracts, in an order in which they can be deployed. */
export const contractNames = [
  "AccessManager",
  "Token",
  "ComputeNode",
  "Escrow",
  "Measure",
  "ProofWaves",
  "Pomc",
  "DockerContract",
  "Progress",
] as const satisfies readonly ContractName[];

/** The name of a contract's artifact. */
export function artifactOf(name: ContractName): string {
  return name === "AccessManager" ? "Manager" : name;
}

/** A contract's second part (contracts/Extended.sol), which its constructor deploys. */
type ExtensionPart = { artifact: string; args: readonly unknown[] };

/** Returns the second part of a contract; undefined where it has one part. */
export function extensionOf<Ref>(
  name: ContractName,
  p: NgpuParameters,
  { ComputeNode, Escrow, Token }: Record<"ComputeNode" | "Escrow" | "Token", Ref>,
): ExtensionPart | undefined {
  const artifact = extensions[name];
  if (artifact === undefined) return undefined;
  if (name === "Escrow") return { artifact, args: [Token, ComputeNode, escrowTerms(p)] };
  return { artifact, args: [ComputeNode, Escrow, p.clockMarginSeconds, lossTerms(p)] };
}

/** The artifact of the second part of a contract that has one. */
export const extensions: Partial<Record<ContractName, string>> = {
  DockerContract: "DockerExtension",
  Escrow: "EscrowExtension",
};

/** Functions of second parts that deployments call. */
const extensionCalls: Partial<Record<ContractName, readonly string[]>> = {
  DockerContract: ["setKeeper", "setWitness"],
};

/** The artifact of the part of a contract that has a function. Both parts are called at the contract's address. */
export function artifactWith(name: ContractName, functionName: string): string {
  const isExtended = extensionCalls[name]?.includes(functionName) === true;
  return (isExtended ? extensions[name] : undefined) ?? artifactOf(name);
}

/** Returns a contract's ABI with the functions, events and errors of its extension. */
export function withExtension<Item extends { type: string }>(
  abi: readonly Item[],
  extension: readonly Item[],
): Item[] {
  const known = new Set(abi.map((item) => JSON.stringify(item)));
  const more = extension.filter((item) => item.type !== "constructor" && !known.has(JSON.stringify(item)));
  return [...abi.filter(({ type }) => type !== "fallback"), ...more];
}

/** Names of all artifacts that a deployment needs. */
export const artifactNames: readonly string[] = [
  ...contractNames.map(artifactOf),
  ...Object.values(extensions),
];

/**
 * Returns a contract's constructor arguments.
 *
 * @param at The earlier contracts of `contractNames`, as addresses or as Ignition's futures.
 * @param deployer The deployer, which is the AccessManager's first ADMIN.
 */
export function constructorArguments<Ref, Deployer>(
  name: ContractName,
  p: NgpuParameters,
  at: Record<Exclude<ContractName, "Progress" | "ProofWaves">, Ref>,
  deployer: Deployer,
) {
  const { AccessManager, ComputeNode, Escrow, Token } = at;
  const all = {
    AccessManager: () => [deployer],
    Token: () => [AccessManager, p.treasury, p.cap, p.genesisSupply],
    ComputeNode: () => [AccessManager, computeNodeSettings(p)],
    Escrow: () => [AccessManager, Token, ComputeNode, escrowTerms(p), BigInt(p.before.authorizations)],
    Measure: () => [AccessManager, ComputeNode, measureSettings(p)],
    ProofWaves: () => [AccessManager, ComputeNode, at.Measure, waveSettings(p)],
    Pomc: () => [AccessManager, Token, Escrow, pomcSettings(p)],
    DockerContract: () => [
      AccessManager,
      ComputeNode,
      Escrow,
      p.clockMarginSeconds,
      lossTerms(p),
      BigInt(p.before.workspaces),
    ],
    Progress: () => [AccessManager, ComputeNode, at.DockerContract],
  };
  return all[name]();
}

function computeNodeSettings(p: NgpuParameters) {
  return {
    slotSeconds: p.slotSeconds,
    windowSlots: heartbeatWindowSlots(p),
    daySeconds: p.daySeconds,
    uptimeDelay: p.uptimeDelay,
    registrationLimit: p.registrationLimit,
    registrationSeconds: p.registrationSeconds,
    absenceBasisPoints: p.absenceBasisPoints,
  };
}

function escrowTerms(p: NgpuParameters) {
  const { minSeconds, lockFloor, rateFloor, startSeconds, restSeconds, refundDays, feeBasisPoints } = p;
  return { minSeconds, lockFloor, rateFloor, startSeconds, restSeconds, refundDays, feeBasisPoints };
}

function lossTerms({ lossBasisPoints, lossFloor, lossSilenceSeconds }: NgpuParameters) {
  return { basisPoints: lossBasisPoints, floor: lossFloor, silenceSeconds: lossSilenceSeconds };
}

function measureSettings(p: NgpuParameters) {
  return {
    quorum: p.quorum,
    draws: p.measureDraws ?? Math.min(8, 2 * p.quorum - 1),
    openToAll: p.openMeasurers,
    leadSeconds: p.measureLeadSeconds,
    windowSeconds: p.measureWindowSeconds,
    ttlSeconds: p.measureTtlSeconds,
    measurersBefore: p.before.measurers,
    roundsBefore: BigInt(p.before.rounds),
  };
}

function waveSettings({ waves, before }: NgpuParameters) {
  const { stride, chance, fillBlocks, chaseBlocks, workBlocks, commitBlocks, revealBlocks } = waves;
  const wavesBefore = before.waves;
  return { stride, chance, fillBlocks, chaseBlocks, workBlocks, commitBlocks, revealBlocks, wavesBefore };
}

function pomcSettings(p: NgpuParameters) {
  return {
    genesis: p.genesis,
    epochSeconds: p.epochSeconds,
    settlementSeconds: p.settlementSeconds,
    activationDelay: p.activationDelay,
    attestedDelay: p.attestedDelay,
    emissionPerEpoch: p.emissionPerEpoch,
    epochsBefore: BigInt(p.before.epochs),
    batchesBefore: BigInt(p.before.batches),
    receiptsBefore: p.before.receiptsOf,
  };
}
