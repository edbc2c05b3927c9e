// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IDockerTypes} from "../../../../contracts/interfaces/IDockerTypes.sol";
import {IEscrowTypes} from "../../../../contracts/interfaces/IEscrowTypes.sol";
import {Signing} from "./Signing.sol";
import {Vm} from "./Vm.sol";

/// @notice A book of each lease, from events alone: what it owed, what it paid, and what of that its lock paid.
abstract contract LeaseBooks is Signing {
    struct Book {
        uint64 rate;
        uint128 lock;
        IEscrowTypes.Clock clock;
        /// @dev Up to when what it owes is counted.
        uint40 since;
        /// @dev The time of an order to stop or delete that is in force; zero without one.
        uint40 orderedAt;
        uint256 owed;
        uint256 paid;
        uint256 fromLock;
        uint256 refunded;
        /// @dev Since when its node waits for its replica, and what of its lock was burned for that.
        uint40 waitedFrom;
        uint256 burned;
    }

    mapping(bytes32 lease => Book) internal books;
    /// @notice The first error; empty while there is none.
    string public overcommitFault;
    string public silenceFault;
    string public refundFault;
    string public waitFault;
    /// @notice What was burned of locks, in all.
    uint256 public waitsBurned;
    /// @notice Leases that closed without paying all they owed: their locks were spent.
    uint256 public spentLocks;

    /// @dev The workspace is the first indexed argument of every event of a lease; its replica and number are the first data.
    function _bookLease(Vm.Log memory log) internal {
        bytes32 name = log.topics[0];
        bool isMoney = name == IEscrowTypes.LeaseOpened.selector || name == IEscrowTypes.LeaseClockSet.selector
            || name == IEscrowTypes.Settled.selector || name == IEscrowTypes.LeaseClosed.selector
            || name == IEscrowTypes.Refunded.selector || name == IEscrowTypes.WaitCharged.selector;
        bool isOrder = name == IDockerTypes.StartRequested.selector || name == IDockerTypes.StopRequested.selector
            || name == IDockerTypes.DeleteRequested.selector;
        if (!isMoney && !isOrder) return;
        (uint16 replica, uint32 lease) = abi.decode(log.data, (uint16, uint32));
        Book storage book = books[bookKey(uint64(uint256(log.topics[1])), replica, lease)];
        if (name == IEscrowTypes.LeaseOpened.selector) {
            (,,, book.rate, book.lock) = abi.decode(log.data, (uint16, uint32, uint64, uint64, uint128));
            (book.clock, book.waitedFrom) = (IEscrowTypes.Clock.New, uint40(block.timestamp));
        } else if (name == IEscrowTypes.LeaseClockSet.selector) {
            (,, IEscrowTypes.Clock clock, uint40 since) =
                abi.decode(log.data, (uint16, uint32, IEscrowTypes.Clock, uint40));
            _count(book, since);
            (book.clock, book.since) = (clock, since);
            if (clock == IEscrowTypes.Clock.Waiting) book.waitedFrom = since;
        } else if (name == IEscrowTypes.Settled.selector) {
            _bookPaid(book, log.data);
        } else if (name == IEscrowTypes.WaitCharged.selector) {
            _bookWait(book, log.data);
        } else if (name == IEscrowTypes.LeaseClosed.selector) {
            _checkClosed(book);
        } else if (name == IEscrowTypes.Refunded.selector) {
            (,,,, uint128 amount) = abi.decode(log.data, (uint16, uint32, uint64, uint32, uint128));
            book.refunded += amount;
            if (book.refunded > book.paid) refundFault = "a lease got back more than it paid";
        } else if (name == IDockerTypes.StartRequested.selector) {
            book.orderedAt = 0;
        } else if (book.orderedAt == 0) {
            book.orderedAt = uint40(block.timestamp);
        }
    }

    function bookKey(uint64 workspaceId, uint16 replica, uint32 lease) internal pure returns (bytes32) {
        return keccak256(abi.encode(workspaceId, replica, lease));
    }

    function _bookPaid(Book storage book, bytes memory data) private {
        (,, uint128 amount, uint128 fromLock, uint40 until) =
            abi.decode(data, (uint16, uint32, uint128, uint128, uint40));
        _count(book, until);
        book.paid += amount;
        book.fromLock += fromLock;
        if (book.paid > book.owed) overcommitFault = "a lease paid more than it owed";
        if (book.fromLock + book.burned > book.lock) overcommitFault = "a lease paid more than its lock out of it";
    }

    /// @dev A tenth of the rate, rounded up, for the seconds of this wait, of a lease whose replica does not run.
    function _bookWait(Book storage book, bytes memory data) private {
        (,, uint128 amount, uint40 waited) = abi.decode(data, (uint16, uint32, uint128, uint40));
        bool isAwaited = book.clock == IEscrowTypes.Clock.New || book.clock == IEscrowTypes.Clock.Waiting;
        if (!isAwaited) waitFault = "a lease was charged for a wait while its replica ran or rested";
        if (waited > block.timestamp - book.waitedFrom) waitFault = "a second of a wait was charged twice";
        if (amount > uint256(waited) * ((uint256(book.rate) + 9) / 10)) waitFault = "a wait cost more than a rest";
        book.waitedFrom = uint40(block.timestamp);
        book.burned += amount;
        waitsBurned += amount;
        if (book.fromLock + book.burned > book.lock) waitFault = "more was burned than the lock had";
    }

    /// @dev What is owed up to `until`: the rate while it is charged, a tenth of it, rounded up, while it rests.
    function _count(Book storage book, uint40 until) private {
        if (until <= book.since) return;
        uint256 time = until - book.since;
        IEscrowTypes.Clock clock = book.clock;
        if (clock == IEscrowTypes.Clock.Resting) book.owed += time * ((uint256(book.rate) + 9) / 10);
        if (
            clock == IEscrowTypes.Clock.Running || clock == IEscrowTypes.Clock.Stopping
                || clock == IEscrowTypes.Clock.Ending
        ) {
            book.owed += time * book.rate;
            if (book.orderedAt != 0 && until > book.orderedAt + escrow.terms().restSeconds) {
                silenceFault = "the rate was due after an order took effect";
            }
        }
        book.since = until;
    }

    /// @dev A lease that does not pay all it owes has paid its whole lock.
    function _checkClosed(Book storage book) private {
        book.clock = IEscrowTypes.Clock.Closed;
        if (book.paid == book.owed) return;
        if (book.fromLock + book.burned != book.lock) overcommitFault = "a debt was not paid, and the lock not spent";
        ++spentLocks;
    }
}
