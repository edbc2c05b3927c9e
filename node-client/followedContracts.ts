import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { nodeLogFilter } from "./events.ts";
import { forgetChain } from "./journal/chain.ts";
import { type Journal, readFact, writeFact } from "./journal/open.ts";

/** Whether the journal has the logs of all contracts that are followed. */
export type Sources = {
  /** False while the chain is read anew: the journal then has a part of it, which must not be acted on. */
  isComplete(): boolean;
  /** The head was reached. */
  settle(): void;
};

/**
 * Forgets what was seen of the chain where contracts came beside those it was read from: their first events may stand below the
 * cursor, an assignment to this node among them. Asked again after a kill, it forgets again until the head was reached once.
 */
export function openSources(journal: Journal, deployment: Deployment): Sources {
  const { addresses } = nodeLogFilter(deployment, 0);
  const wanted = addresses.join(",").toLowerCase();
  const read = readFact(journal, "contracts");
  // A journal that does not say was written while nothing had been replaced.
  let isComplete = read === wanted || (read === undefined && deployment.previous.length === 0);
  if (!isComplete) forgetChain(journal);
  return {
    isComplete: () => isComplete,
    settle: () => {
      if (isComplete && readFact(journal, "contracts") === wanted) return;
      isComplete = true;
      writeFact(journal, "contracts", wanted);
    },
  };
}
