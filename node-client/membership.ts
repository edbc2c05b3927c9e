import type { ChainClient } from "@ngpu/chain-reader/client";
import { type ChainView, viewOf } from "./chainView.ts";
import { type FollowedContracts, openFollowedContracts } from "./followedContracts.ts";
import { followNode } from "./followNode.ts";
import { forgetChain, keptBlocksOf, logsOf } from "./journal/chain.ts";
import { type Journal, readFact, writeFact } from "./journal/open.ts";

type Options = Omit<Parameters<typeof followNode>[0], "nodeId" | "from" | "onView" | "onContact"> & {
  client: ChainClient;
  fail: (error: unknown) => void;
  onChange: () => void;
  onContact: () => void;
};

/** The node's place on the chain: its id and its leases. */
export type Membership = {
  /** Undefined until the node is registered. */
  nodeId(): number | undefined;
  view(): ChainView;
  /** Whether the view may be acted on: it is at the head, or was once and the chain does not respond now. */
  isCurrent(): boolean;
  /** Follows the chain under this id; from the first block if the id has changed. */
  join(nodeId: number): void;
  /** Records that the node is not registered at the current head: no earlier block has an event of it. */
  recordAbsence(): Promise<void>;
  done(): Promise<void>;
};

/** @deadline The first sync with the chain. The node acts on its journal until the endpoint answers. */
const syncTimeout = 15_000;

/** A membership's options and state. */
type Following = Options & {
  contracts: FollowedContracts;
  started: number;
  nodeId: number | undefined;
  view: ChainView;
  caughtUp: boolean;
  /** The task that follows the chain. */
  current: { nodeId: number; abort: AbortController; ended: Promise<void> } | undefined;
};

export function createMembership(options: Options): Membership {
  const { journal, logger } = options;
  const contracts = openFollowedContracts(journal, options.deployment);
  if (!contracts.isComplete()) logger.warn({ event: "contracts_added" });
  const state: Following = {
    ...options,
    contracts,
    started: Date.now(),
    nodeId: storedNumber(journal, "node_id"),
    view: viewOf(logsOf(journal)),
    caughtUp: false,
    current: undefined,
  };
  return {
    nodeId: () => state.nodeId,
    view: () => state.view,
    isCurrent: () => isCurrent(state),
    join: (id) => join(state, id),
    recordAbsence: async () => {
      const head = await options.client.getBlockNumber({ cacheTime: 0 });
      writeFact(journal, "absent_until", String(head));
    },
    done: async () => {
      await state.current?.ended;
    },
  };
}

function isCurrent({ caughtUp, contracts, journal, started }: Following): boolean {
  if (caughtUp) return true;
  return contracts.isComplete() && keptBlocksOf(journal).length > 0 && Date.now() - started > syncTimeout;
}

function join(state: Following, id: number): void {
  const { journal, logger } = state;
  if (state.current?.nodeId === id) return;
  state.current?.abort.abort();
  if (state.nodeId !== undefined && state.nodeId !== id) {
    logger.warn({ event: "node_id_changed", from: state.nodeId, to: id });
    forgetChain(journal);
    state.view = viewOf([]);
    state.caughtUp = false;
  }
  state.nodeId = id;
  writeFact(journal, "node_id", String(id));
  logger.info({ event: "node_joined", nodeId: id });
  followAs(state, id);
}

/** Follows the chain under an id, until another id is joined or the node stops. */
function followAs(state: Following, nodeId: number): void {
  const abort = new AbortController();
  const ended = followNode({
    client: state.client,
    deployment: state.deployment,
    journal: state.journal,
    logger: state.logger,
    nodeId,
    from: BigInt(storedNumber(state.journal, "absent_until") ?? Number(state.deployment.startBlock)),
    signal: AbortSignal.any([state.signal, abort.signal]),
    onView: (next) => {
      state.view = next;
      // While syncing, the view is not acted on.
      if (state.caughtUp) state.onChange();
    },
    onContact: () => {
      state.caughtUp = true;
      state.contracts.markComplete();
      state.onContact();
      state.onChange();
    },
  }).catch(state.fail);
  state.current = { nodeId, abort, ended };
}

function storedNumber(journal: Journal, name: string): number | undefined {
  const value = readFact(journal, name);
  return value === undefined ? undefined : Number(value);
}
