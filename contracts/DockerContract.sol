// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignedBatch} from "./SignedBatch.sol";
import {IComputeNode} from "./interfaces/IComputeNode.sol";
import {IDockerContract} from "./interfaces/IDockerContract.sol";
import {IEscrow} from "./interfaces/IEscrow.sol";
import {AssignmentStates} from "./libraries/AssignmentStates.sol";
import {Leases} from "./libraries/Leases.sol";
import {ResourceMath} from "./libraries/ResourceMath.sol";
import {LeaseRef, NodeSpec, Resources} from "./libraries/Types.sol";
import {WorkspaceFit} from "./libraries/WorkspaceFit.sol";

/// @notice See IDockerContract.
/// @dev ComputeNode and Escrow.open, setClock and close call nobody outside, so nothing re-enters.
contract DockerContract is IDockerContract, SignedBatch, AccessManaged {
    using AssignmentStates for *;
    using ResourceMath for *;
    using WorkspaceFit for WorkspaceSpec;

    // | isOpen 8 | resources 88 | owner 160 |
    // | authorizationId 64 | replicas 16 | specHash 176 |
    struct Workspace {
        address owner;
        uint88 resources;
        bool isOpen;
        /// @dev Two specs with one hash could only come from the owner, at 2^88 hashes, and would gain it nothing.
        bytes22 specHash;
        uint16 replicas;
        uint64 authorizationId;
    }

    bytes32 private constant REPORT_TYPEHASH = keccak256(
        "Report(uint64 workspaceId,uint16 replica,uint32 lease,bytes8 fence,uint8 state,bytes32 detail,"
        "uint32 sequence,uint64 deadline)"
    );

    IComputeNode private immutable _computeNode;
    IEscrow private immutable _escrow;
    uint40 private immutable _clockMarginSeconds;

    mapping(bytes32 digest => address owner) private _images;
    mapping(uint64 workspaceId => Workspace) private _workspaces;
    // Assignment: | - 40 | lostAt 40 | sequence 32 | desired 8 | state 8 | fence 64 | lease 32 | nodeId 32 |
    mapping(uint256 replicaKey => Assignment) private _assignments;
    mapping(address account => bool) private _keepers;
    uint64 private _workspaceCount;

    constructor(address authority_, IComputeNode computeNode, IEscrow escrow, uint40 clockMarginSeconds_)
        EIP712("ngpu DockerContract", "1")
        AccessManaged(authority_)
    {
        _computeNode = computeNode;
        _escrow = escrow;
        _clockMarginSeconds = clockMarginSeconds_;
    }

    /// @inheritdoc IDockerContract
    function setKeeper(address account, bool allowed) external restricted {
        _keepers[account] = allowed;
        emit KeeperSet(account, allowed);
    }

    /// @inheritdoc IDockerContract
    function registerImage(bytes32 digest, uint64 sizeBytes, bytes32 chunkRoot, string calldata ref) external {
        if (digest == 0 || sizeBytes == 0) revert ImageInvalid();
        if (_images[digest] != address(0)) revert ImageTaken(digest, _images[digest]);
        _images[digest] = msg.sender;
        emit ImageRegistered(digest, msg.sender, sizeBytes, chunkRoot, ref);
    }

    /// @inheritdoc IDockerContract
    function publish(
        address owner,
        uint64 authorizationId,
        uint16 replicas,
        WorkspaceSpec calldata spec,
        string calldata config
    ) external returns (uint64 workspaceId) {
        if (spec.image == 0 || replicas == 0 || _isExpired(spec)) revert WorkspaceSpecInvalid();
        bytes32 configHash = keccak256(bytes(config));
        if (spec.configHash != configHash) revert WorkspaceConfigMismatch(spec.configHash, configHash);
        _escrow.requireSpender(authorizationId, owner, msg.sender, spec.image);

        workspaceId = ++_workspaceCount;
        _workspaces[workspaceId] = Workspace({
            owner: owner,
            resources: spec.resources.pack(),
            isOpen: true,
            specHash: _hashOf(spec),
            replicas: replicas,
            authorizationId: authorizationId
        });
        emit WorkspacePublished(workspaceId, owner, spec.image, authorizationId, replicas, spec, config);
    }

    /// @inheritdoc IDockerContract
    function setReplicas(uint64 workspaceId, uint16 replicas) external {
        Workspace storage workspace = _openWorkspaceOfCaller(workspaceId);
        workspace.replicas = replicas;
        emit ReplicasSet(workspaceId, replicas);
    }

    /// @inheritdoc IDockerContract
    function closeWorkspace(uint64 workspaceId) external {
        _openWorkspaceOfCaller(workspaceId).isOpen = false;
        emit WorkspaceClosed(workspaceId);
    }

    /// @inheritdoc IDockerContract
    function closeExpired(uint64 workspaceId, WorkspaceSpec calldata spec) external {
        Workspace storage workspace = _workspaces[workspaceId];
        _revertIf(_checkSpec(workspaceId, workspace, spec));
        if (!workspace.isOpen) revert WorkspaceNotOpen(workspaceId);
        if (!_isExpired(spec)) revert WorkspaceNotExpired(workspaceId, spec.expiresAt);
        workspace.isOpen = false;
        emit WorkspaceClosed(workspaceId);
    }

    /// @inheritdoc IDockerContract
    function assign(Assign[] calldata items) external {
        uint256 count = _checkLength(items.length);
        bool isKeeper_ = _keepers[msg.sender];
        for (uint256 i; i < count; ++i) {
            _settleItem(i, _assign(items[i], isKeeper_));
        }
    }

    /// @inheritdoc IDockerContract
    function requestStart(LeaseRef[] calldata leases) external {
        _orderAll(leases, Desired.Run);
    }

    /// @inheritdoc IDockerContract
    function requestStop(LeaseRef[] calldata leases) external {
        _orderAll(leases, Desired.Stop);
    }

    /// @inheritdoc IDockerContract
    function requestDelete(LeaseRef[] calldata leases) external {
        _orderAll(leases, Desired.Delete);
    }

    /// @inheritdoc IDockerContract
    function reportBatch(Report[] calldata reports, bytes[] calldata signatures) external {
        uint256 items = _checkLengths(reports.length, signatures.length);
        for (uint256 i; i < items; ++i) {
            _settleItem(i, _report(reports[i], signatures[i]));
        }
    }

    /// @inheritdoc IDockerContract
    function releaseLost(LeaseRef[] calldata leases, WorkspaceSpec[] calldata specs) external {
        if (!_keepers[msg.sender]) revert CallerNotKeeper(msg.sender);
        uint256 items = _checkLengths(leases.length, specs.length);
        for (uint256 i; i < items; ++i) {
            _settleItem(i, _releaseLost(leases[i], specs[i]));
        }
    }

    /// @inheritdoc IDockerContract
    function releaseEnded(LeaseRef[] calldata leases, WorkspaceSpec[] calldata specs) external {
        uint256 items = _checkLengths(leases.length, specs.length);
        for (uint256 i; i < items; ++i) {
            _settleItem(i, _releaseEnded(leases[i], specs[i]));
        }
    }

    /// @inheritdoc IDockerContract
    function isKeeper(address account) external view returns (bool) {
        return _keepers[account];
    }

    /// @inheritdoc IDockerContract
    function imageOwnerOf(bytes32 digest) external view returns (address) {
        return _images[digest];
    }

    /// @inheritdoc IDockerContract
    function workspaceCount() external view returns (uint64) {
        return _workspaceCount;
    }

    /// @inheritdoc IDockerContract
    function workspaceOf(uint64 workspaceId)
        external
        view
        returns (address owner, uint64 authorizationId, uint16 replicas, bool open, bytes32 specHash)
    {
        Workspace storage workspace = _workspaces[workspaceId];
        (owner, open, specHash) = (workspace.owner, workspace.isOpen, workspace.specHash);
        (authorizationId, replicas) = (workspace.authorizationId, workspace.replicas);
    }

    /// @inheritdoc IDockerContract
    function assignmentOf(uint64 workspaceId, uint16 replica) external view returns (Assignment memory) {
        return _assignments[Leases.keyOf(workspaceId, replica)];
    }

    /// @inheritdoc IDockerContract
    function clockMarginSeconds() external view returns (uint40) {
        return _clockMarginSeconds;
    }

    /// @dev All is checked before anything is taken; what is taken when the escrow refuses is given back.
    function _assign(Assign calldata item, bool isKeeper_) private returns (bytes memory refusal) {
        Workspace storage workspace = _workspaces[item.workspaceId];
        Assignment storage assignment = _assignments[Leases.keyOf(item.workspaceId, item.replica)];
        uint32 lease = assignment.lease;
        refusal = _checkWorkspace(item, workspace, isKeeper_);
        if (refusal.length != 0) return refusal;
        if (assignment.state.isLive()) {
            return abi.encodeWithSelector(
                ReplicaAssigned.selector, item.workspaceId, item.replica, assignment.nodeId, lease
            );
        }
        refusal = _checkNode(item);
        if (refusal.length != 0) return refusal;

        uint64 price;
        try _computeNode.reserve(item.nodeId, item.spec.resources) returns (uint64 price_) {
            price = price_;
        } catch (bytes memory reason) {
            return reason;
        }
        LeaseRef memory ref = LeaseRef({workspaceId: item.workspaceId, replica: item.replica, lease: ++lease});
        try _escrow.open(workspace.authorizationId, ref, item.nodeId, price, item.spec.image) {}
        catch (bytes memory reason) {
            _computeNode.release(item.nodeId, item.spec.resources);
            return reason;
        }
        bytes8 fence = _fenceOf(item, lease);
        _assignments[Leases.keyOf(item.workspaceId, item.replica)] = Assignment({
            nodeId: item.nodeId,
            lease: lease,
            fence: fence,
            state: AssignmentState.Assigned,
            desired: item.start ? Desired.Run : Desired.Hold,
            sequence: 0,
            lostAt: 0
        });
        emit Assigned(item.workspaceId, item.nodeId, item.replica, lease, fence, price, item.start);
    }

    function _orderAll(LeaseRef[] calldata leases, Desired desired) private {
        uint256 items = _checkLength(leases.length);
        bool isKeeper_ = _keepers[msg.sender];
        for (uint256 i; i < items; ++i) {
            _settleItem(i, _order(leases[i], desired, isKeeper_));
        }
    }

    function _order(LeaseRef calldata ref, Desired desired, bool isKeeper_)
        private
        returns (bytes memory refusal)
    {
        Workspace storage workspace = _workspaces[ref.workspaceId];
        Assignment storage assignment = _assignments[Leases.keyOf(ref.workspaceId, ref.replica)];
        if (!_mayAct(workspace, isKeeper_)) {
            return abi.encodeWithSelector(CallerNotAuthorized.selector, msg.sender, ref.workspaceId);
        }
        refusal = _checkLive(ref, assignment);
        if (refusal.length != 0) return refusal;
        if (!assignment.desired.mayOrder(desired)) {
            return abi.encodeWithSelector(DesiredIllegal.selector, assignment.desired, desired);
        }

        assignment.desired = desired;
        uint32 nodeId = assignment.nodeId;
        if (desired == Desired.Run) {
            emit StartRequested(ref.workspaceId, nodeId, ref.replica, ref.lease);
        } else if (desired == Desired.Stop) {
            emit StopRequested(ref.workspaceId, nodeId, ref.replica, ref.lease);
        } else {
            emit DeleteRequested(ref.workspaceId, nodeId, ref.replica, ref.lease);
        }
    }

    function _report(Report calldata report, bytes calldata signature) private returns (bytes memory refusal) {
        Assignment storage assignment = _assignments[Leases.keyOf(report.workspaceId, report.replica)];
        Assignment memory current = assignment;
        refusal = _checkReport(report, current);
        if (refusal.length != 0) return refusal;
        refusal = _checkSigned(
            _computeNode.keyOf(current.nodeId),
            report.deadline,
            keccak256(abi.encode(REPORT_TYPEHASH, report)),
            signature
        );
        if (refusal.length != 0) return refusal;

        (assignment.state, assignment.sequence, assignment.lostAt) = (report.state, report.sequence, 0);
        emit StateChanged(
            report.workspaceId,
            current.nodeId,
            report.replica,
            report.lease,
            report.state,
            report.sequence,
            report.detail
        );
        LeaseRef memory ref = LeaseRef(report.workspaceId, report.replica, report.lease);
        if (report.state == AssignmentState.Running) {
            if (current.state != AssignmentState.Running) _escrow.setClock(ref, true);
        } else if (report.state == AssignmentState.Deleted) {
            _free(ref, current.nodeId, ReleaseReason.Deleted);
        } else if (current.state == AssignmentState.Running) {
            _escrow.setClock(ref, false);
        }
    }

    function _releaseLost(LeaseRef calldata ref, WorkspaceSpec calldata spec)
        private
        returns (bytes memory refusal)
    {
        Assignment storage assignment = _assignments[Leases.keyOf(ref.workspaceId, ref.replica)];
        refusal = _checkLive(ref, assignment);
        if (refusal.length != 0) return refusal;
        refusal = _checkSpec(ref.workspaceId, _workspaces[ref.workspaceId], spec);
        if (refusal.length != 0) return refusal;
        ReleaseReason reason =
            assignment.state == AssignmentState.Failed ? ReleaseReason.Replaced : ReleaseReason.Lost;
        return _releaseByPolicy(ref, spec, reason);
    }

    function _releaseEnded(LeaseRef calldata ref, WorkspaceSpec calldata spec)
        private
        returns (bytes memory refusal)
    {
        refusal = _checkLive(ref, _assignments[Leases.keyOf(ref.workspaceId, ref.replica)]);
        if (refusal.length != 0) return refusal;
        refusal = _checkSpec(ref.workspaceId, _workspaces[ref.workspaceId], spec);
        if (refusal.length != 0) return refusal;
        if (_isExpired(spec)) {
            _release(ref, ReleaseReason.Expired);
        } else if (!_escrow.isOpen(ref)) {
            return _releaseByPolicy(ref, spec, ReleaseReason.Unfunded);
        } else {
            return abi.encodeWithSelector(
                NotReleasable.selector, ref.workspaceId, ref.replica, ref.lease, spec.expiresAt
            );
        }
    }

    /// @dev An expired workspace is assigned to nobody else, so only here must an exclusive lease wait.
    function _releaseByPolicy(LeaseRef calldata ref, WorkspaceSpec calldata spec, ReleaseReason reason)
        private
        returns (bytes memory refusal)
    {
        if (spec.policy == Policy.Exclusive) {
            Assignment storage assignment = _assignments[Leases.keyOf(ref.workspaceId, ref.replica)];
            uint40 time = uint40(block.timestamp);
            uint40 lostAt = assignment.lostAt;
            uint40 releasableAt = (lostAt == 0 ? time : lostAt) + spec.graceSeconds + _clockMarginSeconds;
            if (lostAt == 0) {
                assignment.lostAt = time;
                emit LeaseLost(ref.workspaceId, assignment.nodeId, ref.replica, ref.lease, releasableAt);
                return refusal;
            }
            if (time < releasableAt) {
                return abi.encodeWithSelector(
                    NotReleasable.selector, ref.workspaceId, ref.replica, ref.lease, releasableAt
                );
            }
        }
        _release(ref, reason);
    }

    function _release(LeaseRef calldata ref, ReleaseReason reason) private {
        Assignment storage assignment = _assignments[Leases.keyOf(ref.workspaceId, ref.replica)];
        assignment.state = AssignmentState.Released;
        _free(ref, assignment.nodeId, reason);
    }

    function _free(LeaseRef memory ref, uint32 nodeId, ReleaseReason reason) private {
        _computeNode.release(nodeId, _workspaces[ref.workspaceId].resources.unpack());
        _escrow.close(ref);
        emit Released(ref.workspaceId, nodeId, ref.replica, ref.lease, reason);
    }

    function _openWorkspaceOfCaller(uint64 workspaceId) private view returns (Workspace storage workspace) {
        workspace = _workspaces[workspaceId];
        if (workspace.owner == address(0)) revert WorkspaceUnknown(workspaceId);
        if (!workspace.isOpen) revert WorkspaceNotOpen(workspaceId);
        if (!_mayAct(workspace, false)) revert CallerNotAuthorized(msg.sender, workspaceId);
    }

    function _checkWorkspace(Assign calldata item, Workspace storage workspace, bool isKeeper_)
        private
        view
        returns (bytes memory refusal)
    {
        refusal = _checkSpec(item.workspaceId, workspace, item.spec);
        if (refusal.length != 0) return refusal;
        if (!_mayAct(workspace, isKeeper_)) {
            return abi.encodeWithSelector(CallerNotAuthorized.selector, msg.sender, item.workspaceId);
        }
        if (!workspace.isOpen) return abi.encodeWithSelector(WorkspaceNotOpen.selector, item.workspaceId);
        if (_isExpired(item.spec)) {
            return abi.encodeWithSelector(WorkspaceExpired.selector, item.workspaceId, item.spec.expiresAt);
        }
        if (item.replica >= workspace.replicas) {
            return abi.encodeWithSelector(
                ReplicaOutOfRange.selector, item.workspaceId, item.replica, workspace.replicas
            );
        }
    }

    function _checkNode(Assign calldata item) private view returns (bytes memory refusal) {
        (NodeSpec memory node, uint64 price) = _computeNode.specOf(item.nodeId);
        bytes32 dimension = item.spec.misfit(node);
        if (dimension != 0) return abi.encodeWithSelector(NodeUnfit.selector, item.nodeId, dimension);
        if (price > item.spec.maxPricePerSecond) {
            return abi.encodeWithSelector(
                PriceAboveLimit.selector, item.nodeId, price, item.spec.maxPricePerSecond
            );
        }
    }

    function _checkReport(Report calldata report, Assignment memory current)
        private
        pure
        returns (bytes memory refusal)
    {
        uint256 raw;
        assembly ("memory-safe") {
            raw := calldataload(add(report, 0x80))
        }
        refusal = _checkEnum(raw, uint256(type(AssignmentState).max));
        if (refusal.length != 0) return refusal;
        if (report.lease != current.lease) {
            return abi.encodeWithSelector(
                LeaseStale.selector, report.workspaceId, report.replica, report.lease, current.lease
            );
        }
        if (report.fence != current.fence) {
            return abi.encodeWithSelector(FenceMismatch.selector, report.fence, current.fence);
        }
        if (report.sequence <= current.sequence) {
            return abi.encodeWithSelector(SequenceStale.selector, report.sequence, current.sequence);
        }
        if (!current.state.mayReport(report.state, current.desired)) {
            return abi.encodeWithSelector(TransitionIllegal.selector, current.state, report.state);
        }
    }

    function _checkLive(LeaseRef calldata ref, Assignment storage assignment)
        private
        view
        returns (bytes memory refusal)
    {
        if (ref.lease != assignment.lease) {
            return abi.encodeWithSelector(
                LeaseStale.selector, ref.workspaceId, ref.replica, ref.lease, assignment.lease
            );
        }
        if (!assignment.state.isLive()) {
            return abi.encodeWithSelector(LeaseOver.selector, ref.workspaceId, ref.replica, ref.lease);
        }
    }

    function _checkSpec(uint64 workspaceId, Workspace storage workspace, WorkspaceSpec calldata spec)
        private
        view
        returns (bytes memory refusal)
    {
        bytes22 expected = workspace.specHash;
        if (expected == 0) return abi.encodeWithSelector(WorkspaceUnknown.selector, workspaceId);
        bytes22 actual = _hashOf(spec);
        if (actual != expected) {
            return abi.encodeWithSelector(
                WorkspaceSpecMismatch.selector, workspaceId, bytes32(expected), bytes32(actual)
            );
        }
    }

    /// @dev Keepers act for all; others for themselves or under the workspace's own authorization.
    function _mayAct(Workspace storage workspace, bool isKeeper_) private view returns (bool) {
        address owner = workspace.owner;
        if (isKeeper_ || msg.sender == owner) return true;
        try _escrow.requireSpender(workspace.authorizationId, owner, msg.sender, 0) {
            return true;
        } catch {
            return false;
        }
    }

    function _isExpired(WorkspaceSpec calldata spec) private view returns (bool) {
        return spec.expiresAt != 0 && block.timestamp > spec.expiresAt;
    }

    function _fenceOf(Assign calldata item, uint32 lease) private view returns (bytes8) {
        return bytes8(
            keccak256(
                abi.encode(
                    blockhash(block.number - 1),
                    _hashOf(item.spec),
                    item.workspaceId,
                    item.replica,
                    lease,
                    item.nodeId
                )
            )
        );
    }

    function _hashOf(WorkspaceSpec calldata spec) private pure returns (bytes22) {
        return bytes22(keccak256(abi.encode(spec)));
    }

    function _revertIf(bytes memory refusal) private pure {
        if (refusal.length == 0) return;
        assembly ("memory-safe") {
            revert(add(refusal, 0x20), mload(refusal))
        }
    }
}
