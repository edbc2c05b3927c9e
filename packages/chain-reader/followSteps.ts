import type { FollowedBlock } from "./blocks.ts";
import type { BlockRef } from "./reconcile.ts";

export type FollowStep =
  /** The next blocks; `head` is the newest that the endpoint speaks of. */
  | { type: "blocks"; blocks: FollowedBlock[]; head: BlockRef }
  /** Every block above `ancestor` (null: every block there is) is void; the new ones come next. */
  | { type: "reorg"; ancestor: BlockRef | null; depth: bigint };

/** Most logs in one step, unless one block alone has more. */
export const maxLogs = 10_000;

/** Whether each block's parent is the one before it; with gaps allowed, wherever two are neighbours. */
export function areLinked(tip: BlockRef | null, blocks: FollowedBlock[], gaps: boolean): boolean {
  let parent = tip;
  for (const block of blocks) {
    const adjacent = parent !== null && parent.number + 1n === block.number;
    if (adjacent ? block.parentHash !== parent?.hash : !gaps && parent !== null) return false;
    parent = block;
  }
  return true;
}

/** A busy stretch in several steps, so that no consumer has to store any number of logs at once. */
export function* splitStep(step: FollowStep): Generator<FollowStep, void> {
  if (step.type === "reorg") {
    yield step;
    return;
  }
  let blocks: FollowedBlock[] = [];
  let logs = 0;
  for (const block of step.blocks) {
    if (blocks.length > 0 && logs + block.logs.length > maxLogs) {
      yield { ...step, blocks };
      blocks = [];
      logs = 0;
    }
    blocks.push(block);
    logs += block.logs.length;
  }
  yield { ...step, blocks };
}
