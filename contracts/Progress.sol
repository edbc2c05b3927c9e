// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Pauses} from "./Pauses.sol";
import {SignedBatch} from "./SignedBatch.sol";
import {IComputeNode} from "./interfaces/IComputeNode.sol";
import {IDockerContract} from "./interfaces/IDockerContract.sol";
import {IProgress} from "./interfaces/IProgress.sol";
import {ProgressLanes} from "./libraries/ProgressLanes.sol";
import {StructHash} from "./libraries/StructHash.sol";

/// @notice See IProgress.
contract Progress is IProgress, SignedBatch, Pauses {
    using ProgressLanes for mapping(uint256 => uint256);

    bytes32 private constant PROGRESS_REPORT_TYPEHASH = keccak256(
        "ProgressReport(uint64 workspaceId,uint16 replica,uint32 lease,bytes8 fence,uint8 milestone,uint64 deadline)"
    );
    uint256 private constant PROGRESS_REPORT_WORDS = 6;

    IComputeNode private immutable _computeNode;
    IDockerContract private immutable _docker;

    mapping(uint256 word => uint256 lanes) private _lanes;

    constructor(address authority_, IComputeNode computeNode, IDockerContract docker)
        EIP712("ngpu Progress", "1")
        Pauses(authority_)
    {
        _computeNode = computeNode;
        _docker = docker;
    }

    /// @inheritdoc IProgress
    function reportBatch(ProgressReport[] calldata reports, bytes[] calldata signatures) external pausable {
        uint256 items = _checkLengths(reports.length, signatures.length);
        for (uint256 i; i < items; ++i) {
            _settleItem(i, _report(reports[i], signatures[i]));
        }
    }

    /// @inheritdoc IProgress
    function milestoneOf(uint64 workspaceId, uint16 replica)
        external
        view
        returns (uint32 lease, Milestone milestone)
    {
        return _lanes.read(workspaceId, replica);
    }

    /// @inheritdoc Pauses
    function _bitOf(bytes4 selector) internal pure override returns (uint256) {
        if (selector == IProgress.reportBatch.selector) return 0;
        return NONE;
    }

    function _report(ProgressReport calldata report, bytes calldata signature)
        private
        returns (bytes memory refusal)
    {
        uint256 raw;
        assembly ("memory-safe") {
            raw := calldataload(add(report, 0x80))
        }
        refusal = _checkEnum(raw, uint256(type(Milestone).max));
        if (refusal.length != 0) return refusal;
        uint32 nodeId;
        (nodeId, refusal) = _checkLease(report);
        if (refusal.length != 0) return refusal;
        (uint32 lease, Milestone milestone) = _lanes.read(report.workspaceId, report.replica);
        if (lease != report.lease) milestone = Milestone.None;
        if (report.milestone <= milestone) {
            return abi.encodeWithSelector(ProgressNotRising.selector, report.milestone, milestone);
        }
        refusal = _checkSigned(
            _computeNode.keyOf(nodeId),
            report.deadline,
            _hashOfReport(report),
            signature
        );
        if (refusal.length != 0) return refusal;

        _lanes.write(report.workspaceId, report.replica, report.lease, report.milestone);
        emit ProgressReported(report.workspaceId, nodeId, report.replica, report.lease, report.milestone);
    }

    function _checkLease(ProgressReport calldata report)
        private
        view
        returns (uint32 nodeId, bytes memory refusal)
    {
        uint32 lease;
        bytes8 fence;
        bool isLive;
        (nodeId, lease, fence, isLive) = _docker.tenancyOf(report.workspaceId, report.replica);
        if (report.lease != lease) {
            refusal = abi.encodeWithSelector(
                ProgressLeaseStale.selector, report.workspaceId, report.replica, report.lease, lease
            );
        } else if (!isLive) {
            refusal = abi.encodeWithSelector(
                ProgressLeaseOver.selector, report.workspaceId, report.replica, report.lease
            );
        } else if (report.fence != fence) {
            refusal = abi.encodeWithSelector(ProgressFenceMismatch.selector, report.fence, fence);
        }
    }

    function _hashOfReport(ProgressReport calldata report) private pure returns (bytes32) {
        uint256 offset;
        assembly ("memory-safe") {
            offset := report
        }
        return StructHash.ofWords(PROGRESS_REPORT_TYPEHASH, offset, PROGRESS_REPORT_WORDS);
    }
}
