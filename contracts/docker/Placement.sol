// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IComputeNode} from "../interfaces/IComputeNode.sol";
import {IEscrowTypes} from "../interfaces/IEscrowTypes.sol";
import {IAssignments} from "../interfaces/IAssignments.sol";
import {AssignmentStates} from "../libraries/AssignmentStates.sol";
import {Assignments} from "../libraries/Assignments.sol";
import {Leases} from "../libraries/Leases.sol";
import {ResourceMath} from "../libraries/ResourceMath.sol";
import {LeaseRef, Resources} from "../libraries/Types.sol";
import {PriceLimits} from "./PriceLimits.sol";
import {Tenancies} from "./Tenancies.sol";

/// @title Assigning replicas to nodes, and their orders
abstract contract Placement is Tenancies, PriceLimits {
    using Assignments for *;
    using AssignmentStates for *;
    using ResourceMath for Resources;

    /// @inheritdoc IAssignments
    function assign(Assign[] calldata items) external pausable {
        uint256 count = _checkLength(items.length);
        bool isKeeper_ = _keepers[msg.sender];
        for (uint256 i; i < count; ++i) {
            _settleItem(i, _assign(items[i], isKeeper_));
        }
    }

    /// @inheritdoc IAssignments
    function stopWorkspace(uint64 workspaceId, LeaseRef[] calldata leases) external pausable {
        _setState(workspaceId, WorkspaceState.Stopped);
        _orderAll(leases, Desired.Stop);
    }

    /// @inheritdoc IAssignments
    function startWorkspace(uint64 workspaceId, LeaseRef[] calldata leases) external pausable {
        _setState(workspaceId, WorkspaceState.Open);
        _orderAll(leases, Desired.Run);
    }

    /// @inheritdoc IAssignments
    function requestStart(LeaseRef[] calldata leases) external pausable {
        _orderAll(leases, Desired.Run);
    }

    /// @inheritdoc IAssignments
    function requestStop(LeaseRef[] calldata leases) external pausable {
        _orderAll(leases, Desired.Stop);
    }

    /// @inheritdoc IAssignments
    function requestDelete(LeaseRef[] calldata leases) external pausable {
        _orderAll(leases, Desired.Delete);
    }

    /// @dev All checks precede the reservation.
    function _assign(Assign calldata item, bool isKeeper_) private returns (bytes memory refusal) {
        Workspace memory workspace = _workspaces[item.workspaceId];
        refusal = _checkWorkspace(item, workspace, isKeeper_);
        if (refusal.length != 0) return refusal;
        uint256 key = Leases.keyOf(item.workspaceId, item.replica);
        Assignments.Assignment memory assignment = _assignments[key].unpack();
        if (assignment.state.isLive()) {
            return abi.encodeWithSelector(
                ReplicaAssigned.selector, item.workspaceId, item.replica, assignment.nodeId, assignment.lease
            );
        }
        // Read only where the replica had a lease.
        bool isReplacing = isKeeper_ && assignment.lease != 0;
        uint64 limit = isReplacing ? _priceLimit(key, workspace.version) : type(uint64).max;
        assignment.nodeId = item.nodeId;
        assignment.lease += 1;
        assignment.fence = _fenceOf(item, workspace.specHash, assignment.lease);
        assignment.resources = item.spec.resources.pack();
        assignment.sequence = 0;
        assignment.version = workspace.version;
        assignment.state = AssignmentState.Assigned;
        assignment.desired = item.start ? Desired.Run : Desired.Hold;
        return _take(item, workspace.authorizationId, assignment, limit);
    }

    /// @dev Releases the reserved capacity when the escrow refuses.
    function _take(
        Assign calldata item,
        uint64 authorizationId,
        Assignments.Assignment memory assignment,
        uint64 limit
    ) private returns (bytes memory refusal) {
        uint64 price;
        try _computeNode.reserve(item.nodeId, _demandOf(item, assignment.resources, limit)) returns (
            uint64 price_
        ) {
            price = price_;
        } catch (bytes memory reason) {
            return reason;
        }
        LeaseRef memory ref = LeaseRef(item.workspaceId, item.replica, assignment.lease);
        try _escrow.open(authorizationId, ref, item.nodeId, price, item.spec.image) {}
        catch (bytes memory reason) {
            _computeNode.release(item.nodeId, assignment.resources);
            return reason;
        }
        _assignments[Leases.keyOf(item.workspaceId, item.replica)] = assignment.pack();
        emit Assigned(
            item.workspaceId,
            item.nodeId,
            item.replica,
            assignment.lease,
            assignment.fence,
            price,
            item.start,
            item.decidedAt,
            item.position,
            item.excluded
        );
    }

    function _setState(uint64 workspaceId, WorkspaceState state) private {
        Workspace storage workspace = _openWorkspaceOfCaller(workspaceId);
        if (workspace.state == state) return;
        workspace.state = state;
        emit StoppedSet(workspaceId, state == WorkspaceState.Stopped);
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
        Workspace memory workspace = _workspaces[ref.workspaceId];
        if (!_mayAct(workspace, isKeeper_)) {
            return abi.encodeWithSelector(CallerNotAuthorized.selector, msg.sender, ref.workspaceId);
        }
        if (desired == Desired.Run && workspace.state == WorkspaceState.Stopped) {
            return abi.encodeWithSelector(WorkspaceIsStopped.selector, ref.workspaceId);
        }
        if (desired == Desired.Stop && workspace.state == WorkspaceState.Open) {
            return abi.encodeWithSelector(WorkspaceNotStopped.selector, ref.workspaceId);
        }
        Assignments.Assignment memory assignment = _assignmentOf(ref);
        refusal = _checkLive(ref, assignment);
        if (refusal.length != 0) return refusal;
        if (!assignment.desired.mayOrder(desired)) {
            return abi.encodeWithSelector(DesiredStateInvalid.selector, assignment.desired, desired);
        }
        bool isPayers = !isKeeper_ || _isUnwanted(ref, workspace, assignment);
        if (!isPayers && desired == Desired.Delete) {
            refusal = _checkKeeperDelete(ref, workspace, assignment);
            if (refusal.length != 0) return refusal;
        }

        assignment.desired = desired;
        _setAssignment(ref, assignment);
        bool isRunning = assignment.state == AssignmentState.Running;
        bool chargesWait = !isRunning && desired != Desired.Run && _isWaitCharged(assignment, isPayers);
        _escrow.order(ref, _orderOf(desired), isRunning, chargesWait);
        uint32 nodeId = assignment.nodeId;
        if (desired == Desired.Run) {
            emit StartRequested(ref.workspaceId, nodeId, ref.replica, ref.lease);
        } else if (desired == Desired.Stop) {
            emit StopRequested(ref.workspaceId, nodeId, ref.replica, ref.lease);
        } else {
            emit DeleteRequested(ref.workspaceId, nodeId, ref.replica, ref.lease);
        }
    }

    /// @dev Whether its owner no longer wants the lease: the workspace is closed, smaller, or another.
    function _isUnwanted(
        LeaseRef calldata ref,
        Workspace memory workspace,
        Assignments.Assignment memory assignment
    ) private pure returns (bool) {
        return workspace.state == WorkspaceState.Closed || ref.replica >= workspace.replicas
            || assignment.version != workspace.version;
    }

    /// @dev Whether a keeper may order a lease deleted that its owner wants. One that does not serve counts as taken away.
    function _checkKeeperDelete(
        LeaseRef calldata ref,
        Workspace memory workspace,
        Assignments.Assignment memory assignment
    ) private returns (bytes memory refusal) {
        if (!assignment.isKept() || _isAway(assignment.nodeId)) {
            _markTaken(ref, assignment.version, false);
            return refusal;
        }
        if (_escrow.review(ref) != IEscrowTypes.Verdict.None || _mayAct(workspace, false)) return refusal;
        return abi.encodeWithSelector(KeeperOrderUnfounded.selector, ref.workspaceId, ref.replica, ref.lease);
    }

    /// @dev The highest price of a replica's next lease that a keeper assigns. An update of the workspace since the last lease ends the
    /// limit: its owner knows what it costs and chose the terms again.
    function _priceLimit(uint256 replicaKey, uint8 version) private view returns (uint64) {
        Assignments.LostMark memory mark = _lostMarks[replicaKey];
        return mark.isLimited(version) ? mark.priceLimit : type(uint64).max;
    }

    function _checkWorkspace(Assign calldata item, Workspace memory workspace, bool isKeeper_)
        private
        view
        returns (bytes memory refusal)
    {
        refusal = _checkSpec(item.workspaceId, workspace, item.spec);
        if (refusal.length != 0) return refusal;
        if (!_mayAct(workspace, isKeeper_)) {
            return abi.encodeWithSelector(CallerNotAuthorized.selector, msg.sender, item.workspaceId);
        }
        if (workspace.state == WorkspaceState.Closed) {
            return abi.encodeWithSelector(WorkspaceNotOpen.selector, item.workspaceId);
        }
        if (workspace.state == WorkspaceState.Stopped) {
            return abi.encodeWithSelector(WorkspaceIsStopped.selector, item.workspaceId);
        }
        if (_isExpired(item.spec)) {
            return abi.encodeWithSelector(WorkspaceExpired.selector, item.workspaceId, item.spec.expiresAt);
        }
        if (item.replica >= workspace.replicas) {
            return abi.encodeWithSelector(
                ReplicaOutOfRange.selector, item.workspaceId, item.replica, workspace.replicas
            );
        }
    }

    /// @dev Hold is never ordered.
    function _orderOf(Desired desired) private pure returns (IEscrowTypes.Order) {
        if (desired == Desired.Run) return IEscrowTypes.Order.Run;
        return desired == Desired.Stop ? IEscrowTypes.Order.Stop : IEscrowTypes.Order.Delete;
    }

    /// @dev The lowest of the owner's highest price, the one that the node was chosen at, and the limit of a replacement.
    function _demandOf(Assign calldata item, uint88 resources, uint64 limit)
        private
        pure
        returns (IComputeNode.Demand memory)
    {
        WorkspaceSpec calldata spec = item.spec;
        if (spec.maxPricePerSecond < limit) limit = spec.maxPricePerSecond;
        if (item.pricePerSecond < limit) limit = item.pricePerSecond;
        return IComputeNode.Demand({
            resources: resources,
            gpuModel: spec.gpuModel,
            minVramMib: spec.minVramMib,
            minComputeCapability: spec.minComputeCapability,
            region: spec.region,
            maxPricePerSecond: limit
        });
    }

    function _fenceOf(Assign calldata item, bytes21 specHash, uint32 lease) private view returns (bytes8) {
        return bytes8(
            keccak256(
                abi.encode(
                    blockhash(block.number - 1),
                    specHash,
                    item.workspaceId,
                    item.replica,
                    lease,
                    item.nodeId
                )
            )
        );
    }
}
