import { formatEther } from "viem";
import type { Market, MarketImages } from "../market.ts";
import type { JourneyResult } from "../result.ts";
import type { Addresses } from "../services.ts";
import { createApi } from "./api.ts";
import { joinMeasurer, joinNode, measureNode } from "./node.ts";
import { joinPartner } from "./partner.ts";
import { awaitEpoch, claimReward } from "./reward.ts";
import { awaitState, inspectContainer, isAtLeast, publishWorkspace, runTask } from "./workspace.ts";

export type Journey = { result: JourneyResult; apiKey: string; refundable: string };

/** From a machine to a rewarded wallet, every step on the real thing. */
export async function walk(market: Market, addresses: Addresses, images: MarketImages): Promise<Journey> {
  const { step } = market.reporter;
  const api = createApi(addresses.api);

  const node = await step(
    "node",
    "This machine joins as a compute node",
    () => joinNode(market, addresses),
    (n) => n.told,
  );
  await step(
    "measurer",
    "A measurement node joins",
    () => joinMeasurer(market, addresses),
    (id) => `measurer ${id}`,
  );
  const [measurement, partner] = await Promise.all([
    step(
      "measurement",
      "It measures the compute node",
      () => measureNode(market, node.id),
      (m) => `${m.downMbps} Mbit/s down, ${m.upMbps} up, ${m.portsReachable} port, ${m.diskFreeGib} GiB free`,
    ),
    step(
      "partner",
      "A partner signs in, deposits, authorizes",
      () => joinPartner(market, api),
      () => "1000 NGPU deposited",
    ),
  ]);
  const workspaceId = await step(
    "publish",
    "The partner publishes a workspace",
    () => publishWorkspace(market, partner, images.chat),
    (id) => `workspace ${id}`,
  );
  const assigned = await step(
    "assign",
    "match chooses, dispense assigns",
    () => awaitState(market, workspaceId, () => true, "an assignment"),
    (row) => `node ${row.node_id}, lease ${row.lease}`,
  );
  await step(
    "distribute",
    "The image is distributed, Progress records it",
    () => awaitState(market, workspaceId, (row) => row.milestone === "verified", "a verified image"),
    () => "verified by digest",
  );
  const container = await step(
    "run",
    "nodeListen starts the container",
    async () => {
      await awaitState(market, workspaceId, (row) => isAtLeast(row, "running"), "a running container");
      return inspectContainer(market, { workspaceId, replica: assigned.replica, lease: assigned.lease });
    },
    (c) => c.containerId.slice(0, 12),
  );
  const task = await step(
    "task",
    "The partner runs a task",
    () => runTask(market, partner.api, workspaceId),
    (t) => `${t.ms} ms on node ${t.nodeId}`,
  );
  const wallet = market.keys.operator.account.address;
  const epoch = await step(
    "epoch",
    "The epoch closes, pomc posts its root",
    () => awaitEpoch(market, wallet),
    (e) => `epoch ${e.number}, ${formatEther(BigInt(e.total))} NGPU`,
  );
  const claim = await step(
    "claim",
    "The operator's wallet claims",
    () => claimReward(market, api),
    (c) => `+${formatEther(BigInt(c.amount))} NGPU, balance ${c.balance}`,
  );
  const refundable = await step(
    "balance",
    "The partner's refundable balance",
    () => refundableBalance(partner.api),
    (b) => `${b} NGPU`,
  );

  return {
    apiKey: partner.apiKey,
    refundable,
    result: {
      ok: true,
      steps: market.reporter.timings,
      node: { id: node.id, address: node.address },
      workspace: { id: workspaceId, image: container.image, containerId: container.containerId },
      measurement: {
        id: measurement.id,
        downMbps: measurement.downMbps,
        upMbps: measurement.upMbps,
        portsReachable: measurement.portsReachable,
      },
      task,
      epoch: { number: epoch.number, root: epoch.root, total: epoch.total },
      claim: { wallet: claim.wallet, amount: claim.amount, txHash: claim.txHash },
    },
  };
}

async function refundableBalance(api: ReturnType<typeof createApi>): Promise<string> {
  const account = await api.get<{ refundable: string }>("/v1/account");
  return formatEther(BigInt(account.refundable));
}
