import { follow } from "@ngpu/chain-reader/followChain";
import type { RpcClient } from "@ngpu/chain-reader/rpc";
import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import type { Logger } from "@ngpu/runtime/logger";
import { type ChainView, viewOf } from "./chainView.ts";
import { nodeLogFilter, type StoredLog } from "./events.ts";
import { appendBlocks, keptBlocksOf, logsOf, pruneLogs, undoBlocks } from "./journal/chain.ts";
import type { Journal } from "./journal/open.ts";

type Options = {
  client: RpcClient;
  deployment: Deployment;
  nodeId: number;
  /** The first block that can contain an event of this node. */
  from: bigint;
  journal: Journal;
  logger: Logger;
  signal: AbortSignal;
  /** Called after every stored step that changed the view. */
  onView: (view: ChainView) => void;
  /** Called whenever a new head of the chain has been stored. */
  onContact: () => void;
};

const pruneEvery = 5_000n;

/**
 * Follows the chain from the journal's cursor: stores the node's logs, deletes those of reorged blocks and passes on the
 * resulting view. The fence of a lease is part of its Assigned event, so a lease that is assigned again on another fork is
 * another lease in the new view.
 */
export async function followNode(options: Options): Promise<void> {
  const { client, deployment, journal, logger, signal } = options;
  const { addresses, topics } = nodeLogFilter(deployment, options.nodeId);
  const wanted = new Set<string>([topics[0]].flat().map(String));
  let pruned = 0n;
  const steps = follow({
    client,
    addresses,
    topics,
    from: options.from,
    headers: "logged",
    cursor: { recent: async () => keptBlocksOf(journal) },
    signal,
    logger,
  });
  for await (const step of steps) {
    if (step.type === "reorg") {
      logger.warn({ event: "chain_reorg", depth: step.depth, ancestor: step.ancestor?.number });
      undoBlocks(journal, step.ancestor?.number ?? -1n);
      options.onView(viewOf(logsOf(journal)));
      continue;
    }
    const logs: StoredLog[] = step.blocks
      .flatMap((block) => block.logs)
      // An endpoint that returns logs outside the filter must not stop the node.
      .filter((log) => wanted.has(log.topics[0]) && log.topics[2] === topics[2]);
    appendBlocks(journal, step.blocks, logs);
    const last = step.blocks.at(-1)?.number ?? 0n;
    if (logs.length > 0) options.onView(viewOf(logsOf(journal)));
    if (last >= step.head.number) options.onContact();
    if (last >= pruned + pruneEvery) {
      pruned = last;
      const live = viewOf(logsOf(journal)).assignments.filter((lease) => !lease.ended);
      pruneLogs(journal, last, new Set(live.map((lease) => lease.workspaceId)));
    }
  }
}
