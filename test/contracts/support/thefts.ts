import { escrowAbi } from "@ngpu/contracts-sdk/generated/abi";
import { claimTreeOf } from "@ngpu/protocol/claimTree";
import { type Hex, keccak256, parseEventLogs } from "viem";
import { keeperThefts } from "./keeperThefts.ts";
import { day, earned, hour, type Play, watch } from "./loot.ts";
import { expectRevert } from "./reverts.ts";
import { honestLeases, loadRobbed, maxRate, price, type Robbed, refOf, runOn } from "./thieves.ts";
import { commitDowntime, today } from "./uptime.ts";
import { publish } from "./workspaces.ts";

/** Keys that move somebody's money. */
export const moving: Record<string, Play> = {
  // Of a node that nobody gave a wallet: its pay goes to the key.
  "node, no wallet bound": async () => {
    const market = await paidNode();
    const { address } = market.honest.key;
    return watch(market, () => collected(market, address));
  },
  // It runs a workspace on its own node, at the authorization's highest rate.
  api: async () => {
    const market = await loadRobbed();
    const { workspaceId, spec } = await publish(market, { maxPricePerSecond: maxRate }, { replicas: 1 });
    const account = market.people.delegate;
    const runs = await runOn(market, market.thief, { workspaceId, spec, replicas: [0], account });
    return watch(market, () => earned(market, runs));
  },
  ...keeperThefts,
  // It grants itself the whole schedule: the root is not active within a day.
  "epochs' poster": async () => {
    const { market, claim, account } = await falseRoot();
    return watch(market, async () => {
      await expectRevert(claim(), "EpochNotActive");
      return market.token.read.balanceOf([account]);
    });
  },
  // The same, from the moment on at which its root is active.
  "epochs' poster, once its root is active": async () => {
    const { market, claim, account } = await falseRoot();
    await market.time.increase(day);
    const before = await market.token.read.balanceOf([account]);
    const start = await market.time.latest();
    const until = async (seconds: number) => {
      for (let at = (await market.time.latest()) + 600; at <= start + seconds; at += 600) {
        await market.time.setNextBlockTimestamp(at);
        await claim();
      }
      return (await market.token.read.balanceOf([account])) - before;
    };
    return { hour: await until(hour), day: await until(day) };
  },
  // A partner's own: it states that the node of its leases was down all day, and has them refunded.
  "uptime poster": async () => {
    const market = await loadRobbed();
    const { runs } = await honestLeases(market);
    const first = (await today(market)) + 1n;
    const items = (of: bigint) =>
      runs.map(({ ref }) => ({
        day: of,
        ...ref,
        nodeId: market.honest.id,
        authorizationId: 1n,
        rate: price,
        downSeconds: day,
      }));
    await market.time.increaseTo(Number(first + 1n) * day);
    await market.escrow.write.settle([runs.map(refOf)]);
    const { items: leaves, proofs } = await commitDowntime(market, first, items(first));
    const { logs } = await market.mined(market.escrow.write.refundDowntime([leaves, proofs]));
    const refunds = parseEventLogs({ abi: escrowAbi, eventName: "Refunded", logs });
    return { hour: 0n, day: refunds.reduce((sum, { args }) => sum + args.amount, 0n) };
  },
};

/** A market whose honest node worked for six whole days, and was never paid out. */
async function paidNode() {
  const market = await loadRobbed();
  // Earnings are held by periods of two days.
  const start = ((await today(market)) / 2n + 1n) * 2n;
  await market.time.increaseTo(Number(start) * day);
  const { runs } = await honestLeases(market);
  await market.time.increaseTo(Number(start + 6n) * day);
  await market.escrow.write.settle([runs.map(refOf)]);
  return market;
}

async function collected(market: Robbed, account: Hex) {
  await market.escrow.write.collect([[market.honest.id]]);
  return market.token.read.balanceOf([account]);
}

async function falseRoot() {
  const market = await loadRobbed();
  const { epochSeconds, settlementSeconds, emissionPerEpoch } = market.deployment.parameters;
  const account = market.people.poster;
  const number = 40n;
  await market.time.increase(Number(number) * epochSeconds + settlementSeconds + 1);
  const total = number * BigInt(emissionPerEpoch);
  const { root, proofOf } = claimTreeOf([{ account, cumulative: total }]);
  await market.pomc.write.postEpoch([number, root, total, keccak256("0x")], { account });
  const claim = () => market.pomc.write.claim([number, account, total, proofOf(0)], { account });
  return { market, claim, account };
}
