// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IEscrowTypes} from "../interfaces/IEscrowTypes.sol";
import {IReleases} from "../interfaces/IReleases.sol";
import {AssignmentStates} from "../libraries/AssignmentStates.sol";
import {Assignments} from "../libraries/Assignments.sol";
import {Leases} from "../libraries/Leases.sol";
import {LeaseRef} from "../libraries/Types.sol";
import {Losses} from "./Losses.sol";

/// @title Ending leases without their node's report
abstract contract Releases is Losses {
    using Assignments for *;
    using AssignmentStates for AssignmentState;

    uint40 private immutable _clockMarginSeconds;

    constructor(uint40 clockMarginSeconds_) {
        _clockMarginSeconds = clockMarginSeconds_;
    }

    /// @inheritdoc IReleases
    function releaseLost(
        LeaseRef[] calldata leases,
        WorkspaceSpec[] calldata specs,
        SignedLoss[] calldata statements
    ) external pausable {
        if (!_keepers[msg.sender]) revert CallerNotKeeper(msg.sender);
        uint256 items = _checkLengths(leases.length, specs.length);
        Loss[] memory losses = _checkLosses(statements);
        for (uint256 i; i < items; ++i) {
            _settleItem(i, _releaseLost(leases[i], specs[i], losses));
        }
    }

    /// @inheritdoc IReleases
    function releaseEnded(LeaseRef[] calldata leases, WorkspaceSpec[] calldata specs) external pausable {
        uint256 items = _checkLengths(leases.length, specs.length);
        for (uint256 i; i < items; ++i) {
            _settleItem(i, _releaseEnded(leases[i], specs[i]));
        }
    }

    /// @inheritdoc IReleases
    function clockMarginSeconds() external view returns (uint40) {
        return _clockMarginSeconds;
    }

    /// @dev The evidence in order of its cost. Where none of it is on the chain, a statement is needed.
    function _releaseLost(LeaseRef calldata ref, WorkspaceSpec calldata spec, Loss[] memory losses)
        private
        returns (bytes memory refusal)
    {
        refusal = _checkRelease(ref, spec);
        if (refusal.length != 0) return refusal;
        Assignments.Assignment memory assignment = _assignmentOf(ref);
        if (assignment.state == AssignmentState.Failed) return _releaseByPolicy(ref, spec, ReleaseReason.Replaced);
        if (_isAway(assignment.nodeId)) return _releaseByPolicy(ref, spec, ReleaseReason.Lost);
        Loss memory loss = _lossOf(assignment.nodeId, losses);
        if (loss.witness != address(0) && loss.refusal.length == 0) {
            return _releaseStated(ref, spec, assignment, loss.witness);
        }
        IEscrowTypes.Verdict verdict = _escrow.review(ref);
        if (verdict != IEscrowTypes.Verdict.None) return _releaseByPolicy(ref, spec, _reasonOf(verdict));
        if (loss.refusal.length != 0) return loss.refusal;
        return _refuse(LossUnproven.selector, ref, assignment.nodeId);
    }

    /// @dev What does not serve and does not rest by its owner's order counts for nothing in the witness's limit: a keeper may
    /// order it deleted alone. The mark of an exclusive lease counts as its release does.
    function _releaseStated(
        LeaseRef calldata ref,
        WorkspaceSpec calldata spec,
        Assignments.Assignment memory assignment,
        address witness
    ) private returns (bytes memory refusal) {
        if (assignment.isKept()) refusal = _countLoss(witness);
        if (refusal.length != 0) return refusal;
        return _releaseByPolicy(ref, spec, ReleaseReason.Lost);
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
        if (verdict != IEscrowTypes.Verdict.None) return _releaseByPolicy(ref, spec, _reasonOf(verdict));
        return _refuse(NotReleasable.selector, ref, spec.expiresAt);
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
                Assignments.LostMark storage mark = _lostMarks[key];
                (mark.lease, mark.sequence, mark.lostAt) = (assignment.lease, assignment.sequence, time);
                emit LeaseLost(ref.workspaceId, assignment.nodeId, ref.replica, ref.lease, releasableAt);
                return refusal;
            }
            if (time < releasableAt) return _refuse(NotReleasable.selector, ref, releasableAt);
        }
        _release(ref, reason);
    }

    function _release(LeaseRef calldata ref, ReleaseReason reason) private {
        Assignments.Assignment memory assignment = _assignmentOf(ref);
        assignment.state = AssignmentState.Released;
        _setAssignment(ref, assignment);
        bool isTaken =
            reason == ReleaseReason.Lost || reason == ReleaseReason.Replaced || reason == ReleaseReason.Late;
        if (isTaken && assignment.desired != Desired.Delete) {
            _markTaken(ref, assignment.version, reason == ReleaseReason.Lost);
        }
        bool isPayers = reason == ReleaseReason.Expired || reason == ReleaseReason.Unfunded;
        bool chargesWait = reason != ReleaseReason.Lost && _isWaitCharged(assignment, isPayers);
        _free(ref, assignment, reason, chargesWait);
    }

    /// @dev For errors about a lease that end with a number.
    function _refuse(bytes4 selector, LeaseRef calldata ref, uint256 value) private pure returns (bytes memory) {
        return abi.encodeWithSelector(selector, ref.workspaceId, ref.replica, ref.lease, value);
    }

    /// @dev Of a verdict other than None.
    function _reasonOf(IEscrowTypes.Verdict verdict) private pure returns (ReleaseReason) {
        if (verdict == IEscrowTypes.Verdict.Unfunded) return ReleaseReason.Unfunded;
        return verdict == IEscrowTypes.Verdict.Late ? ReleaseReason.Late : ReleaseReason.Silent;
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
