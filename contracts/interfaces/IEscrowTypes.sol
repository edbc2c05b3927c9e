// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IBatch} from "./IBatch.sol";
import {IPauses} from "./IPauses.sol";

/// @title What both parts of Escrow use: types, events and errors
interface IEscrowTypes is IBatch, IPauses {
    enum CloseReason {
        Ended,
        Overdrawn,
        AuthorizationEnded,
        LockSpent
    }

    /// @notice What a lease costs: see Leases.
    enum Clock {
        Closed,
        New,
        Running,
        Waiting,
        Stopping,
        Resting,
        Ending,
        Ended
    }

    /// @notice An order of the payer that changes what a lease costs.
    enum Order {
        Run,
        Stop,
        Delete
    }

    /// @notice Why anyone may end a lease.
    enum Verdict {
        None,
        /// @dev It is closed: the account, the authorization or the lock could not pay.
        Unfunded,
        /// @dev Its replica does not run, startSeconds after it had to start.
        Late,
        /// @dev Its node did not confirm the order to delete within restSeconds.
        Silent
    }

    /// @notice The terms of all leases, fixed at deployment. Amounts are token units (1e-18).
    struct Terms {
        /// @dev Seconds at the rate that opening a lease locks.
        uint32 minSeconds;
        /// @dev The least that opening a lease locks.
        uint96 lockFloor;
        /// @dev The lowest price of a second.
        uint64 rateFloor;
        /// @dev Seconds in which a node must start a replica.
        uint32 startSeconds;
        /// @dev Seconds after an order to stop or delete in which the rate is still due.
        uint32 restSeconds;
        /// @dev Days after a day in which its downtime is refunded, at most 2; earnings are held at least as long.
        uint8 refundDays;
        /// @dev The burned part of every payout, in hundredths of a percent.
        uint16 feeBasisPoints;
    }

    /// @notice Signed by `owner`: `delegate` may publish for the owner and spend up to `total`, at up to `maxRate` a second
    /// over all its open leases and at most `daily` a day, until `expiry`.
    struct Authorization {
        address owner;
        address delegate;
        uint64 maxRate;
        uint96 daily;
        uint128 total;
        /// @dev Zero: any image; otherwise the only image digest that may run.
        bytes32 scope;
        uint40 expiry;
        uint256 nonce;
    }

    event Deposited(address indexed account, address indexed from, uint128 amount);
    event Withdrawn(address indexed account, address indexed to, uint128 amount);
    event Authorized(
        uint64 indexed authorizationId,
        address indexed owner,
        address indexed delegate,
        uint64 maxRate,
        uint96 daily,
        uint128 total,
        bytes32 scope,
        uint40 expiry
    );

    /// @param expiry Its expiry from now on: the time of this block where its leases end too.
    event AuthorizationRevoked(uint64 indexed authorizationId, uint40 expiry);

    /// @notice An authorization with this nonce is never accepted.
    event AuthorizationCancelled(address indexed owner, uint256 nonce);

    /// @param lock What it set aside of the account's balance.
    event LeaseOpened(
        uint64 indexed workspaceId,
        uint32 indexed nodeId,
        uint16 replica,
        uint32 lease,
        uint64 authorizationId,
        uint64 rate,
        uint128 lock
    );

    /// @notice The lease has this clock from `since` on; the same call's Settled event has the earlier debt.
    event LeaseClockSet(
        uint64 indexed workspaceId, uint32 indexed nodeId, uint16 replica, uint32 lease, Clock clock, uint40 since
    );

    /// @param fromLock The part of `amount` that its lock paid.
    event Settled(
        uint64 indexed workspaceId,
        uint32 indexed nodeId,
        uint16 replica,
        uint32 lease,
        uint128 amount,
        uint128 fromLock,
        uint40 settledAt
    );

    /// @notice A lease's payer kept a node waiting for a replica that did not run: a tenth of the rate for each second was burned, out of
    /// the lease's lock.
    /// @param amount What was burned.
    /// @param waited The seconds.
    event WaitCharged(
        uint64 indexed workspaceId, uint32 indexed nodeId, uint16 replica, uint32 lease, uint128 amount, uint40 waited
    );
    event LeaseClosed(
        uint64 indexed workspaceId, uint32 indexed nodeId, uint16 replica, uint32 lease, CloseReason reason
    );

    /// @param amount The amount paid to `to`.
    /// @param fee The amount burned in addition.
    event Collected(uint32 indexed nodeId, address indexed to, uint128 amount, uint128 fee);

    /// @notice `owner` got back the price of `downSeconds` of a day, or the available part of it.
    event Refunded(
        uint64 indexed workspaceId,
        uint32 indexed nodeId,
        uint16 replica,
        uint32 lease,
        address indexed owner,
        uint64 day,
        uint32 downSeconds,
        uint128 amount
    );
    event DockerSet(address indexed docker);

    error EscrowAmountZero();
    error EscrowBalanceTooLow(address account, uint128 wanted, uint128 available);
    error AuthorizationUnknown(uint64 authorizationId);
    error AuthorizationExpired(uint64 authorizationId, uint40 expiry);
    error AuthorizationIsRevoked(uint64 authorizationId);
    error AuthorizationScopeMismatch(uint64 authorizationId, bytes32 scope, bytes32 image);
    error AuthorizationRateExceeded(uint64 authorizationId, uint64 wanted, uint64 available);
    /// @notice The open leases of the authorization would cost more than its daily limit.
    error AuthorizationDayExceeded(uint64 authorizationId, uint256 wanted, uint96 daily);
    error AuthorizationOwnerMismatch(uint64 authorizationId, address owner);
    error LeaseUnknown(uint64 workspaceId, uint16 replica, uint32 lease);
    error LeaseNotOpen(uint64 workspaceId, uint16 replica, uint32 lease);
    error LeaseIsOpen(uint64 workspaceId, uint16 replica, uint32 lease);
    error LeaseRateTooLow(uint64 rate, uint64 floor);
    error AuthorizationSpent(uint64 authorizationId, uint128 wanted, uint128 remaining);
    error CallerNotSpender(address caller, uint64 authorizationId);
    error CallerNotDockerContract(address caller);
    error DockerIsSet(address docker);
    error CallerNotOwner(address caller, address owner);
    error FeeInvalid(uint16 basisPoints, uint16 limit);
    error RefundDaysInvalid(uint8 refundDays, uint8 limit);
    error RefundWindowClosed(uint64 day, uint256 today, uint8 refundDays);
    error UptimeRootUnknown(uint64 day);
    error DowntimeProofInvalid(uint64 day, uint64 workspaceId, uint16 replica, uint32 lease);
    error DowntimeRefunded(uint64 day, uint64 workspaceId, uint16 replica, uint32 lease);
    error RefundUnfunded(uint32 nodeId, uint64 day);
}
