import { encodeExceptions } from "@ngpu/waves/exceptions";
import type { Hex } from "viem";
import type { MarketFixture } from "../../../contracts/support/market.ts";
import { addMeasurer } from "../../../contracts/support/measure.ts";
import { addNodes } from "../../../contracts/support/nodes.ts";
import {
  claim,
  commitmentTo,
  hashOf,
  mineBefore,
  openWave,
  revealOf,
  signPost,
  soon,
} from "../../../contracts/support/waves.ts";
import { type Cost, costOf } from "../meter.ts";

const NODES = 10_000;
const MEASURERS = [1, 2, 3, 4, 5, 6, 7];
/** Nodes that answered no measurer: two of a hundred. */
const SILENT = 200;

/** Waves of 10,000 nodes and 7 measurers. A wave's cost is that of all its transactions, by node. */
export async function waveActs(market: MarketFixture): Promise<Record<string, Cost>> {
  await addNodes(market, ["node one", "node two"]);
  for (const id of MEASURERS) await addMeasurer(market, `wave measurer ${id}`);
  const claimed = await claimCost(market);
  // The first waves write slots that later waves use again.
  for (let wave = 0; wave < 4; wave += 1) await waveCost(market, [MEASURERS], []);
  const one = listOf(0);
  return {
    "wave-10k-7": await waveCost(market, [MEASURERS], [one]),
    "wave-10k-7-lists": await waveCost(market, [MEASURERS], MEASURERS.map(listOf)),
    "wave-10k-7-alone": await waveCost(
      market,
      MEASURERS.map((id) => [id]),
      MEASURERS.map(() => one),
    ),
    "wave-claim": claimed,
  };
}

/** Nodes of which no answer arrived, and a few with less than they claim. Each measurer's list may be another. */
function listOf(seed: number): Hex {
  const silent = Array.from({ length: SILENT }, (_, place) => {
    const share = place % 20 === 0 ? 200 : 0;
    const shares = { memory: share, bandwidth: share, arithmetic: share };
    return { nodeId: 1 + place * 50 + (place % 40 === 0 ? seed : 0), device: 0, shares };
  });
  return encodeExceptions(silent);
}

/** The groups send their measurers' posts together. The lists are distributed over the groups' reveals. */
async function waveCost(market: MarketFixture, groups: number[][], lists: readonly Hex[]): Promise<Cost> {
  const wave = await openWave(market);
  const opened = (await market.client.getBlock({ includeTransactions: false })).transactions;
  const { waveId } = wave;
  const hashes: Hex[] = [...opened];
  const reveals = groups.map((ids) => ids.map((id) => revealOf(waveId, id, lists[0] ?? "0x")));
  const stage = async (number: number, first: number, rootOf: (id: number) => Hex) => {
    await mineBefore(market, first);
    for (const ids of groups) {
      const posts = ids.map((measurerId) => ({
        waveId,
        measurerId,
        stage: number,
        root: rootOf(measurerId),
      }));
      const signatures = await Promise.all(posts.map((post) => signPost(market, post)));
      hashes.push(await market.waves.write.postBatch([posts, signatures]));
    }
  };
  await stage(0, wave.chase + 1, (id) => hashOf(`chase ${waveId} ${id}`));
  await stage(1, wave.work + 1, (id) => hashOf(`answers ${waveId} ${id}`));
  await stage(2, wave.audit + 1, (id) => commitmentTo(revealOf(waveId, id, lists[0] ?? "0x")));
  hashes.push(await market.waves.write.record([waveId]));
  await mineBefore(market, wave.committed + 1);
  for (const [index, own] of reveals.entries()) {
    const published = groups.length === 1 ? lists : lists.slice(index, index + 1);
    hashes.push(await market.waves.write.revealBatch([waveId, own, [...published]]));
  }
  return costOf(market, hashes, NODES);
}

/** A node's first claim, of one device. */
async function claimCost(market: MarketFixture): Promise<Cost> {
  const receipt = await claim(market, {
    nodeId: 1,
    devices: [hashOf("device")],
    deadline: await soon(market),
  });
  return costOf(market, [receipt.transactionHash]);
}
