// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {IComputeNode} from "../interfaces/IComputeNode.sol";
import {NodeMessages} from "../libraries/NodeMessages.sol";
import {SlotSets} from "../libraries/SlotSets.sol";
import {Heartbeats} from "./Heartbeats.sol";

/// @title Corrections of committed heartbeat bits
/// @notice A node was present in a slot when its bit was committed or disputed, and the slot was not challenged. This holds
/// in whatever order the three arrive, so a challenge overrides the others: it is the statement of measurers of several
/// operators, while a receipt is one signer's statement, as the bit is one committer's.
abstract contract Corrections is Heartbeats {
    using NodeMessages for *;
    using SlotSets for SlotSets.Set;

    mapping(uint32 nodeId => SlotSets.Set) private _disputed;
    mapping(uint32 nodeId => SlotSets.Set) private _challenged;
    mapping(address measure => bool) private _measures;

    /// @inheritdoc IComputeNode
    function setMeasure(address measure, bool allowed) external restricted {
        _measures[measure] = allowed;
        emit MeasureSet(measure, allowed);
    }

    /// @inheritdoc IComputeNode
    function disputeHeartbeats(HeartbeatDispute[] calldata disputes, bytes[] calldata signatures) external pausable {
        uint256 items = _checkLengths(disputes.length, signatures.length);
        for (uint256 i; i < items; ++i) {
            _settleItem(i, _dispute(disputes[i], signatures[i]));
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
        return (_disputed[nodeId].has(slot), _challenged[nodeId].has(slot));
    }

    function _dispute(HeartbeatDispute calldata dispute, bytes calldata signature)
        private
        returns (bytes memory refusal)
    {
        (uint64 slot, uint32 nodeId) = (dispute.slot, dispute.nodeId);
        (uint64 earliest, uint64 latest) = _openSlots();
        if (slot < earliest || slot > latest) {
            return abi.encodeWithSelector(HeartbeatSlotOutsideWindow.selector, slot, earliest, latest);
        }
        if (_heads[nodeId].key == address(0)) return abi.encodeWithSelector(NodeUnknown.selector, nodeId);
        if (_challenged[nodeId].has(slot)) {
            return abi.encodeWithSelector(HeartbeatChallenged.selector, slot, nodeId);
        }
        if (_disputed[nodeId].has(slot)) {
            return abi.encodeWithSelector(HeartbeatAlreadyDisputed.selector, slot, nodeId);
        }
        bytes32 leaf = keccak256(bytes.concat(keccak256(abi.encode(nodeId))));
        if (!MerkleProof.verifyCalldata(dispute.proof, dispute.root, leaf)) {
            return abi.encodeWithSelector(HeartbeatAckUnproven.selector, nodeId, dispute.root);
        }
        bytes32 digest = _hashTypedDataV4(NodeMessages.hashReceipt(slot, dispute.root));
        (address signer, ECDSA.RecoverError fault,) = ECDSA.tryRecoverCalldata(digest, signature);
        if (fault != ECDSA.RecoverError.NoError || !_receiptSigners[signer]) {
            return abi.encodeWithSelector(HeartbeatAckUnsigned.selector, signer);
        }

        _disputed[nodeId].add(slot);
        emit HeartbeatDisputed(slot, nodeId);
    }
}
