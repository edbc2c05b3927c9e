// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IDockerContract} from "../interfaces/IDockerContract.sol";
import {AssignmentStates} from "../libraries/AssignmentStates.sol";
import {Assignments} from "../libraries/Assignments.sol";
import {Leases} from "../libraries/Leases.sol";
import {StructHash} from "../libraries/StructHash.sol";
import {LeaseRef} from "../libraries/Types.sol";
import {DockerState} from "./DockerState.sol";

/// @title What nodes report of their leases
abstract contract Reports is DockerState {
    using Assignments for *;
    using AssignmentStates for AssignmentState;

    bytes32 private constant REPORT_TYPEHASH = keccak256(
        "Report(uint64 workspaceId,uint16 replica,uint32 lease,bytes8 fence,uint8 state,bytes32 detail,"
        "uint24 sequence,uint64 deadline)"
    );
    uint256 private constant REPORT_WORDS = 8;

    /// @inheritdoc IDockerContract
    function reportBatch(Report[] calldata reports, bytes[] calldata signatures) external pausable {
        uint256 items = _checkLengths(reports.length, signatures.length);
        for (uint256 i; i < items; ++i) {
            _settleItem(i, _report(reports[i], signatures[i]));
        }
    }

    function _report(Report calldata report, bytes calldata signature) private returns (bytes memory refusal) {
        uint256 key = Leases.keyOf(report.workspaceId, report.replica);
        Assignments.Assignment memory assignment = _assignments[key].unpack();
        refusal = _checkReport(report, assignment);
        if (refusal.length != 0) return refusal;
        refusal = _checkSigned(
            _computeNode.keyOf(assignment.nodeId), report.deadline, _hashOfReport(report), signature
        );
        if (refusal.length != 0) return refusal;

        AssignmentState from = assignment.state;
        (assignment.state, assignment.sequence) = (report.state, report.sequence);
        _assignments[key] = assignment.pack();
        emit StateChanged(
            report.workspaceId,
            assignment.nodeId,
            report.replica,
            report.lease,
            report.state,
            report.sequence,
            report.detail
        );
        _follow(report, assignment, from);
    }

    /// @dev The clock runs while the state is Running; nothing else moves the escrow.
    function _follow(Report calldata report, Assignments.Assignment memory assignment, AssignmentState from)
        private
    {
        bool isRunning = report.state == AssignmentState.Running;
        if (report.state == AssignmentState.Deleted) {
            LeaseRef memory ref = LeaseRef(report.workspaceId, report.replica, report.lease);
            _free(ref, assignment, ReleaseReason.Deleted);
        } else if (isRunning != (from == AssignmentState.Running)) {
            _escrow.setClock(LeaseRef(report.workspaceId, report.replica, report.lease), isRunning);
        }
    }

    function _checkReport(Report calldata report, Assignments.Assignment memory current)
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

    function _hashOfReport(Report calldata report) private pure returns (bytes32) {
        uint256 offset;
        assembly ("memory-safe") {
            offset := report
        }
        return StructHash.ofWords(REPORT_TYPEHASH, offset, REPORT_WORDS);
    }
}
