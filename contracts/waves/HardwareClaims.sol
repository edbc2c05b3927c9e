// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IProofWaves} from "../interfaces/IProofWaves.sol";
import {NodeKeys} from "../libraries/NodeKeys.sol";
import {WaveMessages} from "../libraries/WaveMessages.sol";
import {IComputeNode} from "../interfaces/IComputeNode.sol";
import {WaveClock} from "./WaveClock.sol";

/// @title What nodes claim about their devices
/// @dev Only an event stores a claim. A wave judges the claims of earlier blocks.
abstract contract HardwareClaims is WaveClock {
    using NodeKeys for IComputeNode;
    using WaveMessages for IProofWaves.HardwareClaim;

    /// @dev How far ahead a claim's deadline may be: a stolen key cannot block later claims for longer.
    uint256 private constant CLAIM_SECONDS = 1 days;
    uint256 private constant MOST_DEVICES = 64;

    mapping(uint32 nodeId => uint64 deadline) private _claims;

    /// @inheritdoc IProofWaves
    function claimBatch(HardwareClaim[] calldata claims, bytes[] calldata signatures) external pausable {
        uint256 items = _checkLengths(claims.length, signatures.length);
        for (uint256 i; i < items; ++i) {
            _settleItem(i, _claim(claims[i], signatures[i]));
        }
    }

    /// @inheritdoc IProofWaves
    function claimDeadlineOf(uint32 nodeId) external view returns (uint64) {
        return _claims[nodeId];
    }

    function _claim(HardwareClaim calldata message, bytes calldata signature)
        private
        returns (bytes memory refusal)
    {
        (uint32 nodeId, uint64 deadline) = (message.nodeId, message.deadline);
        address key = _computeNode.keyOf(nodeId);
        if (key == address(0)) return abi.encodeWithSelector(HardwareClaimNodeUnknown.selector, nodeId);
        if (message.devices.length > MOST_DEVICES) {
            return abi.encodeWithSelector(
                HardwareClaimTooLong.selector, nodeId, message.devices.length, MOST_DEVICES
            );
        }
        uint64 last = _claims[nodeId];
        if (deadline <= last) return abi.encodeWithSelector(HardwareClaimStale.selector, nodeId, deadline, last);
        uint256 latest = block.timestamp + CLAIM_SECONDS;
        if (deadline > latest) {
            return abi.encodeWithSelector(HardwareClaimDeadlineLate.selector, nodeId, deadline, latest);
        }
        refusal = _checkSigned(key, deadline, message.hash(), signature);
        if (refusal.length != 0) return refusal;

        _claims[nodeId] = deadline;
        emit HardwareClaimed(nodeId, deadline, message.devices);
    }
}
