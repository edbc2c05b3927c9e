import { expect } from "chai";
import { earned, type Play, watch } from "./loot.ts";
import { reasonsIn, releaseLost, releaseReason, stateLoss } from "./losses.ts";
import { addNodes, type Node } from "./nodes.ts";
import { expectRefused, refusalsOf } from "./reverts.ts";
import { honestLeases, loadRobbed, maxRate, price, type Robbed, type Run, refOf, runOn } from "./thieves.ts";
import { assign, publish, report, state } from "./workspaces.ts";

/** Thefts with a keeper's key. Of a lease that the thief's node gets, what it costs above the honest node's price is taken. */
export const keeperThefts: Record<string, Play> = {
  // It tries to release healthy leases as lost, and to order them deleted.
  "keeper, of leases that run": async () => {
    const market = await loadRobbed();
    const { runs } = await honestLeases(market);
    const attempt = async () => {
      const account = market.people.keeper;
      const ordered = await market.mined(market.docker.write.requestDelete([runs.map(refOf)], { account }));
      expect(refusalsOf(ordered).map(({ name }) => name)).to.deep.equal(
        runs.map(() => "KeeperOrderUnfounded"),
      );
      const released = await releaseLost(market, runs, []);
      expect(refusalsOf(released).map(({ name }) => name)).to.deep.equal(runs.map(() => "LossUnproven"));
    };
    await attempt();
    return watch(market, () => earned(market, runs), attempt);
  },
  // It places a new workspace's replica on its own node at the owner's highest price.
  "keeper, of new leases": async () => {
    const market = await loadRobbed();
    const { workspaceId, spec } = await publish(market, { maxPricePerSecond: maxRate }, { replicas: 1 });
    const account = market.people.keeper;
    const runs = await runOn(market, market.thief, { workspaceId, spec, replicas: [0], account });
    return watch(market, async () => ((await earned(market, runs)) * (maxRate - price)) / maxRate);
  },
  // They state that the honest node is silent, and give all its leases to a node that costs a tenth more; then they try it again.
  "keeper and witness": async () => {
    const market = await loadRobbed();
    const { workspaceId, spec, runs } = await honestLeases(market);
    const tenth = price / 10n;
    const [costlier] = await addNodes(market, ["thief's other node"], { pricePerSecond: price + tenth });
    if (costlier === undefined) throw new Error("The node was not registered.");
    const lost = await releaseLost(market, runs, [await stateLoss(market, market.honest.id)]);
    expect(reasonsIn(lost)).to.deep.equal(runs.map(() => releaseReason.lost));
    const replicas = runs.map(({ ref }) => ref.replica);
    const given = { workspaceId, spec, account: market.people.keeper };
    const own = await runOn(market, costlier, { ...given, replicas });
    const taken = async () => ((await earned(market, own, costlier.id)) * tenth) / (price + tenth);
    return watch(market, taken, async () => {
      own.push(...(await raise(market, costlier, own[0] as Run)));
    });
  },
};

/** The thief's node gives a lease up so that it is placed again, at the owner's highest price: only its own price is accepted. */
async function raise(market: Robbed, node: Node, { ref, spec }: Run): Promise<Run[]> {
  const { workspaceId, replica } = ref;
  const { fence } = await market.docker.read.assignmentOf([workspaceId, replica]);
  const nodes = { first: node, second: node };
  await report({ ...market, nodes }, { ref, fence }, state.failed, 2, {}, node.key);
  await releaseLost(market, [{ ref, spec }], []);
  const account = market.people.keeper;
  const item = { workspaceId, replica, nodeId: market.thief.id, start: true, spec };
  expectRefused(await assign(market, [item], account), "PriceAboveLimit", { limit: price + price / 10n });
  return runOn(market, node, { workspaceId, spec, replicas: [replica], account });
}
