// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {LeaseRef} from "../libraries/Types.sol";
import {IEscrowTypes} from "./IEscrowTypes.sol";

/// @title Leases and payouts: the part of Escrow that is called most
interface IEscrowLeases is IEscrowTypes {
    /// @notice Sets the contract that may open, run and close leases, once: no other ever acts on these deposits. Restricted.
    /// @param docker The DockerContract.
    function setDocker(address docker) external;

    /// @notice DockerContract only, as the next four. Reserves `rate` in the authorization and sets the lease's lock aside, from the
    /// account's free balance and from the authorization's remaining total. No node is paid until the replica runs.
    /// @param authorizationId The authorization that pays.
    /// @param ref The lease.
    /// @param nodeId The node that is paid.
    /// @param rate The price of a second.
    /// @param image The image, which the authorization's scope must allow.
    function open(uint64 authorizationId, LeaseRef calldata ref, uint32 nodeId, uint64 rate, bytes32 image) external;

    /// @notice The node reported that its replica runs, or no longer runs. Does nothing where the lease is closed.
    /// @param ref The lease.
    /// @param running Whether the replica runs.
    function setClock(LeaseRef calldata ref, bool running) external;

    /// @notice The payer ordered the lease to run, to stop or to be deleted. Settles first. Does nothing where the lease is closed.
    /// @param ref The lease.
    /// @param to The order.
    /// @param running Whether the replica runs, by the node's last report.
    /// @param chargesWait Whether an order to stop or delete charges the wait for a replica that does not run.
    function order(LeaseRef calldata ref, Order to, bool running, bool chargesWait) external;

    /// @notice Settles, and says why anyone may end the lease.
    /// @param ref The lease.
    /// @return verdict None while it must be kept.
    function review(LeaseRef calldata ref) external returns (Verdict verdict);

    /// @notice Settles and closes, and frees the rest of the lock. Does nothing where the lease is closed.
    /// @param ref The lease.
    /// @param chargesWait Whether the wait for a replica that does not run is charged.
    function close(LeaseRef calldata ref, bool chargesWait) external;

    /// @notice Settles leases up to now. Anyone.
    /// @param leases The leases; those that are not open are refused.
    function settle(LeaseRef[] calldata leases) external;

    /// @notice Pays each node's matured earnings, less the fee, to its bound wallet, or else to its own address. Earnings
    /// mature when their downtime can no longer be refunded. The fee is burned. Anyone.
    /// @param nodeIds The nodes.
    function collect(uint32[] calldata nodeIds) external;

    /// @notice The latest lease of a replica.
    /// @param workspaceId The workspace.
    /// @param replica The replica.
    /// @return lease Its number; zero where there was none.
    /// @return authorizationId The authorization that pays.
    /// @return nodeId The node that is paid.
    /// @return rate The price of a second.
    /// @return since See Leases.
    /// @return rested Seconds of rest and of waiting that the lock has paid for.
    /// @return clock What it costs now, as of its last settlement.
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
        );

    /// @notice Whether a lease is open: it can cost something, and holds its lock.
    /// @param ref The lease.
    /// @return Whether it is.
    function isOpen(LeaseRef calldata ref) external view returns (bool);

    /// @notice What opening a lease sets aside.
    /// @param rate The price of a second.
    /// @return The greater of rate × minSeconds and lockFloor.
    function lockOf(uint64 rate) external view returns (uint128);

    /// @notice The terms of all leases.
    /// @return The terms.
    function terms() external view returns (Terms memory);

    /// @notice A node's uncollected earnings, including held amounts and the fee.
    /// @param nodeId The node.
    /// @return The amount.
    function earnedBy(uint32 nodeId) external view returns (uint128);

    /// @notice What `collect` would do now.
    /// @param nodeId The node.
    /// @return amount The amount that it would pay.
    /// @return fee The amount that it would burn.
    function collectableBy(uint32 nodeId) external view returns (uint128 amount, uint128 fee);

    /// @notice Everything a node ever earned, less refunds.
    /// @param nodeId The node.
    /// @return The amount.
    function totalEarnedBy(uint32 nodeId) external view returns (uint256);

    /// @notice The burned part of every payout.
    /// @return In hundredths of a percent.
    function feeBasisPoints() external view returns (uint16);

    /// @notice Reverts unless `caller` is the owner, or the delegate of an authorization of the owner valid now for the image.
    /// @param authorizationId The authorization.
    /// @param owner The owner that it must have.
    /// @param caller The caller.
    /// @param image The image.
    function requireSpender(uint64 authorizationId, address owner, address caller, bytes32 image) external view;

    /// @notice Whether `caller` owns the authorization, or is its delegate while it is valid, whatever its scope.
    /// @param authorizationId The authorization.
    /// @param caller The caller.
    /// @return Whether it may.
    function maySpend(uint64 authorizationId, address caller) external view returns (bool);
}
