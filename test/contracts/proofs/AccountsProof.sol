// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Accounts} from "contracts/libraries/Accounts.sol";

/// @notice Balances, locks and debts of one account.
contract AccountsProof {
    using Accounts for Accounts.Account;

    Accounts.Account internal account;

    /// @notice What is paid leaves the balance and counts as spent, to the unit; what is restored comes back.
    function proveFundsMove(uint96 balance, uint128 spent, uint96 amount, uint96 refund) external {
        require(amount <= balance && refund <= amount);
        account.funds = uint256(balance) | (uint256(spent) << 96);
        account.pay(amount);
        assert(account.balance() == balance - amount);
        assert(account.spent() == uint256(spent) + amount);
        account.restore(refund);
        assert(account.balance() == balance - amount + refund);
        assert(account.spent() == uint256(spent) + amount - refund);
    }

    /// @notice The debt is the sum over running leases of rate × seconds since their settlement, whatever ran before.
    function proveDebtIsTheSum(uint64 rate, uint64 other, uint96 rates, uint128 rateTimes, uint40[4] calldata times)
        external
    {
        (uint40 first, uint40 second, uint40 third, uint40 now_) = (times[0], times[1], times[2], times[3]);
        require(first <= second && second <= third && third <= now_);
        require(uint256(rates) * first >= rateTimes && rates < 2 ** 80 && rateTimes < 2 ** 120);
        (account.rate, account.rateTime) = (rates, rateTimes);
        uint256 before = account.owed(now_);
        account.run(rate, first);
        account.run(other, second);
        account.advance(rate, first, third);
        uint256 owed = uint256(rate) * (now_ - third) + uint256(other) * (now_ - second);
        assert(account.owed(now_) == before + owed);
        account.rest(rate, third);
        account.rest(other, second);
        assert(account.owed(now_) == before);
    }

    /// @notice What is free is what neither a lock nor a debt takes, and nothing where they take more.
    function proveFreeIsTheRest(uint96 balance, uint128 spent, uint96 locked, uint64 rate, uint40 since, uint40 now_)
        external
    {
        require(locked <= balance && since <= now_);
        account.funds = uint256(balance) | (uint256(spent) << 96);
        account.locked = locked;
        account.run(rate, since);
        uint256 kept = uint256(locked) + uint256(rate) * (now_ - since);
        assert(account.free(now_) == (balance > kept ? balance - kept : 0));
    }
}
