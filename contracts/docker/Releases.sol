// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IAssignments} from "../interfaces/IAssignments.sol";
import {IEscrowTypes} from "../interfaces/IEscrowTypes.sol";
import {Assignments} from "../libraries/Assignments.sol";
import {Leases} from "../libraries/Leases.sol";
import {LeaseRef} from "../libraries/Types.sol";
import {Tenancies} from "./Tenancies.sol";

/// @title Ending leases without their node's report
abstract contract Releases is Tenancies {
    using Assignments for *;

    uint40 private immutable _clockMarginSeconds;

    constructor(uint40 clockMarginSeconds_) {
        _clockMarginSeconds = clockMarginSeconds_;
    }

    /// @inheritdoc IAssignments
    function releaseLost(LeaseRef[] calldata leases, WorkspaceSpec[] calldata specs) external pausable {
        if (!_keepers[msg.sender]) revert CallerNotKeeper(msg.sender);
        uint256 items = _checkLengths(leases.length, specs.length);
        for (uint256 i; i < items; ++i) {
            _settleItem(i, _releaseLost(leases[i], specs[i]));
        }
    }

    /// @inheritdoc IAssignments
    function releaseEnded(LeaseRef[] calldata leases, WorkspaceSpec[] calldata specs) external pausable {
        uint256 items = _checkLengths(leases.length, specs.length);
        for (uint256 i; i < items; ++i) {
            _settleItem(i, _releaseEnded(leases[i], specs[i]));
        }
    }

    /// @inheritdoc IAssignments
    function clockMarginSeconds() external view returns (uint40) {
        return _clockMarginSeconds;
    }

    function _releaseLost(LeaseRef calldata ref, WorkspaceSpec calldata spec)
        private
        returns (bytes memory refusal)
    {
        refusal = _checkRelease(ref, spec);
        if (refusal.length != 0) return refusal;
        bool failed = _assignmentOf(ref).state == AssignmentState.Failed;
        return _releaseByPolicy(ref, spec, failed ? ReleaseReason.Replaced : ReleaseReason.Lost);
    }

    function _releaseEnded(LeaseRef calldata ref, WorkspaceSpec calldata spec)
        private
        returns (bytes memory refusal)
    {
        refusal = _checkRelease(ref, spec);
        if (refusal.length != 0) return refusal;
        if (_isExpired(spec)) {
            _release(ref, ReleaseReason.Expired);
            return refusal;
        }
        IEscrowTypes.Verdict verdict = _escrow.review(ref);
        if (verdict == IEscrowTypes.Verdict.Unfunded) return _releaseByPolicy(ref, spec, ReleaseReason.Unfunded);
        if (verdict == IEscrowTypes.Verdict.Late) return _releaseByPolicy(ref, spec, ReleaseReason.Late);
        if (verdict == IEscrowTypes.Verdict.Silent) return _releaseByPolicy(ref, spec, ReleaseReason.Silent);
        return abi.encodeWithSelector(
            NotReleasable.selector, ref.workspaceId, ref.replica, ref.lease, spec.expiresAt
        );
    }

    /// @dev An expired workspace is not assigned again, so an exclusive lease must wait only here.
    function _releaseByPolicy(LeaseRef calldata ref, WorkspaceSpec calldata spec, ReleaseReason reason)
        private
        returns (bytes memory refusal)
    {
        if (spec.policy == Policy.Exclusive) {
            uint256 key = Leases.keyOf(ref.workspaceId, ref.replica);
            Assignments.Assignment memory assignment = _assignments[key].unpack();
            uint40 time = uint40(block.timestamp);
            uint40 lostAt = assignment.lostAtOf(_lostMarks[key]);
            uint40 releasableAt = (lostAt == 0 ? time : lostAt) + spec.graceSeconds + _clockMarginSeconds;
            if (lostAt == 0) {
                _lostMarks[key] = Assignments.LostMark(assignment.lease, assignment.sequence, time);
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
        Assignments.Assignment memory assignment = _assignmentOf(ref);
        assignment.state = AssignmentState.Released;
        _setAssignment(ref, assignment);
        _free(ref, assignment, reason);
    }

    function _checkRelease(LeaseRef calldata ref, WorkspaceSpec calldata spec)
        private
        view
        returns (bytes memory refusal)
    {
        refusal = _checkLive(ref, _assignmentOf(ref));
        if (refusal.length != 0) return refusal;
        return _checkSpec(ref.workspaceId, _workspaces[ref.workspaceId], spec);
    }
}
