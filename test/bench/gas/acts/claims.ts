import { claimTreeOf } from "@ngpu/protocol/claimTree";
import { type Hex, keccak256, toHex } from "viem";
import { keyOf, type MarketFixture } from "../../../contracts/support/market.ts";
import { type Cost, costOf } from "../meter.ts";

const ACCOUNTS = 131_072;
const MANY = 500;
const NODES_OF_AN_EPOCH = 100_000;

/** Three epochs of a tree of 131,072 accounts, each granting every account a little more. */
export async function claimActs(market: MarketFixture): Promise<Record<string, Cost>> {
  const { pomc, token, people } = market;
  const holder = keyOf("holder").address;
  const fresh = keyOf("fresh").address;
  await token.write.transfer([holder, 1n], { account: people.treasury });
  const many = Array.from({ length: MANY }, (_, place) => keyOf(`one of many ${place}`).address);
  const accounts = [...many, holder, fresh, ...fillers(ACCOUNTS - MANY - 2)];
  const claim = (number: bigint, tree: Tree, index: number) =>
    pomc.write.claim([number, accounts[index] as Hex, tree.cumulative, tree.proofOf(index)]);
  const claimMany = (number: bigint, tree: Tree) => {
    const { grants, proof, flags } = tree.manyOf(many.map((_, place) => place));
    return pomc.write.claimMany([number, grants, proof, flags]);
  };
  const first = treeOf(accounts, 1);
  await post(market, 1n, first);
  await claimMany(1n, first);
  const firstExisting = await costOf(market, [claim(1n, first, MANY)]);
  const claimFresh = await costOf(market, [claim(1n, first, MANY + 1)]);
  const second = treeOf(accounts, 2);
  await post(market, 2n, second);
  // The first claim of an epoch mints for all claims.
  const claimFunding = await costOf(market, [claim(2n, second, MANY + 1)]);
  const repeat = await costOf(market, [claim(2n, second, MANY)]);
  const together = await costOf(market, [claimMany(2n, second)], MANY);
  // Uses the ring entry of epoch 1 again, 128 epochs later.
  const again = await post(market, 129n, second, NODES_OF_AN_EPOCH);
  return {
    "post-epoch-100k": again,
    "claim-repeat": repeat,
    "claim-first-existing": firstExisting,
    "claim-fresh": claimFresh,
    "claim-first-of-epoch": claimFunding,
    "claim-many-500": together,
  };
}

type Tree = ReturnType<typeof treeOf>;

function treeOf(accounts: readonly Hex[], times: number) {
  const cumulative = BigInt(times) * 1_234_567_890_123_456n;
  const tree = claimTreeOf(accounts.map((account) => ({ account, cumulative })));
  return { ...tree, cumulative, total: cumulative * BigInt(accounts.length) };
}

function fillers(length: number): Hex[] {
  return Array.from({ length }, (_, place) => toHex(place + 1, { size: 20 }));
}

/** Posts when the epoch has ended and waits until it is active. */
async function post(market: MarketFixture, number: bigint, tree: Tree, units = 1): Promise<Cost> {
  const { genesis, epochSeconds, activationDelay } = market.deployment.parameters;
  const end = genesis + Number(number) * epochSeconds;
  if ((await market.time.latest()) < end) await market.time.increaseTo(end);
  const hash = await market.pomc.write.postEpoch([number, tree.root, tree.total, keccak256("0xda")], {
    account: market.people.poster,
  });
  await market.time.increase(activationDelay + 1);
  return costOf(market, [hash], units);
}
