// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IDockerTypes} from "../interfaces/IDockerTypes.sol";

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
    function isLive(IDockerTypes.AssignmentState state) internal pure returns (bool) {
        return state >= IDockerTypes.AssignmentState.Assigned && state <= IDockerTypes.AssignmentState.Failed;
    }

    function mayReport(
        IDockerTypes.AssignmentState from,
        IDockerTypes.AssignmentState to,
        IDockerTypes.Desired desired
    ) internal pure returns (bool) {
        if (!isLive(from)) return false;
        if (to == IDockerTypes.AssignmentState.Ready) {
            return from != IDockerTypes.AssignmentState.Running;
        }
        if (to == IDockerTypes.AssignmentState.Running) return desired == IDockerTypes.Desired.Run;
        if (to == IDockerTypes.AssignmentState.Deleted) return desired == IDockerTypes.Desired.Delete;
        return to == IDockerTypes.AssignmentState.Stopped || to == IDockerTypes.AssignmentState.Failed;
    }

    function mayOrder(IDockerTypes.Desired from, IDockerTypes.Desired to) internal pure returns (bool) {
        if (from == IDockerTypes.Desired.Delete) return false;
        if (to == IDockerTypes.Desired.Delete) return true;
        if (to == IDockerTypes.Desired.Run) return from != IDockerTypes.Desired.Run;
        return to == IDockerTypes.Desired.Stop && from == IDockerTypes.Desired.Run;
    }
}
