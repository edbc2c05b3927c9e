// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IDockerContract} from "../interfaces/IDockerContract.sol";

/// @title The states of an assignment and its possible orders
/// @dev The states that the node may report. R: only while Run is ordered; D: only once Delete is ordered, since a node
/// cannot end its lease; y: always. The rest is illegal. A repeated state updates its detail (mapped ports), and clears
/// the mark of a lost lease as any report does.
///
/// | from \ to | Ready | Running | Stopped | Failed | Deleted |
/// |-----------|-------|---------|---------|--------|---------|
/// | Assigned  | y     | R       | y       | y      | D       |
/// | Ready     | y     | R       | y       | y      | D       |
/// | Running   |       | R       | y       | y      | D       |
/// | Stopped   | y     | R       | y       | y      | D       |
/// | Failed    | y     | R       | y       | y      | D       |
///
/// None becomes Assigned by `assign`; any of the five becomes Released by `releaseLost` and `releaseEnded`; from Deleted
/// and Released the replica becomes Assigned again, under the next lease number.
///
/// The possible orders.
///
/// | from \ to | Run | Stop | Delete |
/// |-----------|-----|------|--------|
/// | Hold      | y   |      | y      |
/// | Run       |     | y    | y      |
/// | Stop      | y   |      | y      |
/// | Delete    |     |      |        |
library AssignmentStates {
    /// @notice Whether the assignment holds capacity.
    function isLive(IDockerContract.AssignmentState state) internal pure returns (bool) {
        return state >= IDockerContract.AssignmentState.Assigned && state <= IDockerContract.AssignmentState.Failed;
    }

    function mayReport(
        IDockerContract.AssignmentState from,
        IDockerContract.AssignmentState to,
        IDockerContract.Desired desired
    ) internal pure returns (bool) {
        if (!isLive(from)) return false;
        if (to == IDockerContract.AssignmentState.Ready) {
            return from != IDockerContract.AssignmentState.Running;
        }
        if (to == IDockerContract.AssignmentState.Running) return desired == IDockerContract.Desired.Run;
        if (to == IDockerContract.AssignmentState.Deleted) return desired == IDockerContract.Desired.Delete;
        return to == IDockerContract.AssignmentState.Stopped || to == IDockerContract.AssignmentState.Failed;
    }

    function mayOrder(IDockerContract.Desired from, IDockerContract.Desired to) internal pure returns (bool) {
        if (from == IDockerContract.Desired.Delete) return false;
        if (to == IDockerContract.Desired.Delete) return true;
        if (to == IDockerContract.Desired.Run) return from != IDockerContract.Desired.Run;
        return to == IDockerContract.Desired.Stop && from == IDockerContract.Desired.Run;
    }
}
