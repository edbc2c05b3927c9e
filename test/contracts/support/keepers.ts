import { parseEther } from "viem";
import { marketFixture } from "./market.ts";
import { addNodes } from "./nodes.ts";
import { markOffline } from "./presence.ts";
import { deposit, loadPartner, type PartnerFixture, partner, place, report, state } from "./workspaces.ts";

const terms = {
  lossFloor: 2,
  lossBasisPoints: 500,
  lossSilenceSeconds: 10,
  startSeconds: 1_800,
  restSeconds: 120,
};
export const small = { gpus: 0, cpuMilli: 100, memoryMib: 100, diskGib: 1, ports: 0 };
const strict = () => marketFixture(terms);
export type Placed = Awaited<ReturnType<typeof place>>;

export async function load(): Promise<PartnerFixture> {
  const market = await loadPartner(strict);
  await deposit(market, partner.address, parseEther("1"));
  return market;
}

/** A replica that runs on node 1, at 1,000 a second. */
export async function serve(
  market: PartnerFixture,
  changes: Parameters<typeof place>[1] = {},
): Promise<Placed> {
  const placed = await place(market, { maxPricePerSecond: 100_000n, ...changes });
  await report(market, placed, state.running, 1);
  return placed;
}

export const deleteAsKeeper = ({ docker, people, mined }: PartnerFixture, { ref }: Pick<Placed, "ref">) =>
  mined(docker.write.requestDelete([[ref]], { account: people.keeper }));

/** Node 3, which the thief owns, at this price. */
export async function addThief(market: PartnerFixture, pricePerSecond: bigint): Promise<number> {
  const [node] = await addNodes(market, ["thief's node"], { pricePerSecond });
  if (node === undefined) throw new Error("The node was not registered.");
  return node.id;
}

export async function leave(market: PartnerFixture, nodeId = 1) {
  await markOffline(market, [nodeId]);
}
