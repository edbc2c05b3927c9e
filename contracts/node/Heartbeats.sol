// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IComputeNode} from "../interfaces/IComputeNode.sol";
import {HeartbeatRing} from "../libraries/HeartbeatRing.sol";
import {NodeMessages} from "../libraries/NodeMessages.sol";
import {NodeState} from "./NodeState.sol";

/// @title Nodes' presence, one transaction per slot for all of them
abstract contract Heartbeats is NodeState {
    using HeartbeatRing for HeartbeatRing.Ring;

    /// @dev A 32-bit distance takes five bytes of seven bits.
    uint256 private constant MAX_DISTANCE_BYTES = 5;

    uint64 private immutable _slotSeconds;
    uint64 private immutable _windowSlots;

    uint16 private immutable _absenceBasisPoints;

    HeartbeatRing.Ring private _ring;

    /// @param windowSlots The number of past slots that may be committed; at most the ring's length.
    constructor(uint64 slotSeconds_, uint64 windowSlots, uint16 absenceBasisPoints_) {
        if (absenceBasisPoints_ > 10_000) revert AbsenceShareInvalid(absenceBasisPoints_);
        if (slotSeconds_ == 0 || windowSlots == 0 || windowSlots > HeartbeatRing.SLOTS) {
            revert HeartbeatWindowInvalid(slotSeconds_, windowSlots, HeartbeatRing.SLOTS);
        }
        _slotSeconds = slotSeconds_;
        _windowSlots = windowSlots;
        _absenceBasisPoints = absenceBasisPoints_;
        _ring.fill();
    }

    /// @inheritdoc IComputeNode
    function commitHeartbeats(uint64 slot, HeartbeatEncoding encoding, uint32 nodeCount_, bytes calldata bits)
        external
        pausable
        onlyCommitter
    {
        (uint256 omitted, uint32 registered) = (bits.length, _nodeCount);
        // The lengths of calldata and counts have 32 bits. Whether the nodes are registered is checked below.
        unchecked {
            if (encoding == HeartbeatEncoding.Bitmap || nodeCount_ > registered) omitted = registered;
            else omitted += registered - nodeCount_;
            if (omitted * 10_000 > uint256(registered) * _absenceBasisPoints) {
                revert HeartbeatsUncosigned(omitted, registered);
            }
        }
        _commit(slot, encoding, nodeCount_, bits, registered);
    }

    /// @inheritdoc IComputeNode
    function commitCosignedHeartbeats(
        uint64 slot,
        HeartbeatEncoding encoding,
        uint32 nodeCount_,
        bytes calldata bits,
        bytes calldata cosignature
    ) external pausable onlyCommitter {
        bytes32 structHash = NodeMessages.hashSlot(slot, encoding, nodeCount_, keccak256(bits));
        (bool isSigned, address signer) = _isSignedWith(Power.Cosigner, structHash, cosignature);
        if (!isSigned) revert CosignerUnknown(signer);
        _commit(slot, encoding, nodeCount_, bits, _nodeCount);
    }

    function _commit(
        uint64 slot,
        HeartbeatEncoding encoding,
        uint32 nodeCount_,
        bytes calldata bits,
        uint32 registered
    ) private {
        (uint64 earliest, uint64 latest) = _openSlots();
        if (slot < earliest || slot > latest) revert HeartbeatSlotOutsideWindow(slot, earliest, latest);
        if (nodeCount_ > registered) revert HeartbeatNodesUnknown(nodeCount_, registered);
        if (!_isWellFormed(encoding, nodeCount_, bits)) revert HeartbeatBitsInvalid(bits.length, nodeCount_);
        if (!_ring.record(slot, _logSlot(slot, encoding, nodeCount_, bits))) revert HeartbeatSlotCommitted(slot);
    }

    /// @dev Logs HeartbeatsCommitted, from memory that is not kept, where the hash is taken of the bits that are there anyway.
    /// @return digest The hash of the slot, the encoding, the count, and the hash of the bits: a word each.
    function _logSlot(uint64 slot, HeartbeatEncoding encoding, uint32 nodeCount_, bytes calldata bits)
        private
        returns (bytes32 digest)
    {
        bytes32 topic = HeartbeatsCommitted.selector;
        assembly ("memory-safe") {
            // The slot, then the log: encoding, count, where the bits begin, their length, the bits and zeros.
            let start := mload(0x40)
            mstore(start, slot)
            mstore(add(start, 0x20), encoding)
            mstore(add(start, 0x40), nodeCount_)
            mstore(add(start, 0x60), 0x60)
            mstore(add(start, 0x80), bits.length)
            calldatacopy(add(start, 0xa0), bits.offset, bits.length)
            mstore(add(add(start, 0xa0), bits.length), 0)
            log2(add(start, 0x20), add(0x80, and(add(bits.length, 0x1f), not(0x1f))), topic, slot)
            mstore(add(start, 0x60), keccak256(add(start, 0xa0), bits.length))
            digest := keccak256(start, 0x80)
        }
    }

    /// @inheritdoc IComputeNode
    function slotSeconds() public view returns (uint64) {
        return _slotSeconds;
    }

    /// @inheritdoc IComputeNode
    function heartbeatWindowSlots() public view returns (uint64) {
        return _windowSlots;
    }

    /// @inheritdoc IComputeNode
    function absenceBasisPoints() external view returns (uint16) {
        return _absenceBasisPoints;
    }

    /// @inheritdoc IComputeNode
    function heartbeatHash(uint64 slot) external view returns (bytes32) {
        return _ring.digestOf(slot);
    }

    /// @dev The slots that can still be committed and corrected: the ended ones, up to the window's length back. The cast is valid
    /// for any time that fits in 64 bits, and the current slot is not the first one ever.
    function _openSlots() internal view returns (uint64 earliest, uint64 latest) {
        uint64 present = uint64(block.timestamp) / _slotSeconds;
        unchecked {
            return (present > _windowSlots ? present - _windowSlots : 0, present - 1);
        }
    }

    /// @dev Checks length and padding, and that the last distance ends; readers of the log check the distances.
    function _isWellFormed(HeartbeatEncoding encoding, uint32 nodeCount_, bytes calldata bits)
        private
        pure
        returns (bool)
    {
        uint256 length = bits.length;
        // A count has 32 bits, and the last byte is read only where there is one.
        unchecked {
            if (encoding == HeartbeatEncoding.Absentees) {
                if (length > MAX_DISTANCE_BYTES * nodeCount_) return false;
                return length == 0 || uint8(bits[length - 1]) < 0x80;
            }
            if (length != (uint256(nodeCount_) + 7) / 8) return false;
            return nodeCount_ % 8 == 0 || uint8(bits[length - 1]) >> (nodeCount_ % 8) == 0;
        }
    }
}
