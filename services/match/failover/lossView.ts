import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import type { Database } from "@ngpu/db/pool";
import { readHead } from "@ngpu/queries/fleet";
import { hasPeers, readAbsences } from "../sessions/absenceStore.ts";
import { decideLosses, type LossDecision, type Online, type UnreachableNode } from "./decideLosses.ts";
import { heldLeases, readOnline, readUnreachable } from "./lossStore.ts";

/** Number of slots without contact after which a node is marked offline on the chain. */
const offlineSlots = 3;
/** Interval of counting the online capacity, which reads all nodes, ms. */
const countMs = 5_000;

export type LossLimitOptions = { lossSeconds: number; lossShare: number; lossFloor: number };

/** Delay after no instance was running, ms: longer than the longest pause between attempts of nodes to connect. */
const reconnectGraceMs = 20_000;

/** What is lost now, and what to do about it: nothing while no node is lost. */
export type Losses = {
  unreachable: UnreachableNode[];
  lost: UnreachableNode[];
  decision: LossDecision | undefined;
};

/** Decides about lost nodes. Each power that acts on losses has a view of its own. */
export type LossView = { read(): Promise<Losses> };

/** The delay before a new leader may count nodes as lost, ms: where no other instance was running, they must reconnect. */
export async function lossGraceMs(pool: Database, instance: string): Promise<number> {
  return (await hasPeers(pool, instance)) ? 0 : reconnectGraceMs;
}

export function createLossView(
  options: { pool: Database; deployment: Deployment } & LossLimitOptions,
): LossView {
  const { pool, deployment, lossSeconds, lossShare, lossFloor } = options;
  let online: { value: Online; at: number } | undefined;
  const decide = async (lost: UnreachableNode[]): Promise<LossDecision> => {
    const now = performance.now();
    if (online === undefined || now - online.at >= countMs) {
      online = { value: await readOnline(pool), at: now };
    }
    return decideLosses({
      chainTime: (await readHead(pool)).time,
      unreachable: lost,
      online: online.value,
      leases: await heldLeases(
        pool,
        lost.map((node) => node.nodeId),
      ),
      limits: {
        lossMs: lossSeconds * 1_000,
        share: lossShare,
        floor: lossFloor,
        offlineMs: offlineSlots * deployment.parameters.slotSeconds * 1_000,
      },
    });
  };
  return {
    async read() {
      const unreachable = await readUnreachable(pool, await readAbsences(pool));
      const lost = unreachable.filter((node) => node.unreachableMs >= lossSeconds * 1_000);
      return { unreachable, lost, decision: lost.length === 0 ? undefined : await decide(lost) };
    },
  };
}
