import { concatHex, keccak256, parseEther, toHex } from "viem";
import type { MarketFixture } from "../../../contracts/support/market.ts";
import { addNodes } from "../../../contracts/support/nodes.ts";
import { commitDowntime, goToDay, today } from "../../../contracts/support/uptime.ts";
import { authorize, deposit, partner, state } from "../../../contracts/support/workspaces.ts";
import { type Cost, costOf } from "../meter.ts";
import { place, reportAll } from "./workspaces.ts";

const count = 50;
const rate = 1_000n;

/**
 * Cost of running leases on 50 nodes: settled, refunded, collected and included in receipts, each not for the first
 * time.
 */
export async function moneyActs(market: MarketFixture): Promise<Record<string, Cost>> {
  const { escrow } = market;
  await deposit(market, partner.address, parseEther("10"));
  await authorize(market);
  const nodes = await addNodes(
    market,
    Array.from({ length: count }, (_, index) => `earner ${index}`),
  );
  const day = (await today(market)) + 1n;
  await goToDay(market, day, 1_000);
  const { placed } = await place(market, nodes);
  await reportAll(market, placed, state.ready, 1);
  await reportAll(market, placed, state.running, 2);
  const refs = placed.map(({ workspaceId, replica, lease }) => ({ workspaceId, replica, lease }));
  const settle = () => escrow.write.settle([refs]);
  await settle();
  await market.time.increase(600);
  const settled = await costOf(market, [settle()], count);

  const { items, proofs } = await commitDowntime(
    market,
    day,
    placed.map(({ workspaceId, replica, lease }, index) => ({
      day,
      workspaceId,
      replica,
      lease,
      nodeId: nodes[index]?.id ?? 0,
      authorizationId: 1n,
      rate,
      downSeconds: 60,
    })),
  );
  const refunded = await costOf(market, [escrow.write.refundDowntime([items, proofs])], count);

  const ids = nodes.map(({ id }) => id);
  await goToDay(market, day + 2n);
  await escrow.write.collect([ids]);
  await settle();
  await goToDay(market, day + 4n);
  const collected = await costOf(market, [escrow.write.collect([ids])], count);
  await commitReceipts(market, ids);
  const receipts = await costOf(market, [await commitReceipts(market, ids)], count);
  return {
    "settle-50": settled,
    "refund-50": refunded,
    "collect-50": collected,
    "receipts-50-nodes": receipts,
  };
}

/** Receipts of one payer's tasks on every node. */
function commitReceipts({ pomc, people }: MarketFixture, ids: readonly number[]) {
  const ofNodes = ids.map((id) => toHex((BigInt(id) << 224n) | rate, { size: 32 }));
  const ofPayer = concatHex([partner.address, toHex(rate * BigInt(ids.length), { size: 12 })]);
  return pomc.write.commitReceipts([keccak256("0x4e"), ofNodes, [ofPayer]], {
    account: people.receiptsPoster,
  });
}
