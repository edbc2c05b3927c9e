import { createFleetFollower } from "@ngpu/audit/fleetFollower";
import type { FleetNode } from "@ngpu/placement/fleet";
import type { ChainLog } from "@ngpu/rewards/chainLogs";
import { judgedWaves } from "@ngpu/waves/history";
import type { Market } from "./market.ts";
import { sortedLogs } from "./market.ts";

/** The nodes at blocks that never fall, while logs of leases are written. */
export type Fleets = { at: (block: number) => FleetNode[]; take: (log: ChainLog) => void };

/** @param market Has every log but those of leases. */
export function followFleet({ logs, deployment, upTo, timeOf, hashOf }: Market): Fleets {
  const others = sortedLogs(logs);
  const leases: ChainLog[] = [];
  const follower = createFleetFollower(judgedWaves(others, deployment.parameters.waves, BigInt(upTo)));
  let [next, nextLease] = [0, 0];
  return {
    take: (log) => leases.push(log),
    at: (block) => {
      for (;;) {
        const [other, lease] = [others[next], leases[nextLease]];
        const isLease = lease !== undefined && (other === undefined || lease.block < other.block);
        const log = isLease ? lease : other;
        if (log === undefined || log.block > BigInt(block)) break;
        follower.take(log);
        if (isLease) nextLease += 1;
        else next += 1;
      }
      return follower.at({ number: BigInt(block), hash: hashOf(block), time: timeOf(block) });
    },
  };
}
