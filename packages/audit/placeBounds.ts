import { pendingSeconds } from "@ngpu/placement/fleet";
import { amount, type ChainLog, number } from "@ngpu/rewards/chainLogs";
import { refusedAssignment } from "./exclusionReasons.ts";

/** The lowest and the highest place that the chain has for an assignment. */
export type PlaceBounds = { least: number; most: number };

/** Seconds between a block and the answer of a decision by it. */
const answerSeconds = 15;

/**
 * The place of an assignment is the number of the workspace's other placements that were decided before it, lately, and that its block
 * of decision does not include. One that the chain refused may have counted too.
 *
 * @param timesOf The times of the blocks of decision.
 */
export function placeBounds(
  logs: readonly ChainLog[],
  assigned: ChainLog,
  timesOf: ReadonlyMap<bigint, number>,
): PlaceBounds {
  const decidedAt = amount(assigned.args.decidedAt);
  const ageOf = (at: bigint) => (timesOf.get(decidedAt) ?? 0) - (timesOf.get(at) ?? 0);
  const ages = othersPending(logs, assigned).map(({ args }) => ageOf(amount(args.decidedAt)));
  const refused = logs.filter(
    (log) => log.block > decidedAt && log.block <= assigned.block && refusedAssignment(log) !== undefined,
  );
  const within = (seconds: number) => ages.filter((age) => age <= seconds).length;
  return {
    least: within(pendingSeconds - answerSeconds),
    most: within(pendingSeconds + answerSeconds) + refused.length,
  };
}

/** The assignments of the workspace's other replicas that were decided before one, and reached the chain after its block of decision. */
export function othersPending(logs: readonly ChainLog[], { args }: ChainLog): ChainLog[] {
  const [decidedAt, position] = [amount(args.decidedAt), number(args.position)];
  return logs.filter((other) => {
    if (other.name !== "Assigned" || other.args.workspaceId !== args.workspaceId) return false;
    if (number(other.args.replica) === number(args.replica) || other.block <= decidedAt) return false;
    const at = amount(other.args.decidedAt);
    return at < decidedAt || (at === decidedAt && number(other.args.position) < position);
  });
}
