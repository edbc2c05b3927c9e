import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { nodeLogFilter } from "./events.ts";
import { forgetChain } from "./journal/chain.ts";
import { type Journal, readFact, writeFact } from "./journal/open.ts";

/** Whether the journal has the logs of all contracts that the node follows. */
export type FollowedContracts = {
  /** False while the chain is read again: the journal is then incomplete and must not be acted on. */
  isComplete(): boolean;
  /** Records that the head was reached. */
  markComplete(): void;
};

/**
 * Clears the journal's copy of the chain when contracts were added to those it was read from: their first events, such as an
 * assignment to this node, may be in blocks below the cursor. A client that is killed before it reaches the head clears it
 * again.
 */
export function openFollowedContracts(journal: Journal, deployment: Deployment): FollowedContracts {
  const { addresses } = nodeLogFilter(deployment, 0);
  const wanted = addresses.join(",").toLowerCase();
  const read = readFact(journal, "contracts");
  // A journal without this fact was written before any contract was replaced.
  let isComplete = read === wanted || (read === undefined && deployment.previous.length === 0);
  if (!isComplete) forgetChain(journal);
  return {
    isComplete: () => isComplete,
    markComplete: () => {
      if (isComplete && readFact(journal, "contracts") === wanted) return;
      isComplete = true;
      writeFact(journal, "contracts", wanted);
    },
  };
}
