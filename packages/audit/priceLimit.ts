import { amount, by, type ChainLog, number } from "@ngpu/rewards/chainLogs";
import { leaseKey } from "@ngpu/rewards/uptimeLogs";

type Replica = { workspaceId: bigint; replica: number };

/** Whether a log is about a replica. */
export const isOf = ({ workspaceId, replica }: Replica, { args }: ChainLog) =>
  args.workspaceId === workspaceId && number(args.replica) === replica;

/**
 * The highest price of a replica whose lease was taken away before a block, as DockerContract limits it. Undefined where nothing
 * limits it: no lease that ran was taken away lately, or the workspace was updated since that lease was assigned.
 */
export function priceLimitOf(
  logs: readonly ChainLog[],
  replica: Replica,
  at: { block: bigint; time: number },
): bigint | undefined {
  const known = logs.filter(by(at.block));
  const limited = known.findLast((log) => log.name === "PriceLimited" && isOf(replica, log));
  if (limited === undefined || number(limited.args.until) <= at.time) return undefined;
  const key = leaseKey(limited.args);
  const assigned = known.findIndex(({ name, args }) => name === "Assigned" && leaseKey(args) === key);
  const isUpdated = known
    .slice(assigned + 1)
    .some(({ name, args }) => name === "WorkspaceUpdated" && args.workspaceId === replica.workspaceId);
  return isUpdated ? undefined : amount(limited.args.pricePerSecond);
}
