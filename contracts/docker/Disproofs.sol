// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {IDisproofs} from "../interfaces/IDisproofs.sol";
import {HeartbeatBits} from "../libraries/HeartbeatBits.sol";
import {PackedLosses} from "../libraries/PackedLosses.sol";
import {DockerState} from "./DockerState.sol";

/// @title The evidence against a witness
abstract contract Disproofs is IDisproofs, DockerState {
    using HeartbeatBits for bytes;
    using PackedLosses for bytes32;

    /// @dev match accepts a heartbeat for the slots beside the current one, so a heartbeat of a slot was heard within the slot or
    /// one of its neighbours: the whole of the three is within a silence that it disproves.
    uint256 private constant NEIGHBOURS = 1;

    /// @inheritdoc IDisproofs
    function disproveWitness(SignedLoss calldata loss, uint64 slot, CommittedSlot calldata committed) external {
        bytes32 head = loss.head;
        (address signer, ECDSA.RecoverError fault,) =
            ECDSA.tryRecover(_hashTypedDataV4(head.hash()), loss.r, loss.vs);
        if (fault != ECDSA.RecoverError.NoError || !_witnesses[signer].allowed) {
            revert LossUnsigned(head.nodeId(), signer);
        }
        _checkWithin(slot, head);
        if (!_wasPresent(slot, head.nodeId(), committed)) revert PresenceUnproven(slot, head.nodeId());
        _witnesses[signer].allowed = false;
        emit WitnessDisproved(signer, head.nodeId(), slot, head.lastHeard());
        emit WitnessSet(signer, false);
    }

    function _checkWithin(uint64 slot, bytes32 head) private view {
        uint256 slotSeconds = _computeNode.slotSeconds();
        bool isAfter = slot > head.lastHeard() / slotSeconds + NEIGHBOURS;
        bool isBefore = (uint256(slot) + 1 + NEIGHBOURS) * slotSeconds <= head.statedAt();
        if (!isAfter || !isBefore) revert SlotNotInSilence(slot, head.lastHeard(), head.statedAt());
    }

    /// @dev By two keys, which ComputeNode never gives to one account: a committer set the node's bit, and an acknowledgement of it is
    /// recorded. Measurers did not find it absent.
    function _wasPresent(uint64 slot, uint32 nodeId, CommittedSlot calldata committed) private view returns (bool) {
        (bool isDisputed, bool isChallenged) = _computeNode.correctionOf(slot, nodeId);
        if (!isDisputed || isChallenged) return false;
        bytes32 digest =
            keccak256(abi.encode(slot, committed.encoding, committed.nodeCount, keccak256(committed.bits)));
        bytes32 known = _computeNode.heartbeatHash(slot);
        // ComputeNode stores the first 192 bits.
        return known != 0 && known == digest >> 64 << 64
            && committed.bits.has(committed.encoding, committed.nodeCount, nodeId);
    }
}
