// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {LeaseRef} from "../libraries/Types.sol";
import {IDockerTypes} from "./IDockerTypes.sol";

/// @title Ending leases without their node's report
interface IReleases is IDockerTypes {
    /// @notice Ends leases of lost nodes (reason Lost) and of replicas that failed (reason Replaced). Keepers only, on evidence: the
    /// replica failed; its node is offline or in maintenance; a witness states that it is silent; or a reason of `releaseEnded`.
    /// Statements of one witness release a limited part of the live leases in ten minutes.
    /// Available: immediately. Exclusive: the first call marks the lease lost, and a call after grace and clock margin
    /// releases it; a report of the node in between clears the mark.
    /// @param leases The leases.
    /// @param specs The spec of each lease's workspace.
    /// @param statements Statements of witnesses, one for each silent node, at most 30 seconds old.
    function releaseLost(
        LeaseRef[] calldata leases,
        WorkspaceSpec[] calldata specs,
        SignedLoss[] calldata statements
    ) external;

    /// @notice Ends leases that anyone may end, settling them first: the workspace expired (reason Expired); the account, the
    /// authorization or the lock is spent (Unfunded); the replica does not run, startSeconds after it had to start (Late); or the
    /// node does not confirm the order to delete within restSeconds (Silent). An exclusive lease that is not expired is marked
    /// lost first and released after grace and clock margin, as by `releaseLost`.
    /// @param leases The leases.
    /// @param specs The spec of each lease's workspace.
    function releaseEnded(LeaseRef[] calldata leases, WorkspaceSpec[] calldata specs) external;

    /// @notice What limits the releases of lost leases.
    /// @return The terms.
    function lossTerms() external view returns (LossTerms memory);

    /// @notice Seconds added to an exclusive workspace's grace before its lease can be released.
    /// @return Seconds.
    function clockMarginSeconds() external view returns (uint40);
}
