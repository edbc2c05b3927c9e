// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IEscrow} from "../interfaces/IEscrow.sol";
import {Accounts} from "../libraries/Accounts.sol";
import {Earnings} from "../libraries/Earnings.sol";
import {Leases} from "../libraries/Leases.sol";
import {LeaseRef} from "../libraries/Types.sol";
import {Authorizations} from "./Authorizations.sol";

/// @title Leases: opened, run by the clock, settled lazily, closed
abstract contract Settlement is Authorizations {
    using Accounts for Accounts.Account;
    using Earnings for uint256;
    using Leases for Leases.Lease;

    /// @inheritdoc IEscrow
    function open(uint64 authorizationId, LeaseRef calldata ref, uint32 nodeId, uint64 rate, bytes32 image)
        external
        onlyDocker
    {
        Grant storage grant = _grants[authorizationId];
        _checkValid(grant, authorizationId, image);
        _checkFunds(grant, authorizationId, rate);
        Leases.Lease storage lease = _leases[Leases.keyOf(ref.workspaceId, ref.replica)];
        if (lease.isOpen) revert LeaseIsOpen(ref.workspaceId, ref.replica, lease.number);

        grant.rateInUse += rate;
        _leases[Leases.keyOf(ref.workspaceId, ref.replica)] = Leases.Lease({
            authorizationId: authorizationId,
            rate: rate,
            settledAt: uint40(block.timestamp),
            nodeId: nodeId,
            number: ref.lease,
            isOpen: true,
            isRunning: false
        });
        emit LeaseOpened(ref.workspaceId, nodeId, ref.replica, ref.lease, authorizationId, rate);
    }

    /// @inheritdoc IEscrow
    function setClock(LeaseRef calldata ref, bool running) external onlyDocker {
        Leases.Lease memory lease = _leases[Leases.keyOf(ref.workspaceId, ref.replica)];
        if (lease.number != ref.lease || !lease.isOpen || lease.isRunning == running) return;
        uint40 time = uint40(block.timestamp);
        if (running) {
            _accounts[_grants[lease.authorizationId].owner].run(lease.rate, time);
            lease.settledAt = time;
        } else {
            // The clock of a lease that this settlement closes is already stopped.
            if (_settle(ref, lease, time)) return;
            _accounts[_grants[lease.authorizationId].owner].rest(lease.rate, time);
        }
        lease.isRunning = running;
        _leases[Leases.keyOf(ref.workspaceId, ref.replica)] = lease;
        emit LeaseClockSet(ref.workspaceId, lease.nodeId, ref.replica, ref.lease, running, time);
    }

    /// @inheritdoc IEscrow
    function close(LeaseRef calldata ref) external onlyDocker {
        Leases.Lease memory lease = _leases[Leases.keyOf(ref.workspaceId, ref.replica)];
        if (lease.number != ref.lease || !lease.isOpen) return;
        if (!_settle(ref, lease, uint40(block.timestamp))) _close(ref, lease, CloseReason.Ended);
    }

    /// @inheritdoc IEscrow
    function settle(LeaseRef[] calldata leases) external pausable {
        uint256 items = _checkLength(leases.length);
        for (uint256 i; i < items; ++i) {
            LeaseRef calldata ref = leases[i];
            Leases.Lease memory lease = _leases[Leases.keyOf(ref.workspaceId, ref.replica)];
            if (lease.number != ref.lease || ref.lease == 0) {
                _settleItem(i, abi.encodeWithSelector(LeaseUnknown.selector, ref.workspaceId, ref.replica, ref.lease));
            } else if (!lease.isOpen) {
                _settleItem(i, abi.encodeWithSelector(LeaseNotOpen.selector, ref.workspaceId, ref.replica, ref.lease));
            } else {
                _settleOpen(ref, lease);
            }
        }
    }

    /// @inheritdoc IEscrow
    function leaseOf(uint64 workspaceId, uint16 replica)
        external
        view
        returns (
            uint32 lease,
            uint64 authorizationId,
            uint32 nodeId,
            uint64 rate,
            uint40 settledAt,
            bool opened,
            bool running
        )
    {
        Leases.Lease storage last = _leases[Leases.keyOf(workspaceId, replica)];
        (lease, authorizationId, nodeId, rate) = (last.number, last.authorizationId, last.nodeId, last.rate);
        (settledAt, opened, running) = (last.settledAt, last.isOpen, last.isRunning);
    }

    /// @inheritdoc IEscrow
    function isOpen(LeaseRef calldata ref) external view returns (bool) {
        Leases.Lease storage lease = _leases[Leases.keyOf(ref.workspaceId, ref.replica)];
        return lease.isOpen && lease.number == ref.lease;
    }

    /// @dev Settles an open lease up to now and stores it.
    function _settleOpen(LeaseRef calldata ref, Leases.Lease memory lease) internal {
        if (_settle(ref, lease, uint40(block.timestamp))) return;
        _leases[Leases.keyOf(ref.workspaceId, ref.replica)] = lease;
    }

    /// @dev Pays the amount due, or the available amount. Stores the lease only when that closes it; otherwise the caller does.
    /// @return closed Whether the lease was closed for lack of funds.
    function _settle(LeaseRef calldata ref, Leases.Lease memory lease, uint40 time) private returns (bool closed) {
        Grant storage grant = _grants[lease.authorizationId];
        Accounts.Account storage account = _accounts[grant.owner];
        uint128 amount = lease.due(time, grant.expiry);
        bool isOver = time > grant.expiry;
        bool isOverdrawn;
        if (amount > grant.remaining) (amount, isOver) = (grant.remaining, true);
        uint96 balance = account.balance();
        if (amount > balance) (amount, isOverdrawn) = (balance, true);

        if (lease.isRunning) {
            account.advance(lease.rate, lease.settledAt, time);
            account.pay(amount);
            grant.remaining -= amount;
            _earnings[lease.nodeId] =
                _earnings[lease.nodeId].earn(amount, lease.rate, lease.settledAt, time, _daySeconds);
            lease.settledAt = time;
            emit Settled(ref.workspaceId, lease.nodeId, ref.replica, ref.lease, amount, time);
        }
        if (!isOver && !isOverdrawn) return false;
        _close(ref, lease, isOverdrawn ? CloseReason.Overdrawn : CloseReason.AuthorizationEnded);
        return true;
    }

    /// @dev For a lease that is settled up to now.
    function _close(LeaseRef calldata ref, Leases.Lease memory lease, CloseReason reason) private {
        Grant storage grant = _grants[lease.authorizationId];
        if (lease.isRunning) _accounts[grant.owner].rest(lease.rate, lease.settledAt);
        grant.rateInUse -= lease.rate;
        (lease.isOpen, lease.isRunning) = (false, false);
        _leases[Leases.keyOf(ref.workspaceId, ref.replica)] = lease;
        emit LeaseClosed(ref.workspaceId, lease.nodeId, ref.replica, ref.lease, reason);
    }

    function _checkFunds(Grant storage grant, uint64 authorizationId, uint64 rate) private view {
        uint64 available = grant.maxRate - grant.rateInUse;
        if (rate > available) revert AuthorizationRateExceeded(authorizationId, rate, available);
        if (rate > grant.remaining) revert AuthorizationSpent(authorizationId, rate, grant.remaining);
        uint128 free = _accounts[grant.owner].free(block.timestamp);
        if (rate > free) revert EscrowBalanceTooLow(grant.owner, rate, free);
    }
}
