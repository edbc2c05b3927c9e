// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Pauses} from "./Pauses.sol";
import {SignedBatch} from "./SignedBatch.sol";
import {IComputeNode} from "./interfaces/IComputeNode.sol";
import {IDockerContract} from "./interfaces/IDockerContract.sol";
import {IProgress} from "./interfaces/IProgress.sol";
import {LeaseHeads} from "./libraries/LeaseHeads.sol";
import {NodeKeys} from "./libraries/NodeKeys.sol";
import {PackedProgress} from "./libraries/PackedProgress.sol";
import {ProgressLanes} from "./libraries/ProgressLanes.sol";

/// @notice See IProgress.
contract Progress is IProgress, SignedBatch, Pauses {
    using LeaseHeads for bytes32;
    using NodeKeys for IComputeNode;
    using PackedProgress for bytes32;
    using ProgressLanes for *;

    IComputeNode private immutable _computeNode;
    IDockerContract private immutable _docker;

    mapping(uint256 word => ProgressLanes.Lanes) private _lanes;

    constructor(address authority_, IComputeNode computeNode, IDockerContract docker)
        EIP712("ngpu Progress", "1")
        Pauses(authority_)
    {
        _computeNode = computeNode;
        _docker = docker;
    }

    /// @inheritdoc IProgress
    function reportBatch(SignedProgress[] calldata reports) external pausable {
        uint256 items = _checkLength(reports.length);
        for (uint256 i; i < items; ++i) {
            _settleItem(i, _report(reports[i]));
        }
    }

    /// @inheritdoc IProgress
    function milestoneOf(uint64 workspaceId, uint16 replica)
        external
        view
        returns (uint32 lease, Milestone milestone)
    {
        return _lanes.lanesOf(workspaceId, replica).read(workspaceId);
    }

    /// @inheritdoc Pauses
    function _bitOf(bytes4 selector) internal pure override returns (uint256) {
        if (selector == IProgress.reportBatch.selector) return 0;
        return NONE;
    }

    function _report(SignedProgress calldata report) private returns (bytes memory refusal) {
        bytes32 head = report.head;
        refusal = _checkEnum(head.milestone(), uint256(type(Milestone).max));
        if (refusal.length != 0) return refusal;
        uint32 nodeId;
        (nodeId, refusal) = _checkLease(head);
        if (refusal.length != 0) return refusal;
        Milestone given = Milestone(head.milestone());
        ProgressLanes.Lanes storage lanes = _lanes.lanesOf(head.workspaceId(), head.replica());
        (uint32 lease, Milestone milestone) = lanes.read(head.workspaceId());
        if (lease != head.lease()) milestone = Milestone.None;
        if (given <= milestone) return abi.encodeWithSelector(ProgressNotIncreasing.selector, given, milestone);
        refusal = _checkSigned(
            _computeNode.keyOf(nodeId), head.deadline(), head.hash(), report.r, report.vs
        );
        if (refusal.length != 0) return refusal;

        lanes.write(head.workspaceId(), head.lease(), given);
        emit ProgressReported(head.workspaceId(), nodeId, head.replica(), head.lease(), given);
    }

    function _checkLease(bytes32 head) private view returns (uint32 nodeId, bytes memory refusal) {
        uint32 lease;
        bytes8 fence;
        bool isLive;
        (nodeId, lease, fence, isLive) = _docker.tenancyOf(head.workspaceId(), head.replica());
        if (head.lease() != lease) {
            refusal = abi.encodeWithSelector(
                ProgressLeaseStale.selector, head.workspaceId(), head.replica(), head.lease(), lease
            );
        } else if (!isLive) {
            refusal = abi.encodeWithSelector(
                ProgressLeaseEnded.selector, head.workspaceId(), head.replica(), head.lease()
            );
        } else if (head.fence() != fence) {
            refusal = abi.encodeWithSelector(ProgressFenceMismatch.selector, head.fence(), fence);
        }
    }
}
