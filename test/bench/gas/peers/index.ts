import { join } from "node:path";
import type { MarketFixture } from "../../../contracts/support/market.ts";
import { measureIexec } from "./iexec.ts";
import type { Peer, Peers } from "./peer.ts";
import { measurePlain } from "./plain.ts";
import { publishedPeers } from "./published.ts";
import { measureUniswap } from "./uniswap.ts";

const folder = join(import.meta.dirname, "../../../../.ngpu/bench/gas");

/**
 * The nearest equivalents of each act, the cheapest first: plain contracts and those in npm packages, measured on the
 * same chain, and published figures of others.
 */
export async function measurePeers(market: MarketFixture): Promise<Peers> {
  const all: Record<string, Peer[]> = {};
  const add = (peers: Peers) => {
    for (const [act, found] of Object.entries(peers)) all[act] = [...(all[act] ?? []), ...found];
  };
  add(await measurePlain(market));
  add(await measureUniswap(market, folder));
  add(await measureIexec(market, folder));
  add(publishedPeers);
  for (const peers of Object.values(all)) peers.sort((one, other) => one.gasPerUnit - other.gasPerUnit);
  return all;
}
