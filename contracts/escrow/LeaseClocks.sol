// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IEscrowLeases} from "../interfaces/IEscrowLeases.sol";
import {Accounts} from "../libraries/Accounts.sol";
import {Leases} from "../libraries/Leases.sol";
import {LeaseRef} from "../libraries/Types.sol";
import {Settlement} from "./Settlement.sol";

/// @title Leases: opened with a lock, run by their clock, ended
abstract contract LeaseClocks is IEscrowLeases, Settlement {
    using Accounts for Accounts.Account;
    using Leases for *;

    modifier onlyDocker() {
        if (msg.sender != _docker) revert CallerNotDockerContract(msg.sender);
        _;
    }

    /// @inheritdoc IEscrowLeases
    function setDocker(address docker) external restricted {
        if (_docker != address(0)) revert DockerIsSet(_docker);
        _docker = docker;
        emit DockerSet(docker);
    }

    /// @inheritdoc IEscrowLeases
    function open(uint64 authorizationId, LeaseRef calldata ref, uint32 nodeId, uint64 rate, bytes32 image)
        external
        onlyDocker
    {
        Grant storage grant = _grants[authorizationId];
        _checkValid(grant, authorizationId, image);
        uint128 lock = _lockOf(rate);
        _checkFunds(grant, authorizationId, rate, lock);
        Leases.Lease memory lease = _leaseOf(ref);
        if (lease.isOpen()) revert LeaseIsOpen(ref.workspaceId, ref.replica, lease.number);

        grant.rateInUse += rate;
        grant.remaining -= lock;
        _accounts[grant.owner].lock(lock);
        _store(
            ref,
            Leases.Lease({
                number: ref.lease,
                nodeId: nodeId,
                // The number of a known grant, which has 56 bits.
                authorizationId: uint56(authorizationId),
                rate: rate,
                since: uint40(block.timestamp),
                rested: 0,
                clock: Clock.New
            })
        );
        emit LeaseOpened(ref.workspaceId, nodeId, ref.replica, ref.lease, authorizationId, rate, lock);
    }

    /// @inheritdoc IEscrowLeases
    function setClock(LeaseRef calldata ref, bool running) external onlyDocker {
        Leases.Lease memory lease = _leaseOf(ref);
        if (lease.number != ref.lease || !lease.isOpen()) return;
        if (running) {
            if (lease.isAwaited()) _start(ref, lease);
            return;
        }
        // An order that has not taken effect yet takes effect here.
        if (!lease.isCharged() || _settle(ref, lease, true)) return;
        if (lease.clock != Clock.Running) return;
        _accounts[_grants[lease.authorizationId].owner].rest(lease.rate, lease.since);
        _set(ref, lease, Clock.Waiting, uint40(block.timestamp));
    }

    /// @inheritdoc IEscrowLeases
    function order(LeaseRef calldata ref, Order to, bool running, bool chargesWait) external onlyDocker {
        Leases.Lease memory lease = _leaseOf(ref);
        if (lease.number != ref.lease || !lease.isOpen() || _settle(ref, lease, false)) return;
        if (to == Order.Run) _orderRun(ref, lease, running);
        else if (to == Order.Stop) _orderStop(ref, lease, chargesWait);
        else _orderDelete(ref, lease, chargesWait);
    }

    /// @inheritdoc IEscrowLeases
    function review(LeaseRef calldata ref) external onlyDocker returns (Verdict verdict) {
        Leases.Lease memory lease = _leaseOf(ref);
        if (lease.number != ref.lease || !lease.isOpen() || _settle(ref, lease, false)) return Verdict.Unfunded;
        if (lease.isAwaited() && block.timestamp > uint256(lease.since) + _startSeconds) return Verdict.Late;
        if (lease.clock == Clock.Ended && block.timestamp >= uint256(lease.since) + _restSeconds) return Verdict.Silent;
    }

    /// @inheritdoc IEscrowLeases
    function close(LeaseRef calldata ref, bool chargesWait) external onlyDocker {
        Leases.Lease memory lease = _leaseOf(ref);
        if (lease.number != ref.lease || !lease.isOpen() || _settle(ref, lease, true)) return;
        if (chargesWait && _chargeWait(ref, lease)) return;
        _close(ref, lease, CloseReason.Ended, _lockLeft(lease));
    }

    /// @inheritdoc IEscrowLeases
    function settle(LeaseRef[] calldata leases) external pausable {
        uint256 items = _checkLength(leases.length);
        for (uint256 i; i < items; ++i) {
            LeaseRef calldata ref = leases[i];
            uint256 key = Leases.keyOf(ref.workspaceId, ref.replica);
            uint256 packed = _leases[key];
            if (packed.numberOf() != ref.lease || ref.lease == 0) {
                _settleItem(i, abi.encodeWithSelector(LeaseUnknown.selector, ref.workspaceId, ref.replica, ref.lease));
            } else if (packed.clockOf() == Clock.Closed) {
                _settleItem(i, abi.encodeWithSelector(LeaseNotOpen.selector, ref.workspaceId, ref.replica, ref.lease));
            } else if (!_settleRunning(ref, key, packed)) {
                _settle(ref, packed.unpack(), false);
            }
        }
    }

    /// @inheritdoc IEscrowLeases
    function leaseOf(uint64 workspaceId, uint16 replica)
        external
        view
        returns (
            uint32 lease,
            uint64 authorizationId,
            uint32 nodeId,
            uint64 rate,
            uint40 since,
            uint24 rested,
            Clock clock
        )
    {
        Leases.Lease memory last = _leases[Leases.keyOf(workspaceId, replica)].unpack();
        (lease, authorizationId, nodeId, rate) = (last.number, last.authorizationId, last.nodeId, last.rate);
        (since, rested, clock) = (last.since, last.rested, last.clock);
    }

    /// @inheritdoc IEscrowLeases
    function isOpen(LeaseRef calldata ref) external view returns (bool) {
        Leases.Lease memory lease = _leaseOf(ref);
        return lease.isOpen() && lease.number == ref.lease;
    }

    /// @inheritdoc IEscrowLeases
    function lockOf(uint64 rate) external view returns (uint128) {
        return _lockOf(rate);
    }

    /// @inheritdoc IEscrowLeases
    function requireSpender(uint64 authorizationId, address owner, address caller, bytes32 image) external view {
        Grant storage grant = _grants[authorizationId];
        if (grant.owner == address(0)) revert AuthorizationUnknown(authorizationId);
        if (grant.owner != owner) revert AuthorizationOwnerMismatch(authorizationId, owner);
        if (caller == owner) return;
        if (caller != grant.delegate) revert CallerNotSpender(caller, authorizationId);
        _checkValid(grant, authorizationId, image);
    }

    /// @inheritdoc IEscrowLeases
    function maySpend(uint64 authorizationId, address caller) external view returns (bool) {
        Grant storage grant = _grants[authorizationId];
        if (caller == grant.owner) return true;
        return caller == grant.delegate && !grant.revoked && block.timestamp <= grant.expiry;
    }

    function _orderRun(LeaseRef memory ref, Leases.Lease memory lease, bool running) private {
        if (lease.clock == Clock.Stopping) _set(ref, lease, Clock.Running, lease.since);
        else if (lease.clock != Clock.Resting) return;
        else if (running) _start(ref, lease);
        else _set(ref, lease, Clock.Waiting, uint40(block.timestamp));
    }

    /// @dev Before it first ran, a lease stays New whatever is ordered, until its deadline.
    function _orderStop(LeaseRef memory ref, Leases.Lease memory lease, bool chargesWait) private {
        if (lease.clock == Clock.Running) return _set(ref, lease, Clock.Stopping, lease.since);
        if (lease.clock != Clock.Waiting || (chargesWait && _chargeWait(ref, lease))) return;
        _set(ref, lease, Clock.Resting, uint40(block.timestamp));
    }

    function _orderDelete(LeaseRef memory ref, Leases.Lease memory lease, bool chargesWait) private {
        if (lease.isCharged()) return _set(ref, lease, Clock.Ending, lease.since);
        if (chargesWait && _chargeWait(ref, lease)) return;
        _set(ref, lease, Clock.Ended, uint40(block.timestamp));
    }

    function _start(LeaseRef memory ref, Leases.Lease memory lease) private {
        uint40 time = uint40(block.timestamp);
        _accounts[_grants[lease.authorizationId].owner].run(lease.rate, time);
        _set(ref, lease, Clock.Running, time);
    }

    function _set(LeaseRef memory ref, Leases.Lease memory lease, Clock clock, uint40 since) private {
        (lease.clock, lease.since) = (clock, since);
        _store(ref, lease);
        _emitClock(ref, lease, since);
    }

    function _checkFunds(Grant storage grant, uint64 authorizationId, uint64 rate, uint128 lock) private view {
        if (rate < _rateFloor) revert LeaseRateTooLow(rate, _rateFloor);
        uint64 available = grant.maxRate - grant.rateInUse;
        if (rate > available) revert AuthorizationRateExceeded(authorizationId, rate, available);
        uint256 aDay = (uint256(grant.rateInUse) + rate) * 1 days;
        if (aDay > grant.daily) revert AuthorizationDayExceeded(authorizationId, aDay, grant.daily);
        if (lock > grant.remaining) revert AuthorizationSpent(authorizationId, lock, grant.remaining);
        uint128 free = _accounts[grant.owner].free(block.timestamp);
        if (lock > free) revert EscrowBalanceTooLow(grant.owner, lock, free);
    }
}
