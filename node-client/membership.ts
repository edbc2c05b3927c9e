import type { ChainClient } from "@ngpu/chain-reader/client";
import { type ChainView, viewOf } from "./chainView.ts";
import { openSources } from "./followedContracts.ts";
import { listen } from "./followNode.ts";
import { forgetChain, keptBlocksOf, logsOf } from "./journal/chain.ts";
import { type Journal, readFact, writeFact } from "./journal/open.ts";

type Options = Omit<Parameters<typeof listen>[0], "nodeId" | "from" | "onView" | "onContact"> & {
  client: ChainClient;
  fail: (error: unknown) => void;
  onChange: () => void;
  onContact: () => void;
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
  recordAbsence(): Promise<void>;
  done(): Promise<void>;
};

/** How long the first look at the chain may take before the journal's word is acted on, in milliseconds. */
const syncTimeout = 15_000;

/** What a membership is made with, and what it knows now. */
type Following = Options & {
  sources: ReturnType<typeof openSources>;
  started: number;
  nodeId: number | undefined;
  view: ChainView;
  caughtUp: boolean;
  /** Under the id that is followed. */
  current: { nodeId: number; abort: AbortController; ended: Promise<void> } | undefined;
};

export function createMembership(options: Options): Membership {
  const { journal, logger } = options;
  const sources = openSources(journal, options.deployment);
  if (!sources.isComplete()) logger.warn({ event: "contracts_added" });
  const own: Following = {
    ...options,
    sources,
    started: Date.now(),
    nodeId: known(journal, "node_id"),
    view: viewOf(logsOf(journal)),
    caughtUp: false,
    current: undefined,
  };
  return {
    nodeId: () => own.nodeId,
    view: () => own.view,
    isCurrent: () => isCurrent(own),
    join: (id) => join(own, id),
    recordAbsence: async () => {
      const head = await options.client.getBlockNumber({ cacheTime: 0 });
      writeFact(journal, "absent_until", String(head));
    },
    done: async () => {
      await own.current?.ended;
    },
  };
}

function isCurrent({ caughtUp, sources, journal, started }: Following): boolean {
  if (caughtUp) return true;
  return sources.isComplete() && keptBlocksOf(journal).length > 0 && Date.now() - started > syncTimeout;
}

function join(own: Following, id: number): void {
  const { journal, logger } = own;
  if (own.current?.nodeId === id) return;
  own.current?.abort.abort();
  if (own.nodeId !== undefined && own.nodeId !== id) {
    logger.warn({ event: "node_id_changed", from: own.nodeId, to: id });
    forgetChain(journal);
    own.view = viewOf([]);
    own.caughtUp = false;
  }
  own.nodeId = id;
  writeFact(journal, "node_id", String(id));
  logger.info({ event: "node_joined", nodeId: id });
  followAs(own, id);
}

/** Follows the chain under an id, until the next one or the end. */
function followAs(own: Following, nodeId: number): void {
  const abort = new AbortController();
  const ended = listen({
    client: own.client,
    deployment: own.deployment,
    journal: own.journal,
    logger: own.logger,
    nodeId,
    from: BigInt(known(own.journal, "absent_until") ?? Number(own.deployment.startBlock)),
    signal: AbortSignal.any([own.signal, abort.signal]),
    onView: (next) => {
      own.view = next;
      // A view on the way to the head is not acted on before it is there.
      if (own.caughtUp) own.onChange();
    },
    onContact: () => {
      own.caughtUp = true;
      own.sources.settle();
      own.onContact();
      own.onChange();
    },
  }).catch(own.fail);
  own.current = { nodeId, abort, ended };
}

function known(journal: Journal, name: string): number | undefined {
  const value = readFact(journal, name);
  return value === undefined ? undefined : Number(value);
}
