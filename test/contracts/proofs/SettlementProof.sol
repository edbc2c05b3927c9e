// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Settlement} from "contracts/escrow/Settlement.sol";
import {EscrowState} from "contracts/escrow/EscrowState.sol";
import {IComputeNode} from "contracts/interfaces/IComputeNode.sol";
import {IToken} from "contracts/interfaces/IToken.sol";
import {Accounts} from "contracts/libraries/Accounts.sol";
import {Earnings} from "contracts/libraries/Earnings.sol";
import {Leases} from "contracts/libraries/Leases.sol";
import {LeaseRef} from "contracts/libraries/Types.sol";

/// @notice A lease's settlement at any time, from any clock.
contract SettlementProof is Settlement {
    using Accounts for Accounts.Account;
    using Earnings for uint256;
    using Leases for *;

    struct Start {
        uint96 balance;
        uint96 otherLocks;
        uint128 remaining;
        uint64 rate;
        uint40 since;
        uint40 expiry;
        uint24 rested;
        uint8 clock;
        bool halted;
    }

    address private constant OWNER = address(0x5000);

    constructor() EscrowState(address(0), IToken(address(0)), IComputeNode(address(0)), Terms(0, 0, 0, 0, 0, 0, 0), 0) {}

    /// @notice The balance, the lock, the authorization and the node's earnings change by what is paid and nothing else;
    /// locks stay covered.
    function proveASettlementIsExact(Start calldata start) external {
        (Leases.Lease memory lease, uint256 left) = _prepare(start);
        bool closed = _settle(LeaseRef(1, 0, 1), lease, start.halted);
        Accounts.Account storage account = _accounts[OWNER];
        uint256 paid = account.spent();
        uint256 kept = closed ? 0 : _lockLeft(lease);
        assert(account.balance() + paid == start.balance);
        assert(account.locked == start.otherLocks + kept && account.locked <= account.balance());
        assert(_grants[1].remaining + kept + paid == start.remaining + left);
        assert(_grants[1].rateInUse == (closed ? 0 : start.rate));
        assert(closed == !lease.isOpen());
        Earnings.Lanes memory lanes = _earnings[1].asOf(block.timestamp / 86_400);
        assert(uint256(lanes.matured) + lanes.yesterday + lanes.today == paid);
    }

    /// @notice A running lease pays all that it owes, or everything that its account and authorization leave and its whole lock.
    function proveALeasePaysItsDebtOrItsLock(Start calldata start) external {
        require(start.clock == uint8(Clock.Running));
        (Leases.Lease memory lease, uint256 left) = _prepare(start);
        uint256 free = _accounts[OWNER].unlocked();
        if (start.remaining < free) free = start.remaining;
        uint256 until = block.timestamp < start.expiry ? block.timestamp : start.expiry;
        uint256 owed = until > start.since ? (until - start.since) * start.rate : 0;
        bool closed = _settle(LeaseRef(1, 0, 1), lease, start.halted);
        uint256 paid = _accounts[OWNER].spent();
        assert(paid == (owed <= free + left ? owed : free + left));
        assert(closed == (owed > free || block.timestamp > start.expiry));
    }

    /// @notice After settlements of a closed lease's account, no debt of it is left.
    function proveAClosedLeaseOwesNothing(Start calldata start) external {
        (Leases.Lease memory lease,) = _prepare(start);
        if (!_settle(LeaseRef(1, 0, 1), lease, start.halted)) return;
        assert(_accounts[OWNER].rate == 0 && _accounts[OWNER].rateTime == 0);
    }

    function _prepare(Start calldata start) private returns (Leases.Lease memory lease, uint256 left) {
        require(start.clock >= 1 && start.clock <= 7 && start.since <= block.timestamp);
        require(start.rate >= 10 && start.remaining < 2 ** 120 && block.timestamp < 65_536 * 86_400);
        lease = Leases.Lease({
            number: 1,
            nodeId: 1,
            authorizationId: 1,
            rate: start.rate,
            since: start.since,
            rested: start.rested,
            clock: Clock(start.clock)
        });
        uint256 spentOnRest = start.rate.restRate() * start.rested;
        require(spentOnRest < _lockOf(start.rate));
        left = _lockOf(start.rate) - spentOnRest;
        Accounts.Account storage account = _accounts[OWNER];
        require(left + start.otherLocks <= start.balance);
        (account.funds, account.locked) = (start.balance, left + start.otherLocks);
        if (lease.isCharged()) account.run(start.rate, start.since);
        Grant storage grant = _grants[1];
        (grant.owner, grant.remaining, grant.expiry) = (OWNER, start.remaining, start.expiry);
        (grant.maxRate, grant.rateInUse) = (start.rate, start.rate);
    }
}
