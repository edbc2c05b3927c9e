import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { solidityTests } from "./build.ts";
import { fuzzFaults } from "./fuzzFaults.ts";
import type { Mutant } from "./schemata.ts";

/** A fault that a Solidity test must find: the test, the file, the original text, and the changed text. */
export type Seeded = { test: string; file: string; was: string; now: string };

const removed = "";

/** One or more faults for each invariant, and for the tests that check that the invariants' handlers act. */
const invariantFaults: Seeded[] = [
  of(
    "invariant_reservedAndFreeAreTheSpec",
    "node/Capacity.sol",
    "_heads[nodeId].free += resources;",
    removed,
  ),
  of("invariant_leasesOnlyRise", "docker/Placement.sol", "assignment.lease += 1;", "assignment.lease += 2;"),
  of(
    "invariant_transitionsAreLegal",
    "libraries/AssignmentStates.sol",
    "from != IDockerTypes.AssignmentState.Running",
    "from == IDockerTypes.AssignmentState.Running",
  ),
  of(
    "invariant_stoppedWorkspacesGetNoLease",
    "docker/Placement.sol",
    "workspace.state == WorkspaceState.Stopped",
    "false",
  ),
  of(
    "invariant_stoppedWorkspacesGetNoLease",
    "docker/Placement.sol",
    "desired == Desired.Run && workspace.state == WorkspaceState.Stopped",
    "false",
  ),
  of(
    "invariant_keepersAloneTakeNothing",
    "docker/Losses.sol",
    "NoError && _witnesses",
    "NoError || _witnesses",
  ),
  of("invariant_keepersAloneTakeNothing", "docker/Losses.sol", "witness.released += 1;", removed),
  of(
    "invariant_keepersAloneTakeNothing",
    "docker/Placement.sol",
    "!assignment.isKept() ||",
    "assignment.isKept() ||",
  ),
  of(
    "invariant_replacementsCostATenthMoreAtMost",
    "docker/Releases.sol",
    "isTaken && assignment.desired !=",
    "isTaken && assignment.desired ==",
  ),
  of(
    "invariant_replacementsCostATenthMoreAtMost",
    "libraries/Assignments.sol",
    "limit = mark.priceLimit;",
    removed,
  ),
  of(
    "invariant_signaturesSpeakForTheirSignerOnce",
    "node/NodeChanges.sol",
    "_terms[nodeId].sequence = message.sequence;",
    removed,
  ),
  of("invariant_depositsAreAccountedFor", "escrow/Deposits.sol", "account.take(amount);", removed),
  of("invariant_selfDealingGainsNothing", "escrow/Payouts.sol", "_token.burn(fees);", removed),
  of("invariant_selfDealingGainsNothing", "pomc/Receipts.sol", "receipts > spent", "false"),
  of("invariant_depositsAreAccountedFor", "escrow/Payouts.sol", "amount -= fee;", removed),
  of("invariant_debtIsTheSumOfRunningLeases", "libraries/Accounts.sol", "account.rate -= rate;", removed),
  of("invariant_authorizationsBind", "escrow/Settlement.sol", "grant.rateInUse -= lease.rate;", removed),
  of(
    "invariant_openLeasesHaveLiveAssignments",
    "docker/DockerState.sol",
    "_escrow.close(ref, chargesWait);",
    removed,
  ),
  of(
    "invariant_waitsCostWhatRestsDo",
    "escrow/Settlement.sol",
    "rested = lease.rested + waited",
    "rested = lease.rested - waited",
  ),
  of(
    "invariant_waitsCostWhatRestsDo",
    "escrow/Settlement.sol",
    "waited = until - lease.since",
    "waited = until + lease.since",
  ),
  of(
    "invariant_capacityIsPaidForOrEnds",
    "escrow/LeaseClocks.sol",
    "lease.isAwaited() && block.timestamp > uint256(lease.since) + _startSeconds",
    "false",
  ),
  of(
    "invariant_leasesPayTheirDebtOrTheirLock",
    "escrow/Settlement.sol",
    "charge.fromLock = _atMost(due - charge.fromFree, charge.left);",
    removed,
  ),
  of(
    "invariant_ordersEndTheRate",
    "escrow/LeaseClocks.sol",
    "_set(ref, lease, Clock.Stopping, lease.since);",
    removed,
  ),
  of(
    "invariant_refundsStayWithinTheirLease",
    "escrow/Refunds.sol",
    "amount = _atMost(_atMost(amount, book.paidOn(item.day, today)), _accounts[owner].spent());",
    removed,
  ),
  of("test_actsHappen", "node/Capacity.sol", "!docker.mayReserve", "docker.mayReserve"),
  of(
    "invariant_claimsFollowActiveEpochs",
    "Pomc.sol",
    "block.timestamp < activatesAt",
    "block.timestamp >= activatesAt",
  ),
  of("invariant_paidWithinPostedWithinSchedule", "Pomc.sol", "_claimed[account] = cumulative;", removed),
  of("invariant_paidWithinTwoEmissionsAnEpoch", "pomc/Funds.sol", "a < b", "a >= b"),
  of("invariant_theLastEpochGoesBackWhereOneWasDisabled", "Pomc.sol", "(number - 1", "(number + 1"),
  of("test_actsPay", "Token.sol", "minter.limit == 0", "minter.limit != 0"),
  of(
    "invariant_generationsReserveWithinTheSpec",
    "node/Capacity.sol",
    "_heads[nodeId].free = head.free - demand.resources;",
    removed,
  ),
  of(
    "invariant_generationsReserveWithinTheSpec",
    "node/NodeChanges.sol",
    "_heads[nodeId].free = total - reserved;",
    removed,
  ),
  of(
    "invariant_aRetiredContractOnlyReleases",
    "node/Capacity.sol",
    "(retired.mayReserve, retired.isRetired) = (false, true);",
    removed,
  ),
  of("invariant_aRetiredContractOnlyReleases", "node/Capacity.sol", "!docker.mayReserve", "false"),
  of(
    "invariant_aRetiredContractOnlyReleases",
    "node/Capacity.sol",
    "docker.reservations = reservations - 1;",
    removed,
  ),
  of("invariant_eachEscrowCoversItsBooks", "escrow/Deposits.sol", "account.take(amount);", removed),
  of(
    "invariant_eachEscrowCoversItsBooks",
    "escrow/Settlement.sol",
    "account.pay(ran + charge.rest);",
    removed,
  ),
  of("invariant_noEpochIsPaidByTwo", "Pomc.sol", "pausable", removed),
  of("invariant_noEpochIsPaidByTwo", "Pomc.sol", "_last = settings.epochsBefore;", removed),
  of(
    "invariant_generationsMintWithinTheSchedule",
    "Pomc.sol",
    "_epochsBefore = settings.epochsBefore;",
    removed,
  ),
  of("invariant_generationsMintWithinTheSchedule", "Token.sol", "minted > minter.limit", "false"),
  of("test_wordsHoldTheirNodes", "libraries/HeartbeatWords.sol", "place >> 8", "place >> 7"),
  of("test_wordsHoldTheirNodes", "libraries/HeartbeatWords.sol", "| place & 7", "| place & 6"),
  of("invariant_aWaveBeginsWhereItsBlockIsDrawn", "waves/WaveClock.sol", "% _chance == 0", "% _chance != 0"),
  of("invariant_aWaveBeginsWhereItsBlockIsDrawn", "waves/WaveClock.sol", "next > from", "next <= from"),
  of("invariant_rootsAreInTimeInOrderAndOnce", "ProofWaves.sol", "stage != next", "stage == next"),
  of(
    "invariant_rootsAreInTimeInOrderAndOnce",
    "ProofWaves.sol",
    "block.number > last",
    "block.number >= last",
  ),
  of(
    "invariant_whatIsRevealedWasCommittedTo",
    "ProofWaves.sol",
    "REVEALED - 1 || commitment",
    "REVEALED - 1 && commitment",
  ),
  of(
    "invariant_claimsAreTheNodesOwnAndNewer",
    "waves/HardwareClaims.sol",
    "deadline <= last",
    "deadline < last",
  ),
  of(
    "invariant_progressIsWhatWasAccepted",
    "waves/WaveClock.sol",
    "waveId + LIVE <= count",
    "waveId + LIVE < count",
  ),
  of("test_wavesAreHeld", "ProofWaves.sol", "block.number < first", "block.number >= first"),
  of("test_generationsAreInUse", "node/Capacity.sol", "!docker.mayReserve", "docker.mayReserve"),
  of("test_generationsPay", "Token.sol", "minter.limit == 0", "minter.limit != 0"),
];

export const seeded: readonly Seeded[] = [...invariantFaults, ...fuzzFaults.map((fault) => of(...fault))];

/** @throws Error when no current fault matches: the contracts have changed, and the list must be updated. */
export function mutantsOf({ file, was, now }: Seeded, mutants: readonly Mutant[]): Mutant[] {
  const found = mutants.filter((mutant) => {
    if (mutant.file !== `contracts/${file}`) return false;
    // The changed text may be a part of a longer statement.
    return now === removed
      ? mutant.was === was && mutant.now === removed
      : mutant.was.includes(was) && mutant.was.replace(was, now) === mutant.now;
  });
  if (found.length === 0) throw new Error(`No fault of contracts/${file} changes "${was}" to "${now}".`);
  return found;
}

/** Names of all Solidity tests. */
export function testNames(rootDir: string): string[] {
  const files = globSync(`${solidityTests}/*.sol`, { cwd: rootDir }).sort();
  const texts = files.map((file) => readFileSync(join(rootDir, file), "utf8"));
  return texts.flatMap((text) =>
    [...text.matchAll(/function ((?:test|invariant)_\w+)\(/g)].map(([, name]) => name ?? ""),
  );
}

/** Tests without a fault to find, and faults of tests that do not exist. */
export function unmatched(tests: readonly string[], faults: readonly Seeded[] = seeded) {
  const known = new Set(faults.map(({ test }) => test));
  return {
    withoutFault: tests.filter((test) => !known.has(test)),
    withoutTest: [...known].filter((test) => !tests.includes(test)),
  };
}

function of(test: string, file: string, was: string, now: string): Seeded {
  return { test, file, was, now };
}
