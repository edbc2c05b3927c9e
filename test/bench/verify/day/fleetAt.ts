import { createFleetFollower } from "@ngpu/audit/fleetFollower";
import type { FleetNode } from "@ngpu/placement/fleet";
import type { ChainLog } from "@ngpu/rewards/chainLogs";
import { type JudgedWave, judgedWaves } from "@ngpu/waves/history";
import { eachWave } from "@ngpu/waves/waveLogs";
import { type Market, sortedLogs } from "./market.ts";

/** The nodes at blocks that never fall, while logs of leases are written. */
export type Fleets = { at: (block: number) => FleetNode[]; take: (log: ChainLog) => void };

/** @param market Has every log but those of leases. */
export function followFleet({ logs, deployment, timeOf, hashOf }: Market): Fleets {
  const terms = deployment.parameters.waves;
  const others = sortedLogs(logs);
  const leases: ChainLog[] = [];
  const ends = Array.from(eachWave(others, terms), ({ blocks }) => blocks.revealed);
  // A wave keeps the proof of a device with a lease, so it is judged when the leases before it are known.
  const waves: JudgedWave[] = [];
  const follower = createFleetFollower(waves);
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
      if (ends.filter((end) => end <= block).length > waves.length) {
        const known = judgedWaves(sortedLogs([...others, ...leases]), terms, BigInt(block));
        waves.splice(0, waves.length, ...known);
      }
      return follower.at({ number: BigInt(block), hash: hashOf(block), time: timeOf(block) });
    },
  };
}
