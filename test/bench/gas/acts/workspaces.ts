import { domainOf, progressReportTypes } from "@ngpu/contracts-sdk/typedData";
import { packProgress, packReport } from "@ngpu/protocol/packedReports";
import { parseEther } from "viem";
import type { PrivateKeyAccount } from "viem/accounts";
import { keyOf, later, type MarketFixture } from "../../../contracts/support/market.ts";
import { addNodes, type Node } from "../../../contracts/support/nodes.ts";
import { zeroHash } from "../../../contracts/support/reverts.ts";
import {
  authorize,
  config,
  deposit,
  partner,
  signReport,
  state,
  workspaceSpec,
} from "../../../contracts/support/workspaces.ts";
import { type Cost, costOf } from "../meter.ts";

const count = 50;
const spec = { ...workspaceSpec, resources: { ...workspaceSpec.resources, gpus: 1 } };
const milestones = { downloading: 2, verified: 4 } as const;

type Placed = {
  workspaceId: bigint;
  replica: number;
  lease: number;
  fence: `0x${string}`;
  key: PrivateKeyAccount;
};

/** One workspace each on 50 nodes: published, assigned and started, reported, and one through its whole life. */
export async function workspaceActs(market: MarketFixture): Promise<Record<string, Cost>> {
  await deposit(market, partner.address, parseEther("10"));
  await authorize(market);
  const names = Array.from({ length: 2 * count }, (_, place) => `runner ${place}`);
  const nodes = await addNodes(market, names);
  // The first 50 initialize shared slots, so the second 50 are measured.
  await place(market, nodes.slice(0, count));
  const { placed, cost } = await place(market, nodes.slice(count));
  const report = (to: number, sequence: number) => reportAll(market, placed, to, sequence);
  const costs = {
    "publish-assign-start-50": cost,
    "progress-first-50": await progressAll(market, placed, milestones.downloading),
    "progress-later-50": await progressAll(market, placed, milestones.verified),
    "report-state-50": await report(state.ready, 1),
    "report-running-50": await report(state.running, 2),
    "report-stopped-50": await report(state.stopped, 3),
  };
  return { ...costs, "workspace-life-1": await life(market) };
}

/** Publishes 50 workspaces and assigns each to its node, with the order to start. */
export async function place(market: MarketFixture, nodes: Node[]): Promise<{ placed: Placed[]; cost: Cost }> {
  const { docker, people } = market;
  const first = (await docker.read.workspaceCount()) + 1n;
  const publication = { owner: partner.address, authorizationId: 1n, replicas: 1, spec, config };
  const published = docker.write.publishBatch([nodes.map(() => publication)], { account: people.delegate });
  await published;
  const items = nodes.map(({ id }, index) => {
    return {
      workspaceId: first + BigInt(index),
      replica: 0,
      nodeId: id,
      start: true,
      pricePerSecond: spec.maxPricePerSecond,
      decidedAt: 0n,
      position: 0,
      excluded: "0x" as const,
      spec,
    };
  });
  const assigned = docker.write.assign([items], { account: people.keeper });
  const cost = await costOf(market, [published, assigned], nodes.length);
  const placed = await Promise.all(
    nodes.map(async ({ key }, index): Promise<Placed> => {
      const workspaceId = first + BigInt(index);
      const { fence } = await docker.read.assignmentOf([workspaceId, 0]);
      return { workspaceId, replica: 0, lease: 1, fence, key };
    }),
  );
  return { placed, cost };
}

export async function reportAll(
  market: MarketFixture,
  placed: Placed[],
  to: number,
  sequence: number,
): Promise<Cost> {
  const messages = placed.map(({ key: _, ...lease }) => {
    return { ...lease, state: to, detail: zeroHash, sequence, deadline: later };
  });
  const packed = await Promise.all(
    placed.map(async ({ key }, index) => {
      const message = messages[index] as (typeof messages)[number];
      return packReport(message, await signReport(market, key, message));
    }),
  );
  return costOf(market, [market.docker.write.reportBatch([packed])], placed.length);
}

async function progressAll(market: MarketFixture, placed: Placed[], milestone: number): Promise<Cost> {
  const messages = placed.map(({ key: _, ...lease }) => ({ ...lease, milestone, deadline: later }));
  const domain = domainOf(market.deployment, "Progress");
  const packed = await Promise.all(
    placed.map(async ({ key }, index) => {
      const message = messages[index] as (typeof messages)[number];
      const definition = { domain, types: progressReportTypes, primaryType: "ProgressReport" } as const;
      return packProgress(message, await key.signTypedData({ ...definition, message }));
    }),
  );
  return costOf(market, [market.progress.write.reportBatch([packed])], placed.length);
}

/**
 * One workspace alone: publish, assign, start, Ready, Running, stop, Stopped, delete, Deleted, one transaction each.
 */
async function life(market: MarketFixture): Promise<Cost> {
  const { docker, people } = market;
  const [node] = await addNodes(market, ["lonely runner"]);
  if (node === undefined) throw new Error("The node was not registered.");
  const by = { account: people.keeper };
  const hashes = [
    await docker.write.publish([partner.address, 1n, 1, spec, config], { account: people.delegate }),
  ];
  const workspaceId = await docker.read.workspaceCount();
  const ref = { workspaceId, replica: 0, lease: 1 };
  hashes.push(
    await docker.write.assign(
      [
        [
          {
            workspaceId,
            replica: 0,
            nodeId: node.id,
            start: false,
            pricePerSecond: spec.maxPricePerSecond,
            decidedAt: 0n,
            position: 0,
            excluded: "0x",
            spec,
          },
        ],
      ],
      by,
    ),
  );
  const { fence } = await docker.read.assignmentOf([workspaceId, 0]);
  const say = async (to: number, sequence: number) => {
    const message = { ...ref, fence, state: to, detail: zeroHash, sequence, deadline: later };
    const signature = await signReport(market, keyOf("lonely runner"), message);
    hashes.push(await docker.write.reportBatch([[packReport(message, signature)]]));
  };
  await say(state.ready, 1);
  hashes.push(await docker.write.requestStart([[ref]], by));
  await say(state.running, 2);
  hashes.push(await docker.write.stopWorkspace([workspaceId, [ref]], { account: people.delegate }));
  await say(state.stopped, 3);
  hashes.push(await docker.write.requestDelete([[ref]], { account: people.delegate }));
  await say(state.deleted, 4);
  return costOf(market, hashes);
}
