import type { ChainClient } from "@ngpu/chain-reader/client";
import { forgetChain, keptBlocksOf, logsOf } from "./journal/chain.ts";
import { type Journal, readFact, writeFact } from "./journal/open.ts";
import { listen } from "./listen.ts";
import { openSources } from "./sources.ts";
import { type ChainView, viewOf } from "./view.ts";

type Options = Omit<Parameters<typeof listen>[0], "nodeId" | "from" | "onView" | "onSight"> & {
  client: ChainClient;
  fail: (error: unknown) => void;
  onChange: () => void;
  onSight: () => void;
};

/** What the chain says of this node, from the moment it has an id there. */
export type Membership = {
  nodeId(): number | undefined;
  view(): ChainView;
  /** The view may be acted on: it has been brought up to the head, or was once and the chain does not answer now. */
  isCurrent(): boolean;
  /** Follows the chain under this id; under another id than before, from the beginning. */
  join(nodeId: number): void;
  /** Notes that the node is not registered at the present head: no event of it stands below. */
  noteAbsent(): Promise<void>;
  done(): Promise<void>;
};

/** How long the first look at the chain may take before the journal's word is acted on, in milliseconds. */
const patience = 15_000;

export function createMembership(options: Options): Membership {
  const { journal, logger } = options;
  const started = Date.now();
  const sources = openSources(journal, options.deployment);
  if (!sources.isWhole()) logger.warn({ event: "contracts_added" });
  let nodeId = known(journal, "node_id");
  let view = viewOf(logsOf(journal));
  let caughtUp = false;
  let following: { nodeId: number; abort: AbortController; ended: Promise<void> } | undefined;
  const begin = (id: number) => {
    const abort = new AbortController();
    const ended = listen({
      ...options,
      nodeId: id,
      from: BigInt(known(journal, "absent_until") ?? Number(options.deployment.startBlock)),
      signal: AbortSignal.any([options.signal, abort.signal]),
      onView: (next) => {
        view = next;
        // A view on the way to the head is not acted on before it is there.
        if (caughtUp) options.onChange();
      },
      onSight: () => {
        caughtUp = true;
        sources.settle();
        options.onSight();
        options.onChange();
      },
    }).catch(options.fail);
    following = { nodeId: id, abort, ended };
  };
  return {
    nodeId: () => nodeId,
    view: () => view,
    isCurrent: () => {
      if (caughtUp) return true;
      return sources.isWhole() && keptBlocksOf(journal).length > 0 && Date.now() - started > patience;
    },
    join: (id) => {
      if (following?.nodeId === id) return;
      following?.abort.abort();
      if (nodeId !== undefined && nodeId !== id) {
        logger.warn({ event: "node_id_changed", from: nodeId, to: id });
        forgetChain(journal);
        view = viewOf([]);
        caughtUp = false;
      }
      nodeId = id;
      writeFact(journal, "node_id", String(id));
      logger.info({ event: "node_joined", nodeId: id });
      begin(id);
    },
    noteAbsent: async () => {
      const head = await options.client.getBlockNumber({ cacheTime: 0 });
      writeFact(journal, "absent_until", String(head));
    },
    done: async () => {
      await following?.ended;
    },
  };
}

function known(journal: Journal, name: string): number | undefined {
  const value = readFact(journal, name);
  return value === undefined ? undefined : Number(value);
}
