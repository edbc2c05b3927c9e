import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import type { Database } from "@ngpu/db/pool";
import { readHead } from "@ngpu/queries/fleet";
import { decideLosses, type LossDecision, type Online, type UnreachableNode } from "./decideLosses.ts";
import { heldLeases, readOnline } from "./lossStore.ts";

/** Number of slots without contact after which a node is marked offline on the chain. */
const offlineSlots = 3;
/** Interval of counting the online capacity, which reads all nodes, ms. */
const countMs = 5_000;

export type LossLimitOptions = { lossSeconds: number; lossShare: number; lossFloor: number };

/** Decides about lost nodes. Each power that acts on losses has a view of its own. */
export type LossView = { decide(lost: UnreachableNode[]): Promise<LossDecision> };

export function createLossView(
  options: { pool: Database; deployment: Deployment } & LossLimitOptions,
): LossView {
  const { pool, deployment, lossSeconds, lossShare, lossFloor } = options;
  let online: { value: Online; at: number } | undefined;
  return {
    async decide(lost) {
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
    },
  };
}
