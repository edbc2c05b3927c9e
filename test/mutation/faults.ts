import type { Mutant } from "./schemata.ts";

/** A fault that a Solidity test must find: the test, the file, what stands there, and what the fault makes of it. */
export type Seeded = { test: string; file: string; was: string; now: string };

const removed = "";

/** One or more faults for each test. */
export const seeded: Seeded[] = [
  {
    test: "invariant_reservedAndFreeAreTheSpec",
    file: "node/Capacity.sol",
    was: "_heads[nodeId].free += resources;",
    now: removed,
  },
  {
    test: "invariant_leasesOnlyRise",
    file: "docker/Placement.sol",
    was: "assignment.lease += 1;",
    now: "assignment.lease += 2;",
  },
  {
    test: "invariant_transitionsAreLegal",
    file: "libraries/AssignmentStates.sol",
    was: "return from != IDockerContract.AssignmentState.Running;",
    now: "return from == IDockerContract.AssignmentState.Running;",
  },
  {
    test: "invariant_signaturesSpeakForTheirSignerOnce",
    file: "node/NodeChanges.sol",
    was: "_useNonce(signer, message.nonce);",
    now: removed,
  },
  {
    test: "invariant_depositsAreAccountedFor",
    file: "escrow/Deposits.sol",
    was: "account.take(amount);",
    now: removed,
  },
  {
    test: "invariant_selfDealingGainsNothing",
    file: "escrow/Payouts.sol",
    was: "amount -= fee;",
    now: removed,
  },
  {
    test: "invariant_debtIsTheSumOfRunningLeases",
    file: "libraries/Accounts.sol",
    was: "account.rate -= rate;",
    now: removed,
  },
  {
    test: "invariant_authorizationsBind",
    file: "escrow/Settlement.sol",
    was: "grant.rateInUse -= lease.rate;",
    now: removed,
  },
  {
    test: "invariant_openLeasesHaveLiveAssignments",
    file: "docker/DockerState.sol",
    was: "_escrow.close(ref);",
    now: removed,
  },
  {
    test: "invariant_claimsFollowActiveEpochs",
    file: "Pomc.sol",
    was: "block.timestamp < activatesAt",
    now: "block.timestamp >= activatesAt",
  },
  {
    test: "invariant_paidWithinPostedWithinSchedule",
    file: "Pomc.sol",
    was: "_claimed[account] = cumulative;",
    now: removed,
  },
  {
    test: "invariant_theLastEpochGoesBackWhereOneWasDisabled",
    file: "Pomc.sol",
    was: "(_last, _lastTotal) = (number - 1, epoch.totalBefore);",
    now: "(_last, _lastTotal) = (number + 1, epoch.totalBefore);",
  },
  {
    test: "test_registrations",
    file: "node/Registration.sol",
    was: "refusal.length != 0",
    now: "false",
  },
  {
    test: "test_statuses",
    file: "node/NodeChanges.sol",
    was: "refusal.length != 0",
    now: "false",
  },
  {
    test: "test_reports",
    file: "docker/Reports.sol",
    was: "refusal.length != 0",
    now: "false",
  },
  {
    test: "test_publications",
    file: "docker/Workspaces.sol",
    was: "refusal.length != 0",
    now: "false",
  },
  {
    test: "test_assignments",
    file: "docker/DockerState.sol",
    was: "refusal.length != 0",
    now: "false",
  },
  {
    test: "test_releases",
    file: "docker/Releases.sol",
    was: "refusal.length != 0",
    now: "false",
  },
  {
    test: "test_orders",
    file: "docker/DockerState.sol",
    was: "ref.lease != assignment.lease",
    now: "false",
  },
  {
    test: "test_lengths",
    file: "SignedBatch.sol",
    was: "items > MAX_ITEMS",
    now: "items > (MAX_ITEMS + 1)",
  },
];

/** @throws Error when a fault is none of today's: the contracts changed, and the list must follow. */
export function mutantsOf({ file, was, now }: Seeded, mutants: readonly Mutant[]): Mutant[] {
  const found = mutants.filter((mutant) => {
    return mutant.file === `contracts/${file}` && mutant.was === was && mutant.now === now;
  });
  if (found.length === 0) throw new Error(`No fault of contracts/${file} makes "${now}" of "${was}".`);
  return found;
}
