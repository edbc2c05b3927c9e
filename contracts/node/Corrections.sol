// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IComputeNode} from "../interfaces/IComputeNode.sol";
import {HeartbeatWords} from "../libraries/HeartbeatWords.sol";
import {NodeMessages} from "../libraries/NodeMessages.sol";
import {SlotSets} from "../libraries/SlotSets.sol";
import {Heartbeats} from "./Heartbeats.sol";

/// @title Corrections of committed heartbeat bits
/// @notice A node was present in a slot when its bit was committed or disputed, and the slot was not challenged. This holds
/// in whatever order the three arrive, so a challenge overrides the others: it is the statement of measurers of several
/// operators, while an acknowledgement is one signer's statement, as the bit is one committer's.
abstract contract Corrections is Heartbeats {
    using HeartbeatWords for *;
    using SlotSets for SlotSets.Set;

    mapping(uint64 slot => mapping(uint32 index => uint256 bits)) private _disputed;
    mapping(uint32 nodeId => SlotSets.Set) private _challenged;
    mapping(address measure => bool) private _measures;

    /// @inheritdoc IComputeNode
    function setMeasure(address measure, bool allowed) external restricted {
        _measures[measure] = allowed;
        emit MeasureSet(measure, allowed);
    }

    /// @inheritdoc IComputeNode
    function disputeHeartbeats(HeartbeatDispute[] calldata disputes) external pausable {
        uint256 items = _checkLength(disputes.length);
        for (uint256 i; i < items; ++i) {
            _settleItem(i, _dispute(disputes[i]));
        }
    }

    /// @inheritdoc IComputeNode
    function challengePresence(uint32 nodeId, uint64 firstSlot, uint64 lastSlot) external returns (bool isCleared) {
        if (!_measures[msg.sender]) revert CallerNotMeasure(msg.sender);
        (uint64 earliest, uint64 latest) = _openSlots();
        if (firstSlot < earliest) firstSlot = earliest;
        if (lastSlot > latest) lastSlot = latest;
        if (firstSlot > lastSlot) return false;
        _challenged[nodeId].addRange(firstSlot, lastSlot);
        emit PresenceChallenged(nodeId, firstSlot, lastSlot);
        return true;
    }

    /// @inheritdoc IComputeNode
    function isMeasure(address measure) external view returns (bool) {
        return _measures[measure];
    }

    /// @inheritdoc IComputeNode
    function correctionOf(uint64 slot, uint32 nodeId) external view returns (bool isDisputed, bool isChallenged) {
        (uint32 index, uint256 bit) = HeartbeatWords.placeOf(nodeId);
        return (_disputed[slot][index] & bit != 0, _challenged[nodeId].has(slot));
    }

    function _dispute(HeartbeatDispute calldata dispute) private returns (bytes memory refusal) {
        uint64 slot = dispute.slot;
        (uint64 earliest, uint64 latest) = _openSlots();
        if (slot < earliest || slot > latest) {
            return abi.encodeWithSelector(HeartbeatSlotOutsideWindow.selector, slot, earliest, latest);
        }
        HeartbeatWord[] calldata words = dispute.words;
        if (!words.isProvableWith(dispute.proof, dispute.proofFlags)) {
            return abi.encodeWithSelector(
                HeartbeatProofInvalid.selector, words.length, dispute.proof.length, dispute.proofFlags.length
            );
        }
        bytes32 root = words.rootOf(dispute.proof, dispute.proofFlags);
        (bool isSigned, address signer) =
            _isSignedWith(Power.Acknowledger, NodeMessages.hashHeartbeatAck(slot, root), dispute.signature);
        if (!isSigned) return abi.encodeWithSelector(HeartbeatAckUnsigned.selector, signer);
        if (!_restore(slot, words)) return abi.encodeWithSelector(HeartbeatsAlreadyDisputed.selector, slot);
    }

    /// @return isChanged Whether any bit was not set.
    function _restore(uint64 slot, HeartbeatWord[] calldata words) private returns (bool isChanged) {
        mapping(uint32 index => uint256 bits) storage disputed = _disputed[slot];
        uint32 registered = _nodeCount;
        for (uint256 i; i < words.length; ++i) {
            uint32 index = words[i].index;
            uint256 known = disputed[index];
            uint256 fresh = uint256(words[i].bits) & HeartbeatWords.maskOf(index, registered) & ~known;
            if (fresh == 0) continue;
            disputed[index] = known | fresh;
            isChanged = true;
            emit HeartbeatsDisputed(slot, index, bytes32(fresh));
        }
    }
}
