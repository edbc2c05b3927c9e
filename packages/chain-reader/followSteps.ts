import type { FollowedBlock } from "./blocks.ts";
import type { BlockRef } from "./reconcile.ts";

export type FollowStep =
  /** The next blocks; `head` is the newest block of the endpoint. */
  | { type: "blocks"; blocks: FollowedBlock[]; head: BlockRef }
  /** The stored blocks above `ancestor` (null: all) are no longer canonical. The next steps replace them. */
  | { type: "reorg"; ancestor: BlockRef | null; depth: bigint };

/** Maximum number of logs in one step, unless a single block has more. */
export const maxLogs = 10_000;

/** Whether each block's parent is the block before it. With `gaps`, only consecutive numbers are compared. */
export function areLinked(tip: BlockRef | null, blocks: FollowedBlock[], gaps: boolean): boolean {
  let parent = tip;
  for (const block of blocks) {
    const adjacent = parent !== null && parent.number + 1n === block.number;
    if (adjacent ? block.parentHash !== parent?.hash : !gaps && parent !== null) return false;
    parent = block;
  }
  return true;
}

/** Splits a step so that a consumer stores a bounded number of logs at a time. */
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
