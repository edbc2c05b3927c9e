// The proven properties, and for each the faults under which its proof must find a counterexample.
import type { Fault } from "./compile.ts";
import type { Property } from "./prove.ts";

export type Stated = Property & {
  title: string;
  faults: readonly Fault[];
  /** Not proven so far: tried only on request. */
  isOpen: boolean;
};

/** docs/contracts/proofs.md says why these are not proven. */
const open = new Set(["SettlementProof", "EarningsProof"]);

export const TOKEN = 0x3000n;
export const NODES = 0x4000n;
const others = [
  { address: TOKEN, contract: "ProofToken" },
  { address: NODES, contract: "ProofNodes" },
];

/** Days and epochs have the lengths of a public chain; other terms are unknown where a proof does not need their value. */
const immutables = {
  _daySeconds: 86_400n,
  _refundDays: 1n,
  _minSeconds: 600n,
  _epochSeconds: 3_600n,
  _epochsBefore: 0n,
  _token: TOKEN,
  _computeNode: NODES,
};

type Faults = readonly (readonly [file: string, was: string, now: string])[];

function of(contract: string, name: string, title: string, faults: Faults): Stated {
  return {
    contract,
    name,
    title,
    immutables,
    others,
    isOpen: open.has(contract),
    faults: faults.map(([file, was, now]) => ({ file: `contracts/${file}`, was, now })),
  };
}

const pay = "account.funds += (amount << BALANCE_BITS) - amount;";
const advance = "account.rateTime += uint128(rate) * (to - from);";

export const properties: readonly Stated[] = [
  of("AccountsProof", "proveFundsMove", "what is paid leaves the balance and counts as spent, to the unit", [
    ["libraries/Accounts.sol", pay, "account.funds += amount << BALANCE_BITS;"],
  ]),
  of("AccountsProof", "proveDebtIsTheSum", "an account's debt is the sum over its running leases", [
    ["libraries/Accounts.sol", advance, "account.rateTime += uint128(rate) * (to - from) + 1;"],
    ["libraries/Accounts.sol", "account.rate -= rate;", ""],
  ]),
  of("AccountsProof", "proveFreeIsTheRest", "what is free is what no lock and no debt takes", [
    ["libraries/Accounts.sol", "balance(account) - account.locked", "balance(account)"],
  ]),
  of(
    "AccountsOfEscrowProof",
    "proveAWithdrawalLeavesLocksAndDebts",
    "a withdrawal leaves what is locked and owed",
    [["escrow/Deposits.sol", "if (amount > free) revert", "if (amount > account.balance()) revert"]],
  ),
  of(
    "LeasesProof",
    "proveAnOrderEndsTheRate",
    "after an order at most restSeconds are due, and no second twice",
    [
      [
        "libraries/Leases.sol",
        "uint40 ranUntil = until < restAt ? until : restAt;",
        "uint40 ranUntil = until;",
      ],
      ["libraries/Leases.sol", "uint40 until = time < expiry ? time : expiry;", "uint40 until = time;"],
    ],
  ),
  of("LeasesProof", "provePackingKeepsALease", "a packed lease is the lease, field by field", [
    ["libraries/Leases.sol", "rested: uint24(packed >> 8)", "rested: uint24(packed >> 9)"],
  ]),
  of("LeasesProof", "proveRestCostsATenth", "a second of rest costs a tenth of the rate, rounded up", [
    ["libraries/Leases.sol", "uint256(rate) + REST_PART - 1", "uint256(rate)"],
  ]),
  of(
    "SettlementProof",
    "proveASettlementIsExact",
    "balance, lock, authorization and earnings change by what is paid",
    [
      ["escrow/Settlement.sol", "if (locked != 0) account.unlock(locked);", ""],
      ["escrow/Settlement.sol", "        grant.remaining -= uint128(charge.fromFree);\n", ""],
    ],
  ),
  of(
    "SettlementProof",
    "proveALeasePaysItsDebtOrItsLock",
    "a running lease pays its debt, or all that it may and its lock",
    [["escrow/Settlement.sol", "charge.fromLock = _atMost(due - charge.fromFree, charge.left);", ""]],
  ),
  of("SettlementProof", "proveAClosedLeaseOwesNothing", "a closed lease leaves no debt behind", [
    ["escrow/Settlement.sol", "if (lease.isCharged()) account.rest(lease.rate, lease.since);", ""],
  ]),
  of("EarningsProof", "proveEarningsAreKept", "every paid unit is in one of the node's lanes, once", [
    ["libraries/Earnings.sol", "lanes.matured += uint96(part - kept);", ""],
  ]),
  of("EarningsProof", "proveEarningsWait", "what is earned on a day matures after the next one", [
    ["libraries/Earnings.sol", "if (passed == 1) {", "if (passed == 2) {"],
  ]),
  of("EarningsProof", "proveABookHoldsWhatWasPaid", "a lease's book gains at most what was paid", [
    ["libraries/DayBooks.sol", "(amount, from) = (amount - part, end);", "from = end;"],
  ]),
  of("EarningsProof", "proveADayCountsItsSeconds", "a day counts at most the seconds that ran on it", [
    ["libraries/DayBooks.sol", "if (part > amount) part = amount;", "part = amount;"],
  ]),
  of("EarningsProof", "proveADayIsRefundedOnce", "a refunded day stays refunded, and no other becomes it", [
    ["libraries/DayBooks.sol", "REFUNDED << (LANE * (today - day))", "REFUNDED"],
  ]),
  of("AccountsOfEscrowProof", "proveARefundIsBounded", "a refund is at most what the lease paid that day", [
    [
      "escrow/Refunds.sol",
      "_atMost(_atMost(amount, book.paidOn(item.day, today)), _accounts[owner].spent())",
      "_atMost(amount, _accounts[owner].spent())",
    ],
    ["escrow/Refunds.sol", "        _books[key] = book.refund(item.day, today);\n", ""],
  ]),
  of("AccountsOfEscrowProof", "proveADayIsPaidBackOnce", "a day is paid back once", [
    ["escrow/Refunds.sol", "if (_books[_bookKeyOf(item)].isRefunded(item.day, today)) {", "if (false) {"],
  ]),
  of("PayoutsProof", "provePartsBurnNoLess", "payouts in parts burn no less than the whole", [
    ["escrow/Payouts.sol", "amount * _feeBasisPoints + BASIS_POINTS - 1", "amount * _feeBasisPoints"],
  ]),
  of("PayoutsProof", "proveCollectingPaysOnce", "what matured is paid once, less the burned fee", [
    ["escrow/Payouts.sol", "            _collected[nodeId] = matured;\n", ""],
    ["escrow/Payouts.sol", "            amount -= fee;\n", ""],
  ]),
  of(
    "PayoutsProof",
    "proveOpeningKeepsToTheAuthorization",
    "a lease opens within its authorization, with its own lock",
    [
      ["escrow/LeaseClocks.sol", "if (lock > free) revert", "if (false) revert"],
      ["escrow/LeaseClocks.sol", "if (aDay > grant.daily) revert", "if (false) revert"],
    ],
  ),
  of(
    "RewardsProof",
    "proveAClaimPaysOnce",
    "an account gets its highest grant once, in any order of claims",
    [["Pomc.sol", "        _claimed[account] = cumulative;\n", ""]],
  ),
  of("RewardsProof", "proveAPartIsPaidFromWhatIsThere", "a grant is paid from tokens that are there", [
    ["pomc/Funds.sol", "paid = _smaller(amount, _token.balanceOf(address(this)));", "paid = amount;"],
  ]),
  of("RewardsProof", "proveOnlyActiveEpochsPay", "only known, active and enabled epochs pay", [
    [
      "Pomc.sol",
      "        if (block.timestamp < activatesAt) {\n            if",
      "        if (false) {\n            if",
    ],
  ]),
  of("RewardsProof", "provePostsKeepToTheSchedule", "a posted total is within the schedule", [
    ["Pomc.sol", "if (total > limit) revert", "if (false) revert"],
    ["Pomc.sol", "if (block.timestamp < settledAt) revert", "if (false) revert"],
  ]),
  of("RewardsProof", "proveAMintKeepsToItsBudget", "a mint keeps to the budget, the grants and the limit", [
    ["pomc/Funds.sol", "credit: uint96(credit - amount)", "credit: uint96(credit)"],
    ["pomc/Funds.sol", "_smaller(credit, total - budget.funded)", "credit"],
  ]),
  of("RewardsProof", "proveSelfDealingLoses", "dealing with oneself loses at least a tenth of the fee", [
    [
      "pomc/Terms.sol",
      "if (uint256(terms.nodeTaskBasisPoints) + terms.payerTaskBasisPoints > MAX_TASK_PARTS) {",
      "if (false) {",
    ],
  ]),
  of("TokenProof", "proveMintsKeepToLimitAndCap", "mints keep to the minter's limit and the cap", [
    ["Token.sol", "if (minted > minter.limit) revert", "if (false) revert"],
    ["Token.sol", "if (supply > _cap) revert", "if (false) revert"],
  ]),
];
