// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IComputeNode} from "../../../../contracts/interfaces/IComputeNode.sol";
import {IDockerTypes} from "../../../../contracts/interfaces/IDockerTypes.sol";
import {IEscrowTypes} from "../../../../contracts/interfaces/IEscrowTypes.sol";
import {LeaseRef} from "../../../../contracts/libraries/Types.sol";
import {Watch} from "./Watch.sol";
import {vm} from "./Vm.sol";

/// @notice A thief with the keeper's key takes leases away, alone or with the witness.
abstract contract ThiefActs is Watch {
    uint256 private constant WINDOW_SECONDS = 10 minutes;

    /// @notice The first error; empty while there is none.
    string public thiefFault;
    /// @notice Leases that serve and were tried to be taken, and those that were taken with a statement.
    uint256 public attempts;
    uint256 public thefts;

    /// @dev Of the current ten minutes.
    uint256 private _windowAt;
    uint256 private _taken;

    function _deleteAsKeeper(LeaseRef memory ref) internal watched(Act.Order) {
        bool isHealthy = _isHealthy(ref);
        LeaseRef[] memory refs = new LeaseRef[](1);
        refs[0] = ref;
        docker.requestDelete(refs);
        if (!isHealthy) return;
        ++attempts;
        if (docker.assignmentOf(ref.workspaceId, ref.replica).desired == IDockerTypes.Desired.Delete) {
            thiefFault = "a keeper deleted a healthy lease";
        }
    }

    function _releaseAsKeeper(
        LeaseRef memory ref,
        IDockerTypes.WorkspaceSpec memory spec,
        IDockerTypes.SignedLoss[] memory losses,
        bool isWitnessed
    ) internal watched(Act.Release) {
        bool isHealthy = _isHealthy(ref);
        (LeaseRef[] memory refs, IDockerTypes.WorkspaceSpec[] memory specs) =
            (new LeaseRef[](1), new IDockerTypes.WorkspaceSpec[](1));
        (refs[0], specs[0]) = (ref, spec);
        docker.releaseLost(refs, specs, losses);
        if (!isHealthy) return;
        ++attempts;
        IDockerTypes.Assignment memory held = docker.assignmentOf(ref.workspaceId, ref.replica);
        if (held.state != IDockerTypes.AssignmentState.Released) return;
        if (!isWitnessed) thiefFault = "a keeper released a healthy lease without a witness";
        _countTheft();
    }

    /// @dev Six leases: a witness takes the floor, one, in ten minutes.
    function _countTheft() private {
        if (block.timestamp >= _windowAt + WINDOW_SECONDS) (_windowAt, _taken) = (block.timestamp, 0);
        (, uint40 windowAt, uint32 released) = docker.witnessOf(vm.addr(WITNESS_KEY));
        if (++_taken > 1 || released > 1 || block.timestamp >= windowAt + WINDOW_SECONDS) {
            thiefFault = "statements released more leases than a witness may";
        }
        ++thefts;
    }

    /// @dev It runs as ordered, on a node that is online, and is paid for up to now.
    function _isHealthy(LeaseRef memory ref) private returns (bool) {
        IDockerTypes.Assignment memory held = docker.assignmentOf(ref.workspaceId, ref.replica);
        if (held.lease != ref.lease || held.state != IDockerTypes.AssignmentState.Running) return false;
        if (held.desired != IDockerTypes.Desired.Run) return false;
        if (computeNode.statusOf(held.nodeId) != IComputeNode.NodeStatus.Online) return false;
        LeaseRef[] memory refs = new LeaseRef[](1);
        refs[0] = ref;
        escrow.settle(refs);
        (,,,,,, IEscrowTypes.Clock clock) = escrow.leaseOf(ref.workspaceId, ref.replica);
        return clock == IEscrowTypes.Clock.Running;
    }
}
