import { formatEther } from "viem";
import type { Market, MarketImages } from "../market.ts";
import type { Addresses } from "../ports.ts";
import type { JourneyResult } from "../result.ts";
import { allOrNothing } from "../together.ts";
import { type Api, createApi } from "./api.ts";
import { joinMeasurer, joinNode, measureNode } from "./node.ts";
import { joinPartner, type Partner } from "./partner.ts";
import { awaitEpoch, claimReward, readEpoch } from "./reward.ts";
import {
  awaitState,
  closeOpenWorkspaces,
  endWorkspace,
  inspectContainer,
  isAtLeast,
  publishWorkspace,
  runTask,
} from "./workspace.ts";

export type Journey = { result: JourneyResult; apiKey: string; refundable: string };

/** From a machine to a rewarded wallet, every step on the real thing. */
export async function walk(market: Market, addresses: Addresses, images: MarketImages): Promise<Journey> {
  const api = createApi(addresses.api, market.signal);
  const { node, measurement, partner } = await meet(market, addresses, api);
  const { workspaceId, container, task } = await work(market, partner, images);
  const { epoch, claim } = await reward(market, api);
  const refundable = await market.reporter.step(
    "balance",
    "The partner's refundable balance",
    () => refundableBalance(partner.api),
    (b) => `${b} NGPU`,
  );
  const { diskFreeGib: _disk, ...measured } = measurement;
  return {
    apiKey: partner.apiKey,
    refundable,
    result: {
      ok: true,
      steps: market.reporter.timings,
      node: { id: node.id, address: node.address },
      workspace: { id: workspaceId, image: container.image, containerId: container.containerId },
      measurement: measured,
      task,
      epoch,
      claim: { wallet: claim.wallet, amount: claim.amount, txHash: claim.txHash },
    },
  };
}

/** The node, who measures it and who has work for it join at once; then the node is measured. */
async function meet(market: Market, addresses: Addresses, api: Api) {
  const { step } = market.reporter;
  const [node, , partner] = await allOrNothing([
    step(
      "node",
      "This machine joins as a compute node",
      (progress) => joinNode(market, addresses, progress),
      (n) => n.told,
    ),
    step(
      "measurer",
      "A measurement node joins",
      (progress) => joinMeasurer(market, addresses, progress),
      (id) => `measurer ${id}`,
    ),
    step(
      "partner",
      "A partner signs in, deposits, authorizes",
      (progress) => joinPartner(market, api, progress),
      () => "1000 NGPU deposited",
    ),
  ]);
  const measurement = await step(
    "measurement",
    "It measures the compute node",
    (progress) => measureNode(market, node.id, progress),
    (m) => `${m.downMbps} Mbit/s down, ${m.upMbps} up, ${m.portsReachable} port, ${m.diskFreeGib} GiB free`,
  );
  return { node, measurement, partner };
}

/** From a published workspace to a task answered by its container. */
async function work(market: Market, partner: Partner, images: MarketImages) {
  const { step } = market.reporter;
  const workspaceId = await step(
    "publish",
    "The partner publishes a workspace",
    async (progress) => {
      if (!market.chain.embedded) await closeOpenWorkspaces(market, partner);
      return publishWorkspace(market, partner, images.chat, progress);
    },
    (id) => `workspace ${id}`,
  );
  if (!market.chain.embedded) leaveNothingOpen(market, partner, workspaceId);
  const assigned = await step(
    "assign",
    "match chooses, dispense assigns",
    (progress) => awaitState(market, workspaceId, { what: "an assignment", reached: () => true, progress }),
    (row) => `node ${row.node_id}, lease ${row.lease}`,
  );
  await step(
    "distribute",
    "The image is distributed, Progress records it",
    (progress) =>
      awaitState(market, workspaceId, {
        what: "a verified image",
        reached: (row) => row.milestone === "verified",
        progress,
      }),
    () => "verified by digest",
  );
  const container = await step(
    "run",
    "nodeListen starts the container",
    async (progress) => {
      const reached = (row: Parameters<typeof isAtLeast>[0]) => isAtLeast(row, "running");
      await awaitState(market, workspaceId, { what: "a running container", reached, progress });
      return inspectContainer(market, { workspaceId, replica: assigned.replica, lease: assigned.lease });
    },
    (c) => c.containerId.slice(0, 12),
  );
  const task = await step(
    "task",
    "The partner runs a task",
    () => runTask(market, partner, workspaceId),
    (t) => `${t.ms} ms on node ${t.nodeId}`,
  );
  return { workspaceId, container, task };
}

async function reward(market: Market, api: Api) {
  const { step } = market.reporter;
  const wallet = market.keys.operator.account.address;
  await step(
    "epoch",
    "The epoch closes, pomc posts its root",
    (progress) => awaitEpoch(market, wallet, progress),
    (e) => `epoch ${e.number}, ${formatEther(BigInt(e.total))} NGPU`,
  );
  const claim = await step(
    "claim",
    "The operator's wallet claims",
    (progress) => claimReward(market, api, progress),
    (c) => `+${formatEther(BigInt(c.amount))} NGPU, balance ${c.balance}`,
  );
  // A later epoch than the awaited one may have been claimed from.
  return { claim, epoch: await readEpoch(market, claim.epoch) };
}

const endDeadlineMs = 60_000;

/** On a chain that lasts, a lease that nobody serves would go on costing the partner. */
function leaveNothingOpen(market: Market, partner: Partner, workspaceId: string): void {
  market.onStop(`workspace ${workspaceId}`, () => {
    const signal = AbortSignal.timeout(endDeadlineMs);
    // The market's own signal has ended every call by now.
    const api = createApi(partner.api.url, signal, partner.apiKey);
    return endWorkspace(market, { ...partner, api }, workspaceId, signal);
  });
}

async function refundableBalance(api: Api): Promise<string> {
  const account = await api.get<{ refundable: string }>("/v1/account");
  return formatEther(BigInt(account.refundable));
}
