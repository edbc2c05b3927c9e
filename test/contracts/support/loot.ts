import { type Robbed, refOf } from "./thieves.ts";

export const hour = 3_600;
export const day = 86_400;

/** What a thief has taken after an hour and after a day, token units. */
export type Loot = { hour: bigint; day: bigint };

/** Plays a thief on a market of its own. */
export type Play = () => Promise<Loot>;

/** Calls `look` in the last second of an hour and of a day that begin with the chain's newest block, and `between` after the hour. */
export async function watch(
  { time }: Robbed,
  look: () => Promise<bigint>,
  between: () => Promise<void> = async () => {},
): Promise<Loot> {
  const start = await time.latest();
  await time.setNextBlockTimestamp(start + hour - 1);
  const afterHour = await look();
  await between();
  await time.setNextBlockTimestamp(start + day - 1);
  return { hour: afterHour, day: await look() };
}

/** What leases have paid to a node, by default the thief's, when they are settled in the next block. */
export async function earned(
  market: Robbed,
  runs: { ref: { workspaceId: bigint; replica: number; lease: number } }[],
  nodeId = market.thief.id,
): Promise<bigint> {
  await market.escrow.write.settle([runs.map(refOf)]);
  return market.escrow.read.earnedBy([nodeId]);
}
