// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IComputeNode} from "../interfaces/IComputeNode.sol";
import {IAssignments} from "../interfaces/IAssignments.sol";
import {AssignmentStates} from "../libraries/AssignmentStates.sol";
import {Assignments} from "../libraries/Assignments.sol";
import {LeaseHeads} from "../libraries/LeaseHeads.sol";
import {NodeKeys} from "../libraries/NodeKeys.sol";
import {PackedReports} from "../libraries/PackedReports.sol";
import {LeaseRef} from "../libraries/Types.sol";
import {Tenancies} from "./Tenancies.sol";

/// @title Nodes' reports about their leases
/// @dev The most frequent call, so fields are read directly from their words, without a struct.
abstract contract Reports is Tenancies {
    using Assignments for uint256;
    using AssignmentStates for AssignmentState;
    using LeaseHeads for bytes32;
    using NodeKeys for IComputeNode;
    using PackedReports for bytes32;

    /// @inheritdoc IAssignments
    function reportBatch(SignedReport[] calldata reports) external pausable {
        uint256 items = _checkLength(reports.length);
        for (uint256 i; i < items; ++i) {
            _settleItem(i, _report(reports[i]));
        }
    }

    function _report(SignedReport calldata report) private returns (bytes memory refusal) {
        bytes32 head = report.head;
        refusal = _checkEnum(head.state(), uint256(type(AssignmentState).max));
        if (refusal.length != 0) return refusal;
        AssignmentState to = AssignmentState(head.state());
        uint256 current = _assignments[head.replicaKey()];
        AssignmentState from = current.stateOf();
        refusal = _checkReport(head, current, from, to);
        if (refusal.length != 0) return refusal;
        uint32 nodeId = current.nodeIdOf();
        refusal = _checkSigned(
            _computeNode.keyOf(nodeId), head.deadline(), head.hash(report.detail), report.r, report.vs
        );
        if (refusal.length != 0) return refusal;

        _assignments[head.replicaKey()] = current.withReport(to, head.sequence());
        emit StateChanged(
            head.workspaceId(), nodeId, head.replica(), head.lease(), to, head.sequence(), report.detail
        );
        // The clock runs while the state is Running; nothing else changes the escrow.
        bool isRunning = to == AssignmentState.Running;
        if (to == AssignmentState.Deleted) {
            // The order to delete has charged the wait.
            _free(_refOf(head), current.unpack(), ReleaseReason.Deleted, false);
        } else if (isRunning != (from == AssignmentState.Running)) {
            _escrow.setClock(_refOf(head), isRunning);
        }
    }

    function _checkReport(bytes32 head, uint256 current, AssignmentState from, AssignmentState to)
        private
        pure
        returns (bytes memory refusal)
    {
        if (head.lease() != current.leaseOf()) {
            return abi.encodeWithSelector(
                LeaseStale.selector, head.workspaceId(), head.replica(), head.lease(), current.leaseOf()
            );
        }
        if (head.fence() != current.fenceOf()) {
            return abi.encodeWithSelector(FenceMismatch.selector, head.fence(), current.fenceOf());
        }
        if (head.sequence() <= current.sequenceOf()) {
            return abi.encodeWithSelector(SequenceStale.selector, head.sequence(), current.sequenceOf());
        }
        if (!from.mayReport(to, current.desiredOf())) {
            return abi.encodeWithSelector(TransitionInvalid.selector, from, to);
        }
    }

    function _refOf(bytes32 head) private pure returns (LeaseRef memory) {
        return LeaseRef(head.workspaceId(), head.replica(), head.lease());
    }
}
