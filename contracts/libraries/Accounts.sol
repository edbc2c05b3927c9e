// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title What an account holds and what its running leases owe, without a loop over them
/// @dev Each running lease owes rate × (now − settledAt). The sum over leases is
/// (Σ rate) × now − Σ (rate × settledAt), and both sums are kept: exact to the unit at any time.
library Accounts {
    // | spent 160 | balance 96 |
    // | rateTime 128 | rate 128 |
    struct Account {
        /// @dev What the account has, never above the token's supply, which has 96 bits; above it everything that leases were
        /// paid, without what was refunded. In one number, so that both change in one write.
        uint256 funds;
        /// @dev Σ rate of running leases.
        uint128 rate;
        /// @dev Σ rate × settledAt of running leases.
        uint128 rateTime;
    }

    uint256 private constant BALANCE_BITS = 96;

    function balance(Account storage account) internal view returns (uint96) {
        return uint96(account.funds);
    }

    function spent(Account storage account) internal view returns (uint160) {
        return uint160(account.funds >> BALANCE_BITS);
    }

    function owed(Account storage account, uint256 time) internal view returns (uint256) {
        return account.rate * time - account.rateTime;
    }

    function free(Account storage account, uint256 time) internal view returns (uint128) {
        uint256 debt = owed(account, time);
        uint256 held = balance(account);
        // Balances fit in 96 bits.
        return held > debt ? uint128(held - debt) : 0;
    }

    /// @notice `amount` comes in.
    function add(Account storage account, uint256 amount) internal {
        account.funds += amount;
    }

    /// @notice `amount`, which the account has, goes out.
    function take(Account storage account, uint256 amount) internal {
        account.funds -= amount;
    }

    /// @notice `amount`, which the account has, goes to a lease.
    function pay(Account storage account, uint256 amount) internal {
        account.funds += (amount << BALANCE_BITS) - amount;
    }

    /// @notice `amount`, which the account paid, comes back.
    function restore(Account storage account, uint256 amount) internal {
        account.funds -= (amount << BALANCE_BITS) - amount;
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
