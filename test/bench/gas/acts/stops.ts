import { parseEther } from "viem";
import { keyOf, type MarketFixture } from "../../../contracts/support/market.ts";
import { addNodes } from "../../../contracts/support/nodes.ts";
import {
  authorize,
  config,
  decided,
  deposit,
  partner,
  state,
  workspaceSpec,
} from "../../../contracts/support/workspaces.ts";
import { type Cost, costOf } from "../meter.ts";
import { reportAll } from "./workspaces.ts";

const spec = { ...workspaceSpec, resources: { ...workspaceSpec.resources, gpus: 1 } };

/**
 * Stops and starts a workspace whose replicas run, in one transaction each: the workspace's state and the order to each
 * replica. Of ten replicas the cost is that of one.
 */
export async function stopActs(market: MarketFixture): Promise<Record<string, Cost>> {
  await deposit(market, partner.address, parseEther("10"));
  await authorize(market);
  const one = await stopAndStart(market, 1);
  const ten = await stopAndStart(market, 10);
  return {
    "stop-workspace-1": one.stop,
    "start-workspace-1": one.start,
    "stop-workspace-10": ten.stop,
    "start-workspace-10": ten.start,
  };
}

/** Costs a replica of a workspace with this many replicas. */
async function stopAndStart(market: MarketFixture, replicas: number): Promise<{ stop: Cost; start: Cost }> {
  const { docker, people } = market;
  const by = { account: people.delegate };
  const names = Array.from({ length: replicas }, (_, replica) => `stopper ${replica} of ${replicas}`);
  const nodes = await addNodes(market, names);
  await docker.write.publish([partner.address, 1n, replicas, spec, config], by);
  const workspaceId = await docker.read.workspaceCount();
  const items = nodes.map(({ id }, replica) => ({ workspaceId, replica, nodeId: id, start: true, spec }));
  await docker.write.assign([decided(items)], { account: people.keeper });
  const placed = await Promise.all(
    names.map(async (name, replica) => {
      const { fence } = await docker.read.assignmentOf([workspaceId, replica]);
      return { workspaceId, replica, lease: 1, fence, key: keyOf(name) };
    }),
  );
  const refs = placed.map(({ replica, lease }) => ({ workspaceId, replica, lease }));
  await reportAll(market, placed, state.running, 1);
  const stop = await costOf(market, [docker.write.stopWorkspace([workspaceId, refs], by)], replicas);
  await reportAll(market, placed, state.stopped, 2);
  const start = await costOf(market, [docker.write.startWorkspace([workspaceId, refs], by)], replicas);
  return { stop, start };
}
