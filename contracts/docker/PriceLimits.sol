// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IEscrowTypes} from "../interfaces/IEscrowTypes.sol";
import {Assignments} from "../libraries/Assignments.sol";
import {Leases} from "../libraries/Leases.sol";
import {LeaseRef} from "../libraries/Types.sol";
import {DockerState} from "./DockerState.sol";

/// @title What limits the price of a lease's replacement
abstract contract PriceLimits is DockerState {
    using Assignments for Assignments.LostMark;

    /// @dev How long a replacement's price is limited. A lost lease's longer: the statement that takes it may be false, and a thief
    /// of both keys who could repeat it at a higher price each hour would reach any price within a day.
    uint256 private constant TAKEN_SECONDS = 1 hours;
    uint256 private constant LOST_SECONDS = 1 days;

    /// @dev Remembers that a lease was taken away, so that its replacement costs at most a tenth more. One that never ran is placed
    /// again as a new lease is: its owner's highest price limits both.
    /// @param version The version of the workspace that the lease was assigned under.
    function _markTaken(LeaseRef memory ref, uint8 version, bool isLost) internal {
        (,,, uint64 rate,,, IEscrowTypes.Clock clock) = _escrow.leaseOf(ref.workspaceId, ref.replica);
        if (clock == IEscrowTypes.Clock.New) return;
        (uint64 limit, uint40 until) = _lostMarks[Leases.keyOf(ref.workspaceId, ref.replica)].take(
            rate, version, isLost ? LOST_SECONDS : TAKEN_SECONDS
        );
        emit PriceLimited(ref.workspaceId, ref.replica, ref.lease, limit, until);
    }
}
