import { assignmentStates, releaseReasons } from "@ngpu/contracts-sdk/enumNames";
import { amount, by, type ChainLog, number } from "@ngpu/rewards/chainLogs";
import { leaseKey } from "@ngpu/rewards/uptimeLogs";
import type { BlockClock } from "./chainHistory.ts";

type Replica = { workspaceId: bigint; replica: number };

/** Seconds for which the price of a replacement is limited, by the reason of the release. */
const limitSeconds: Partial<Record<string, number>> = { lost: 86_400, replaced: 3_600, late: 3_600 };

const isOf = ({ workspaceId, replica }: Replica, { args }: ChainLog) =>
  args.workspaceId === workspaceId && number(args.replica) === replica;

/** The logs, with the times of the releases of a replica. */
export function withReleaseTimes(
  logs: readonly ChainLog[],
  replica: Replica,
  { timeOf }: Pick<BlockClock, "timeOf">,
): Promise<ChainLog[]> {
  return Promise.all(
    logs.map(async (log) =>
      log.name === "Released" && isOf(replica, log) ? { ...log, time: await timeOf(log.block) } : log,
    ),
  );
}

/**
 * The highest price of a replica whose lease was taken away before a block: a tenth more than that lease's. Undefined where nothing
 * limits it: no lease that ran was taken away lately, or the workspace was updated since.
 *
 * @param logs With the times of the replica's releases.
 */
export function priceLimitOf(
  logs: readonly ChainLog[],
  replica: Replica,
  at: { block: bigint; time: number },
): bigint | undefined {
  const known = logs.filter(by(at.block));
  const own = known.filter((log) => isOf(replica, log));
  const updatedAt = known.findLast(
    ({ name, args }) => name === "WorkspaceUpdated" && args.workspaceId === replica.workspaceId,
  )?.block;
  const limits = own.flatMap((released) => {
    if (released.name !== "Released") return [];
    const seconds = limitSeconds[releaseReasons[number(released.args.reason)] ?? ""];
    if (seconds === undefined || released.time <= at.time - seconds) return [];
    const lease = own.filter(({ args }) => leaseKey(args) === leaseKey(released.args));
    const assigned = lease.find(({ name }) => name === "Assigned");
    const hasRun = lease.some(
      ({ name, args }) => name === "StateChanged" && assignmentStates[number(args.state)] === "running",
    );
    const isDeleted = lease.some(({ name }) => name === "DeleteRequested");
    if (assigned === undefined || !hasRun || isDeleted) return [];
    if (updatedAt !== undefined && updatedAt >= assigned.block) return [];
    const price = amount(assigned.args.pricePerSecond);
    return [price + price / 10n];
  });
  return limits.reduce<bigint | undefined>(
    (least, limit) => (least === undefined || limit < least ? limit : least),
    undefined,
  );
}
