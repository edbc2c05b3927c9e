// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title An account's balance, its locks and the debt of its running leases, without a loop over them
/// @dev Each running lease owes rate × (now − settledAt). The sum over leases is
/// (Σ rate) × now − Σ (rate × settledAt), and both sums are stored: exact to the unit at any time.
library Accounts {
    // | spent 160 | balance 96 |
    // | rateTime 128 | rate 128 |
    // | locked 256 |
    struct Account {
        /// @dev The balance, never above the token's supply, which has 96 bits; in the higher bits everything that leases were
        /// paid, without refunds. One number, so that both change in one write.
        uint256 funds;
        /// @dev Σ rate of running leases.
        uint128 rate;
        /// @dev Σ rate × settledAt of running leases.
        uint128 rateTime;
        /// @dev Σ of what is left of the locks of open leases; never above the balance.
        uint256 locked;
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
        uint256 held = unlocked(account);
        // Balances fit in 96 bits.
        return held > debt ? uint128(held - debt) : 0;
    }

    /// @notice The balance that no lease has locked.
    function unlocked(Account storage account) internal view returns (uint256) {
        return balance(account) - account.locked;
    }

    /// @notice Sets `amount` aside for one lease.
    function lock(Account storage account, uint256 amount) internal {
        account.locked += amount;
    }

    /// @notice Returns `amount` of a lock, or lets its lease be paid from it.
    function unlock(Account storage account, uint256 amount) internal {
        account.locked -= amount;
    }

    /// @notice Adds `amount` to the balance.
    function add(Account storage account, uint256 amount) internal {
        account.funds += amount;
    }

    /// @notice Subtracts `amount`, which the balance covers.
    function take(Account storage account, uint256 amount) internal {
        account.funds -= amount;
    }

    /// @notice Pays `amount`, which the balance covers, to a lease.
    function pay(Account storage account, uint256 amount) internal {
        account.funds += (amount << BALANCE_BITS) - amount;
    }

    /// @notice Returns `amount`, which the account paid.
    function restore(Account storage account, uint256 amount) internal {
        account.funds -= (amount << BALANCE_BITS) - amount;
    }

    /// @notice Starts a lease of `rate` at `since`.
    function run(Account storage account, uint64 rate, uint40 since) internal {
        account.rate += rate;
        account.rateTime += uint128(rate) * since;
    }

    /// @notice Stops a running lease of `rate`, settled to `since`.
    function rest(Account storage account, uint64 rate, uint40 since) internal {
        account.rate -= rate;
        account.rateTime -= uint128(rate) * since;
    }

    /// @notice A running lease of `rate` moves from settled at `from` to settled at `to`.
    function advance(Account storage account, uint64 rate, uint40 from, uint40 to) internal {
        account.rateTime += uint128(rate) * (to - from);
    }
}
