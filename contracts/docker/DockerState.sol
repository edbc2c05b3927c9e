// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Pauses} from "../Pauses.sol";
import {SignedBatch} from "../SignedBatch.sol";
import {IAssignments} from "../interfaces/IAssignments.sol";
import {IComputeNode} from "../interfaces/IComputeNode.sol";
import {IDockerTypes} from "../interfaces/IDockerTypes.sol";
import {IEscrow} from "../interfaces/IEscrow.sol";
import {IReleases} from "../interfaces/IReleases.sol";
import {IWorkspaces} from "../interfaces/IWorkspaces.sol";
import {AssignmentStates} from "../libraries/AssignmentStates.sol";
import {Assignments} from "../libraries/Assignments.sol";
import {Leases} from "../libraries/Leases.sol";
import {LeaseRef} from "../libraries/Types.sol";

/// @title Shared state and checks of the parts of DockerContract
/// @dev All state variables are declared here: the extension has the same layout (see Extended). ComputeNode and Escrow call nothing but the token and each other, so nothing re-enters.
abstract contract DockerState is IDockerTypes, SignedBatch, Pauses {
    using Assignments for *;
    using AssignmentStates for AssignmentState;

    // | state 8 | version 8 | replicas 16 | authorizationId 56 | specHash 168 |
    struct Workspace {
        /// @dev Only the owner could construct two specs with one hash, with 2^84 hashes, and would gain nothing.
        bytes21 specHash;
        /// @dev 56 bits, as in Escrow.
        uint56 authorizationId;
        uint16 replicas;
        /// @dev The number of its updates, modulo 2^8: see Assignments.
        uint8 version;
        WorkspaceState state;
    }

    // | - 176 | released 32 | windowAt 40 | allowed 8 |
    struct Witness {
        bool allowed;
        /// @dev When its current ten minutes began, and the leases that its statements released in them.
        uint40 windowAt;
        uint32 released;
    }

    // | - 160 | workspaceCount 64 | paused 32 |: see Pauses
    uint64 internal _workspaceCount;

    IComputeNode internal immutable _computeNode;
    IEscrow internal immutable _escrow;

    mapping(uint64 workspaceId => Workspace) internal _workspaces;
    mapping(uint256 replicaKey => uint256 packed) internal _assignments;
    mapping(uint256 replicaKey => Assignments.LostMark) internal _lostMarks;
    mapping(address account => bool) internal _keepers;
    mapping(bytes32 digest => address owner) internal _images;
    mapping(address account => Witness) internal _witnesses;

    constructor(address authority_, IComputeNode computeNode, IEscrow escrow, uint64 workspacesBefore)
        EIP712("ngpu DockerContract", "1")
        Pauses(authority_)
    {
        _computeNode = computeNode;
        _escrow = escrow;
        _workspaceCount = workspacesBefore;
    }

    /// @inheritdoc Pauses
    function _bitOf(bytes4 selector) internal pure override returns (uint256) {
        if (selector == IWorkspaces.registerImage.selector) return 0;
        if (selector == IWorkspaces.publish.selector) return 1;
        if (selector == IWorkspaces.publishBatch.selector) return 2;
        if (selector == IWorkspaces.setReplicas.selector) return 3;
        if (selector == IAssignments.assign.selector) return 4;
        if (selector == IAssignments.requestStart.selector) return 5;
        if (selector == IReleases.releaseLost.selector) return 6;
        if (selector == IWorkspaces.updateWorkspace.selector) return 7;
        if (selector == IAssignments.startWorkspace.selector) return 8;
        if (selector == IAssignments.requestStop.selector) return FIRST_EXIT;
        if (selector == IAssignments.requestDelete.selector) return FIRST_EXIT + 1;
        if (selector == IAssignments.reportBatch.selector) return FIRST_EXIT + 2;
        if (selector == IReleases.releaseEnded.selector) return FIRST_EXIT + 3;
        if (selector == IAssignments.stopWorkspace.selector) return FIRST_EXIT + 4;
        return NONE;
    }

    /// @dev Releases everything that an ended lease held.
    /// @param chargesWait See IEscrowLeases.close.
    function _free(
        LeaseRef memory ref,
        Assignments.Assignment memory assignment,
        ReleaseReason reason,
        bool chargesWait
    ) internal {
        _computeNode.release(assignment.nodeId, assignment.resources);
        _escrow.close(ref, chargesWait);
        emit Released(ref.workspaceId, assignment.nodeId, ref.replica, ref.lease, reason);
    }

    /// @dev Whether a payer pays for the time in which the node waited for the replica: not where the chain shows that the node failed,
    /// since it is away, or, where the payer did not end the wait, never reported anything of the lease.
    function _isWaitCharged(Assignments.Assignment memory assignment, bool isPayers) internal view returns (bool) {
        return (isPayers || assignment.sequence != 0) && !_isAway(assignment.nodeId);
    }

    /// @dev Whether the node itself left, or was marked offline by a committer.
    function _isAway(uint32 nodeId) internal view returns (bool) {
        return _computeNode.statusOf(nodeId) != IComputeNode.NodeStatus.Online;
    }

    function _assignmentOf(LeaseRef calldata ref) internal view returns (Assignments.Assignment memory) {
        return _assignments[Leases.keyOf(ref.workspaceId, ref.replica)].unpack();
    }

    function _setAssignment(LeaseRef calldata ref, Assignments.Assignment memory assignment) internal {
        _assignments[Leases.keyOf(ref.workspaceId, ref.replica)] = assignment.pack();
    }

    function _openWorkspaceOfCaller(uint64 workspaceId) internal view returns (Workspace storage workspace) {
        workspace = _workspaces[workspaceId];
        if (workspace.specHash == 0) revert WorkspaceUnknown(workspaceId);
        if (workspace.state == WorkspaceState.Closed) revert WorkspaceNotOpen(workspaceId);
        if (!_mayAct(workspace, false)) revert CallerNotAuthorized(msg.sender, workspaceId);
    }

    /// @dev Keepers act for all owners; others act for themselves or under the workspace's own authorization.
    function _mayAct(Workspace memory workspace, bool isKeeper_) internal view returns (bool) {
        return isKeeper_ || _escrow.maySpend(workspace.authorizationId, msg.sender);
    }

    function _checkLive(LeaseRef calldata ref, Assignments.Assignment memory assignment)
        internal
        pure
        returns (bytes memory refusal)
    {
        if (ref.lease != assignment.lease) {
            return abi.encodeWithSelector(
                LeaseStale.selector, ref.workspaceId, ref.replica, ref.lease, assignment.lease
            );
        }
        if (!assignment.state.isLive()) {
            return abi.encodeWithSelector(LeaseEnded.selector, ref.workspaceId, ref.replica, ref.lease);
        }
    }

    function _checkSpec(uint64 workspaceId, Workspace memory workspace, WorkspaceSpec calldata spec)
        internal
        pure
        returns (bytes memory refusal)
    {
        bytes21 expected = workspace.specHash;
        if (expected == 0) return abi.encodeWithSelector(WorkspaceUnknown.selector, workspaceId);
        refusal = _checkPolicy(spec);
        if (refusal.length != 0) return refusal;
        bytes21 actual = _hashOf(spec);
        if (actual != expected) {
            return abi.encodeWithSelector(WorkspaceSpecMismatch.selector, workspaceId, expected, actual);
        }
    }

    function _checkPolicy(WorkspaceSpec calldata spec) internal pure returns (bytes memory refusal) {
        uint256 raw;
        assembly ("memory-safe") {
            raw := calldataload(add(spec, 0x20))
        }
        return _checkEnum(raw, uint256(type(Policy).max));
    }

    function _isExpired(WorkspaceSpec calldata spec) internal view returns (bool) {
        return spec.expiresAt != 0 && block.timestamp > spec.expiresAt;
    }

    function _hashOf(WorkspaceSpec calldata spec) internal pure returns (bytes21) {
        return bytes21(keccak256(abi.encode(spec)));
    }
}
