// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Accounts} from "../libraries/Accounts.sol";
import {DayBooks} from "../libraries/DayBooks.sol";
import {Earnings} from "../libraries/Earnings.sol";
import {Leases} from "../libraries/Leases.sol";
import {LeaseRef} from "../libraries/Types.sol";
import {EscrowState} from "./EscrowState.sol";

/// @title What leases cost, settled lazily, and how they are closed
abstract contract Settlement is EscrowState {
    using Accounts for Accounts.Account;
    using DayBooks for uint256;
    using Earnings for uint256;
    using Leases for *;

    /// @dev What one settlement of a lease pays.
    struct Charge {
        /// @dev Seconds at the rate since `from`, and then seconds of rest.
        uint256 running;
        uint256 resting;
        uint256 from;
        /// @dev The rate's part, paid from the free balance and then from the lock, and the part of rest, from the lock.
        uint256 fromFree;
        uint256 fromLock;
        uint256 rest;
        /// @dev What is left of the lock afterwards.
        uint256 left;
        bool closes;
        CloseReason reason;
    }

    function _leaseOf(LeaseRef memory ref) internal view returns (Leases.Lease memory) {
        return _leases[Leases.keyOf(ref.workspaceId, ref.replica)].unpack();
    }

    function _store(LeaseRef memory ref, Leases.Lease memory lease) internal {
        _leases[Leases.keyOf(ref.workspaceId, ref.replica)] = lease.pack();
    }

    /// @dev Settles a lease up to now and stores it. What its account cannot pay, it does not pay, and is closed.
    /// @param halted The replica no longer runs: see Leases.advance.
    /// @return closed Whether the lease is closed now.
    function _settle(LeaseRef memory ref, Leases.Lease memory lease, bool halted) internal returns (bool closed) {
        Grant storage grant = _grants[lease.authorizationId];
        Accounts.Account storage account = _accounts[grant.owner];
        (bool wasCharged, Clock clock, uint40 from) = (lease.isCharged(), lease.clock, lease.since);
        Charge memory charge;
        (charge.from, charge.left) = (from, _lockLeft(lease));
        (charge.running, charge.resting) =
            lease.advance(uint40(block.timestamp), grant.expiry, _restSeconds, halted);
        bool isBilled = clock != lease.clock || from != lease.since;
        if (isBilled) {
            if (wasCharged && !lease.isCharged()) account.rest(lease.rate, from);
            else if (wasCharged) account.advance(lease.rate, from, lease.since);
            _charge(charge, lease, grant, account);
            if (clock != lease.clock) _emitClock(ref, lease, uint40(from + charge.running));
            _pay(ref, charge, lease, grant, account);
        }
        if (block.timestamp > grant.expiry && !charge.closes) {
            if (lease.isAwaited()) {
                if (_chargeWait(ref, lease)) return true;
                charge.left = _lockLeft(lease);
            }
            (charge.closes, charge.reason) = (true, CloseReason.AuthorizationEnded);
        }
        if (charge.closes) _close(ref, lease, charge.reason, charge.left);
        else if (isBilled) _store(ref, lease);
        return charge.closes;
    }

    /// @dev Burns what the node's capacity cost while it waited for a replica that did not run: as much as rest, out of the lock. It is
    /// not the node's, which could otherwise earn by not starting replicas. For a lease that is settled up to now; stores nothing
    /// unless it closes it.
    /// @return closed Whether the lock is spent, which closes the lease.
    function _chargeWait(LeaseRef memory ref, Leases.Lease memory lease) internal returns (bool closed) {
        Grant storage grant = _grants[lease.authorizationId];
        uint256 until = _atMost(block.timestamp, grant.expiry);
        if (!lease.isAwaited() || until <= lease.since) return false;
        uint256 waited = until - lease.since;
        uint256 left = _lockLeft(lease);
        uint256 amount = _atMost(waited * lease.rate.restRate(), left);
        uint256 rested = lease.rested + waited;
        closed = amount == left || rested > type(uint24).max;
        (lease.since, lease.rested) = (uint40(until), uint24(_atMost(rested, type(uint24).max)));
        Accounts.Account storage account = _accounts[grant.owner];
        account.unlock(amount);
        account.take(amount);
        emit WaitCharged(
            ref.workspaceId, lease.nodeId, ref.replica, ref.lease, uint128(amount), uint40(waited)
        );
        if (closed) _close(ref, lease, CloseReason.LockSpent, left - amount);
        _token.burn(amount);
    }

    /// @dev The frequent case of `_settle`, on the packed lease: it runs, and its account and authorization pay the rate up to now.
    /// @return settled Whether it was settled; otherwise nothing has changed.
    function _settleRunning(LeaseRef calldata ref, uint256 key, uint256 packed) internal returns (bool settled) {
        uint256 from = packed.sinceOf();
        if (packed.clockOf() != Clock.Running || from == block.timestamp) return false;
        (uint64 rate, uint56 authorizationId) = (packed.rateOf(), packed.authorizationIdOf());
        Grant storage grant = _grants[authorizationId];
        if (block.timestamp > grant.expiry) return false;
        Accounts.Account storage account = _accounts[grant.owner];
        uint256 due = rate * (block.timestamp - from);
        uint128 remaining = grant.remaining;
        if (due > remaining || due > account.unlocked()) return false;
        uint40 time = uint40(block.timestamp);
        account.advance(rate, uint40(from), time);
        account.pay(due);
        // At most the remaining total.
        grant.remaining = remaining - uint128(due);
        _leases[key] = packed.settledAt(time);
        uint32 nodeId = packed.nodeIdOf();
        _earn(DayBooks.keyOf(key, ref.lease, nodeId, authorizationId), nodeId, due, rate, from);
        emit Settled(ref.workspaceId, nodeId, ref.replica, ref.lease, uint128(due), 0, time);
        return true;
    }

    /// @dev Adds what a lease paid for the seconds from `from` on to its book and to its node's earnings.
    function _earn(uint256 bookKey, uint32 nodeId, uint256 amount, uint256 rate, uint256 from) private {
        uint256 time = block.timestamp;
        _books[bookKey] = _books[bookKey].add(amount, rate, from, time, _daySeconds);
        _earnings[nodeId] = _earnings[nodeId].earn(amount, rate, from, time, _holdSeconds());
    }

    /// @dev For a lease that is settled up to now.
    /// @param left What is left of its lock.
    function _close(LeaseRef memory ref, Leases.Lease memory lease, CloseReason reason, uint256 left) internal {
        Grant storage grant = _grants[lease.authorizationId];
        Accounts.Account storage account = _accounts[grant.owner];
        if (lease.isCharged()) account.rest(lease.rate, lease.since);
        account.unlock(left);
        // It was taken from the total of 128 bits when the lease was opened.
        grant.remaining += uint128(left);
        grant.rateInUse -= lease.rate;
        lease.clock = Clock.Closed;
        _store(ref, lease);
        emit LeaseClosed(ref.workspaceId, lease.nodeId, ref.replica, ref.lease, reason);
    }

    function _emitClock(LeaseRef memory ref, Leases.Lease memory lease, uint40 since) internal {
        emit LeaseClockSet(ref.workspaceId, lease.nodeId, ref.replica, ref.lease, lease.clock, since);
    }

    /// @dev A rate has 64 bits and minSeconds 32.
    function _lockOf(uint64 rate) internal view returns (uint128) {
        uint128 lock = uint128(rate) * _minSeconds;
        return lock > _lockFloor ? lock : _lockFloor;
    }

    /// @dev For an open lease: rest or waiting that spends the lock closes it.
    function _lockLeft(Leases.Lease memory lease) internal view returns (uint256) {
        return _lockOf(lease.rate) - lease.rate.restRate() * lease.rested;
    }

    function _lanesOf(uint32 nodeId) internal view returns (Earnings.Lanes memory) {
        return _earnings[nodeId].asOf(block.timestamp / _holdSeconds());
    }

    /// @dev Decides what is paid. The rate is paid from what no lease has locked, and the last of it from the lease's own lock.
    function _charge(
        Charge memory charge,
        Leases.Lease memory lease,
        Grant storage grant,
        Accounts.Account storage account
    ) private view {
        uint256 rested = lease.rested + charge.resting;
        charge.rest = charge.resting * lease.rate.restRate();
        if (charge.resting != 0 && (charge.rest >= charge.left || rested > type(uint24).max)) {
            charge.rest = _atMost(charge.rest, charge.left);
            (charge.closes, charge.reason) = (true, CloseReason.LockSpent);
        }
        charge.left -= charge.rest;
        lease.rested = uint24(_atMost(rested, type(uint24).max));
        uint256 due = charge.running * lease.rate;
        uint256 free = account.unlocked();
        charge.fromFree = _atMost(due, _atMost(free, grant.remaining));
        if (charge.fromFree == due) return;
        charge.fromLock = _atMost(due - charge.fromFree, charge.left);
        charge.left -= charge.fromLock;
        (charge.closes, charge.reason) = (true, free < due ? CloseReason.Overdrawn : CloseReason.AuthorizationEnded);
    }

    function _pay(
        LeaseRef memory ref,
        Charge memory charge,
        Leases.Lease memory lease,
        Grant storage grant,
        Accounts.Account storage account
    ) private {
        uint256 ran = charge.fromFree + charge.fromLock;
        uint256 locked = charge.fromLock + charge.rest;
        account.pay(ran + charge.rest);
        if (locked != 0) account.unlock(locked);
        // At most the remaining total.
        grant.remaining -= uint128(charge.fromFree);
        uint256 key = DayBooks.keyOf(
            Leases.keyOf(ref.workspaceId, ref.replica), ref.lease, lease.nodeId, lease.authorizationId
        );
        if (ran != 0) _earn(key, lease.nodeId, ran, lease.rate, charge.from);
        if (charge.rest != 0) {
            _earn(key, lease.nodeId, charge.rest, lease.rate.restRate(), charge.from + charge.running);
        }
        uint40 until = uint40(charge.from + charge.running + charge.resting);
        // Amounts are parts of a balance, which has 96 bits.
        emit Settled(
            ref.workspaceId,
            lease.nodeId,
            ref.replica,
            ref.lease,
            uint128(ran + charge.rest),
            uint128(locked),
            until
        );
    }
}
