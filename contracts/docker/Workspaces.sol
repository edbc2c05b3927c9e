// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IWorkspaces} from "../interfaces/IWorkspaces.sol";
import {Assignments} from "../libraries/Assignments.sol";
import {Leases} from "../libraries/Leases.sol";
import {ResourceMath} from "../libraries/ResourceMath.sol";
import {Resources} from "../libraries/Types.sol";
import {DockerState} from "./DockerState.sol";

/// @title Images and workspaces that partners publish
abstract contract Workspaces is IWorkspaces, DockerState {
    using Assignments for *;
    using ResourceMath for Resources;

    /// @dev An exclusive lease without funds holds its node's capacity for the grace.
    uint24 private constant MAX_GRACE_SECONDS = 1 days;

    /// @inheritdoc IWorkspaces
    function registerImage(bytes32 digest, uint64 sizeBytes, bytes32 chunkRoot, string calldata ref) external pausable {
        if (digest == 0 || sizeBytes == 0) revert ImageInvalid();
        if (_images[digest] != address(0)) revert ImageTaken(digest, _images[digest]);
        _images[digest] = msg.sender;
        emit ImageRegistered(digest, msg.sender, sizeBytes, chunkRoot, ref);
    }

    /// @inheritdoc IWorkspaces
    function publish(
        address owner,
        uint64 authorizationId,
        uint16 replicas,
        WorkspaceSpec calldata spec,
        string calldata config
    ) external pausable returns (uint64 workspaceId) {
        _revertIf(_publish(owner, authorizationId, replicas, spec, config));
        return _workspaceCount;
    }

    /// @inheritdoc IWorkspaces
    function publishBatch(Publication[] calldata publications) external pausable {
        uint256 items = _checkLength(publications.length);
        for (uint256 i; i < items; ++i) {
            Publication calldata item = publications[i];
            _settleItem(
                i, _publish(item.owner, item.authorizationId, item.replicas, item.spec, item.config)
            );
        }
    }

    /// @inheritdoc IWorkspaces
    function updateWorkspace(
        uint64 workspaceId,
        WorkspaceSpec calldata current,
        WorkspaceSpec calldata next,
        string calldata config
    ) external pausable {
        Workspace storage workspace = _openWorkspaceOfCaller(workspaceId);
        _revertIf(_checkSpec(workspaceId, workspace, current));
        _revertIf(_checkNew(next, config));
        bool areSame = current.policy == next.policy && current.graceSeconds == next.graceSeconds
            && current.expiresAt == next.expiresAt && current.resources.pack() == next.resources.pack();
        if (!areSame) revert WorkspaceTermsFixed(workspaceId);
        workspace.specHash = _hashOf(next);
        // A lease of 256 updates ago counts as current: a keeper then leaves it.
        unchecked {
            workspace.version += 1;
        }
        emit WorkspaceUpdated(workspaceId, next.image, next, config);
    }

    /// @inheritdoc IWorkspaces
    function setReplicas(uint64 workspaceId, uint16 replicas) external pausable {
        _openWorkspaceOfCaller(workspaceId).replicas = replicas;
        emit ReplicasSet(workspaceId, replicas);
    }

    /// @inheritdoc IWorkspaces
    function closeWorkspace(uint64 workspaceId) external {
        _openWorkspaceOfCaller(workspaceId).state = WorkspaceState.Closed;
        emit WorkspaceClosed(workspaceId);
    }

    /// @inheritdoc IWorkspaces
    function closeExpired(uint64 workspaceId, WorkspaceSpec calldata spec) external {
        Workspace storage workspace = _workspaces[workspaceId];
        _revertIf(_checkSpec(workspaceId, workspace, spec));
        if (workspace.state == WorkspaceState.Closed) revert WorkspaceNotOpen(workspaceId);
        if (!_isExpired(spec)) revert WorkspaceNotExpired(workspaceId, spec.expiresAt);
        workspace.state = WorkspaceState.Closed;
        emit WorkspaceClosed(workspaceId);
    }

    /// @inheritdoc IWorkspaces
    function imageOwnerOf(bytes32 digest) external view returns (address) {
        return _images[digest];
    }

    /// @inheritdoc IWorkspaces
    function workspaceCount() external view returns (uint64) {
        return _workspaceCount;
    }

    /// @inheritdoc IWorkspaces
    function assignmentOf(uint64 workspaceId, uint16 replica) external view returns (Assignment memory) {
        uint256 key = Leases.keyOf(workspaceId, replica);
        Assignments.Assignment memory assignment = _assignments[key].unpack();
        return Assignment({
            nodeId: assignment.nodeId,
            lease: assignment.lease,
            fence: assignment.fence,
            state: assignment.state,
            desired: assignment.desired,
            sequence: assignment.sequence,
            lostAt: assignment.lostAtOf(_lostMarks[key])
        });
    }

    /// @inheritdoc IWorkspaces
    function workspaceOf(uint64 workspaceId)
        external
        view
        returns (uint64 authorizationId, uint16 replicas, WorkspaceState state, bytes21 specHash)
    {
        Workspace storage workspace = _workspaces[workspaceId];
        (authorizationId, replicas) = (workspace.authorizationId, workspace.replicas);
        (state, specHash) = (workspace.state, workspace.specHash);
    }

    function _publish(
        address owner,
        uint64 authorizationId,
        uint16 replicas,
        WorkspaceSpec calldata spec,
        string calldata config
    ) private returns (bytes memory refusal) {
        if (replicas == 0) return abi.encodeWithSelector(WorkspaceSpecInvalid.selector);
        refusal = _checkNew(spec, config);
        if (refusal.length != 0) return refusal;
        try _escrow.requireSpender(authorizationId, owner, msg.sender, spec.image) {}
        catch (bytes memory reason) {
            return reason;
        }
        uint64 workspaceId = ++_workspaceCount;
        _workspaces[workspaceId] = Workspace({
            specHash: _hashOf(spec),
            // The number of a known authorization, which has 56 bits.
            authorizationId: uint56(authorizationId),
            replicas: replicas,
            version: 0,
            state: WorkspaceState.Open
        });
        emit WorkspacePublished(workspaceId, owner, spec.image, authorizationId, replicas, spec, config);
    }

    function _checkNew(WorkspaceSpec calldata spec, string calldata config)
        private
        view
        returns (bytes memory refusal)
    {
        bool isInvalid = spec.image == 0 || spec.graceSeconds > MAX_GRACE_SECONDS || _isExpired(spec);
        if (isInvalid) return abi.encodeWithSelector(WorkspaceSpecInvalid.selector);
        refusal = _checkPolicy(spec);
        if (refusal.length != 0) return refusal;
        bytes32 configHash = keccak256(bytes(config));
        if (spec.configHash != configHash) {
            return abi.encodeWithSelector(WorkspaceConfigMismatch.selector, spec.configHash, configHash);
        }
    }

    function _revertIf(bytes memory refusal) private pure {
        if (refusal.length == 0) return;
        assembly ("memory-safe") {
            revert(add(refusal, 0x20), mload(refusal))
        }
    }
}
