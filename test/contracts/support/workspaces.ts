import { dockerContractAbi, escrowAbi } from "@ngpu/contracts-sdk/generated/abi";
import { authorizationTypes, domainOf, reportTypes } from "@ngpu/contracts-sdk/typedData";
import { packReport, type ReportMessage } from "@ngpu/protocol/packedReports";
import { type Hex, keccak256, parseEther, parseEventLogs, toBytes } from "viem";
import type { PrivateKeyAccount } from "viem/accounts";
import { keyOf, later, loadMarket, type MarketFixture } from "./market.ts";
import { addNodes, nodeSpec } from "./nodes.ts";
import { zeroHash } from "./reverts.ts";

export const config = '{"image":"chat"}';

export const workspaceSpec = {
  image: keccak256("0x01"),
  policy: 0,
  graceSeconds: 60,
  maxPricePerSecond: 1_000n,
  gpuModel: nodeSpec.gpuModel,
  minVramMib: 80_000,
  minComputeCapability: 80,
  region: "0x0000" as Hex,
  resources: { gpus: 0, cpuMilli: 2_000, memoryMib: 4_096, diskGib: 20, ports: 1 },
  expiresAt: 0,
  configHash: keccak256(toBytes(config)),
};
export type WorkspaceSpec = typeof workspaceSpec;

export const partner = keyOf("partner");
export const state = {
  assigned: 1,
  ready: 2,
  running: 3,
  stopped: 4,
  failed: 5,
  deleted: 6,
  released: 7,
} as const;

/** The values of IEscrowTypes.Clock. */
export const leaseClock = {
  closed: 0,
  new: 1,
  running: 2,
  waiting: 3,
  stopping: 4,
  resting: 5,
  ending: 6,
  ended: 7,
} as const;

/** The values of IDockerTypes.WorkspaceState. */
export const workspaceState = { closed: 0, open: 1, stopped: 2 } as const;

type Authorization = Parameters<typeof signAuthorization>[1];

export function authorizationOf(market: MarketFixture) {
  return {
    owner: partner.address as Hex,
    delegate: market.people.delegate,
    maxRate: 1_000_000n,
    daily: 2n ** 96n - 1n,
    total: parseEther("1"),
    scope: zeroHash,
    expiry: 2 ** 40 - 1,
    nonce: 1n,
  };
}

export function signAuthorization(
  market: MarketFixture,
  message: ReturnType<typeof authorizationOf>,
  signer: PrivateKeyAccount = partner,
): Promise<Hex> {
  return signer.signTypedData({
    domain: domainOf(market.deployment, "Escrow"),
    types: authorizationTypes,
    primaryType: "Authorization",
    message,
  });
}

export async function deposit(market: MarketFixture, account: Hex, amount: bigint): Promise<void> {
  const { token, escrow, people } = market;
  await token.write.approve([escrow.address, amount], { account: people.treasury });
  await escrow.write.deposit([account, amount], { account: people.treasury });
}

/** Stores an authorization of the partner. */
export async function authorize(
  market: MarketFixture,
  changes: Partial<Authorization> = {},
): Promise<bigint> {
  const message = { ...authorizationOf(market), ...changes };
  const signature = await signAuthorization(market, message);
  const receipt = await market.mined(market.escrow.write.authorize([message, signature]));
  const [log] = parseEventLogs({ abi: escrowAbi, eventName: "Authorized", logs: receipt.logs });
  if (log === undefined) throw new Error("The authorization was not recorded.");
  return log.args.authorizationId;
}

export type PartnerFixture = Awaited<ReturnType<typeof loadPartner>>;

/** A market with nodes 1 and 2, and a partner with a deposit and authorization 1. */
export async function loadPartner(fixture?: () => Promise<MarketFixture>) {
  const market = await loadMarket(fixture);
  const [first, second] = await addNodes(market, ["node one", "node two"]);
  if (first === undefined || second === undefined) throw new Error("The nodes were not registered.");
  await deposit(market, partner.address, 1_000_000n);
  await authorize(market);
  return { ...market, nodes: { first, second } };
}

export async function publish(
  market: MarketFixture,
  changes: Partial<WorkspaceSpec> = {},
  options: { replicas?: number; authorizationId?: bigint } = {},
): Promise<{ workspaceId: bigint; spec: WorkspaceSpec }> {
  const spec = { ...workspaceSpec, ...changes };
  const { replicas = 2, authorizationId = 1n } = options;
  const receipt = await market.mined(
    market.docker.write.publish([partner.address, authorizationId, replicas, spec, config], {
      account: market.people.delegate,
    }),
  );
  const [log] = parseEventLogs({
    abi: dockerContractAbi,
    eventName: "WorkspacePublished",
    logs: receipt.logs,
  });
  if (log === undefined) throw new Error("The workspace was not published.");
  return { workspaceId: log.args.workspaceId, spec };
}

type AssignItem = {
  workspaceId: bigint;
  replica: number;
  nodeId: number;
  start: boolean;
  /** The price that the node was chosen at; default: the highest of the spec. */
  pricePerSecond?: bigint;
  /** What the assignment logs of its choice. */
  decidedAt?: bigint;
  position?: number;
  excluded?: Hex;
  spec: WorkspaceSpec;
};

/** The items with the price and the block of their decision. */
export function decided(items: readonly AssignItem[]) {
  return items.map((item) => ({
    pricePerSecond: item.spec.maxPricePerSecond,
    decidedAt: 1n,
    position: 0,
    excluded: "0x" as const,
    ...item,
  }));
}

export function assign(market: MarketFixture, items: AssignItem[], account = market.people.keeper) {
  return market.mined(market.docker.write.assign([decided(items)], { account }));
}

/** Publishes a workspace and assigns its replica 0 to a node, ordered to start. */
export async function place(market: MarketFixture, changes: Partial<WorkspaceSpec> = {}, nodeId = 1) {
  const { workspaceId, spec } = await publish(market, changes);
  await assign(market, [{ workspaceId, replica: 0, nodeId, start: true, spec }]);
  const assignment = await market.docker.read.assignmentOf([workspaceId, 0]);
  return { workspaceId, spec, ref: { workspaceId, replica: 0, lease: 1 }, fence: assignment.fence };
}

export function signReport(
  market: MarketFixture,
  signer: PrivateKeyAccount,
  message: ReportMessage,
): Promise<Hex> {
  return signer.signTypedData({
    domain: domainOf(market.deployment, "DockerContract"),
    types: reportTypes,
    primaryType: "Report",
    message,
  });
}

/** Reports a state of a placed replica, by default signed by node 1. */
export async function report(
  market: PartnerFixture,
  placed: { ref: { workspaceId: bigint; replica: number; lease: number }; fence: Hex },
  to: number,
  sequence: number,
  changes: Partial<ReportMessage> = {},
  signer = market.nodes.first.key,
) {
  const message = {
    ...placed.ref,
    fence: placed.fence,
    state: to,
    detail: zeroHash,
    sequence,
    deadline: later,
    ...changes,
  };
  const signature = await signReport(market, signer, message);
  return market.mined(market.docker.write.reportBatch([[packReport(message, signature)]]));
}
