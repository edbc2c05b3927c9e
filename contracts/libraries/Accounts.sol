// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title What an account holds and what its running leases owe, without a loop over them
/// @dev Each running lease owes rate × (now − settledAt). The sum over leases is
/// (Σ rate) × now − Σ (rate × settledAt), and both sums are kept: exact to the unit at any time.
library Accounts {
    // | balance 256 |
    // | rateTime 128 | rate 128 |
    struct Account {
        /// @dev Never above the token's supply, which has 96 bits.
        uint256 balance;
        /// @dev Σ rate of running leases.
        uint128 rate;
        /// @dev Σ rate × settledAt of running leases.
        uint128 rateTime;
    }

    function owed(Account storage account, uint256 time) internal view returns (uint256) {
        return account.rate * time - account.rateTime;
    }

    function free(Account storage account, uint256 time) internal view returns (uint128) {
        uint256 debt = owed(account, time);
        // Balances fit in 96 bits.
        return account.balance > debt ? uint128(account.balance - debt) : 0;
    }

    /// @notice A lease of `rate` runs from `since` on.
    function run(Account storage account, uint64 rate, uint40 since) internal {
        account.rate += rate;
        account.rateTime += uint128(rate) * since;
    }

    /// @notice A running lease of `rate`, settled to `since`, rests.
    function rest(Account storage account, uint64 rate, uint40 since) internal {
        account.rate -= rate;
        account.rateTime -= uint128(rate) * since;
    }

    /// @notice A running lease of `rate` moves from settled at `from` to settled at `to`.
    function advance(Account storage account, uint64 rate, uint40 from, uint40 to) internal {
        account.rateTime += uint128(rate) * (to - from);
    }
}
