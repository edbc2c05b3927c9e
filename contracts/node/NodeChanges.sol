// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IComputeNode} from "../interfaces/IComputeNode.sol";
import {NodeMessages} from "../libraries/NodeMessages.sol";
import {NodeRecords} from "../libraries/NodeRecords.sol";
import {NodeStatuses} from "../libraries/NodeStatuses.sol";
import {ResourceMath} from "../libraries/ResourceMath.sol";
import {Resources} from "../libraries/Types.sol";
import {Identity} from "./Identity.sol";

/// @title Later changes by nodes
abstract contract NodeChanges is Identity {
    using NodeMessages for *;
    using NodeRecords for *;
    using ResourceMath for Resources;
    using ResourceMath for uint88;

    /// @inheritdoc IComputeNode
    function updateSpecBatch(SpecUpdate[] calldata updates, bytes[] calldata signatures) external pausable {
        uint256 items = _checkLengths(updates.length, signatures.length);
        for (uint256 i; i < items; ++i) {
            _settleItem(i, _updateSpec(updates[i], signatures[i]));
        }
    }

    /// @inheritdoc IComputeNode
    function setStatusBatch(StatusChange[] calldata changes, bytes[] calldata signatures) external pausable {
        uint256 items = _checkLengths(changes.length, signatures.length);
        for (uint256 i; i < items; ++i) {
            _settleItem(i, _setStatus(changes[i], signatures[i]));
        }
    }

    /// @inheritdoc IComputeNode
    function markOffline(OfflineStatement[] calldata statements) external pausable onlyCommitter {
        uint256 items = _checkLength(statements.length);
        for (uint256 i; i < items; ++i) {
            _settleItem(i, _markOffline(statements[i]));
        }
    }

    function _markOffline(OfflineStatement calldata statement) private returns (bytes memory refusal) {
        (uint32 nodeId, uint64 deadline) = (statement.nodeId, statement.deadline);
        NodeStatus from = _heads[nodeId].status;
        if (!NodeStatuses.mayBeMarkedOffline(from)) {
            return abi.encodeWithSelector(NodeStatusInvalid.selector, nodeId, from, NodeStatus.Offline);
        }
        if (block.timestamp > deadline) {
            return abi.encodeWithSelector(SignatureExpired.selector, deadline, block.timestamp);
        }
        (bool isSigned, address signer) =
            _isSignedWith(Power.Cosigner, NodeMessages.hashOffline(nodeId, deadline), statement.signature);
        if (!isSigned) return abi.encodeWithSelector(CosignerUnknown.selector, signer);
        _heads[nodeId].status = NodeStatus.Offline;
        emit NodeStatusChanged(nodeId, NodeStatus.Offline);
    }

    function _updateSpec(SpecUpdate calldata message, bytes calldata signature)
        private
        returns (bytes memory refusal)
    {
        uint32 nodeId = message.nodeId;
        NodeRecords.Head memory head = _heads[nodeId];
        if (head.key == address(0)) return abi.encodeWithSelector(NodeUnknown.selector, nodeId);
        refusal = _checkInOrder(nodeId, head.key, message.sequence, message.deadline, message.hash(), signature);
        if (refusal.length != 0) return refusal;
        NodeRecords.Hardware storage hardware = _hardware[head.key];
        (uint88 before, uint8 gpus, uint16 ownership) =
            (hardware.total, hardware.gpusRegistered, hardware.ownership);
        if (message.spec.total.gpus > gpus) return abi.encodeWithSelector(NodeSpecInvalid.selector);
        uint88 total = message.spec.total.pack();
        // The free capacity never exceeds the total in any lane.
        uint88 reserved = before - head.free;
        if (!total.covers(reserved)) {
            return abi.encodeWithSelector(
                NodeCapacityExceeded.selector, nodeId, reserved.unpack(), message.spec.total
            );
        }

        _heads[nodeId].free = total - reserved;
        NodeRecords.Terms storage terms = _terms[nodeId];
        (terms.pricePerSecond, terms.sequence) = (message.pricePerSecond, message.sequence);
        hardware.set(nodeId, total, message.spec, gpus, ownership);
        emit NodeSpecUpdated(nodeId, message.spec, message.pricePerSecond, message.gpuName);
    }

    function _setStatus(StatusChange calldata message, bytes calldata signature)
        private
        returns (bytes memory refusal)
    {
        uint256 raw;
        assembly ("memory-safe") {
            raw := calldataload(add(message, 0x20))
        }
        refusal = _checkEnum(raw, uint256(type(NodeStatus).max));
        if (refusal.length != 0) return refusal;
        uint32 nodeId = message.nodeId;
        NodeRecords.Head storage head = _heads[nodeId];
        (address key, NodeStatus from) = (head.key, head.status);
        if (key == address(0)) return abi.encodeWithSelector(NodeUnknown.selector, nodeId);
        refusal = _checkInOrder(nodeId, key, message.sequence, message.deadline, message.hash(), signature);
        if (refusal.length != 0) return refusal;
        if (!NodeStatuses.mayDeclare(from, message.status)) {
            return abi.encodeWithSelector(NodeStatusInvalid.selector, nodeId, from, message.status);
        }

        _terms[nodeId].sequence = message.sequence;
        head.status = message.status;
        emit NodeStatusChanged(nodeId, message.status);
    }

    /// @dev For a message of the node's key: each has a higher sequence than the last accepted one.
    function _checkInOrder(
        uint32 nodeId,
        address key,
        uint24 sequence,
        uint256 deadline,
        bytes32 structHash,
        bytes calldata signature
    ) private view returns (bytes memory refusal) {
        uint24 last = _terms[nodeId].sequence;
        if (sequence <= last) return abi.encodeWithSelector(SequenceStale.selector, sequence, last);
        return _checkSigned(key, deadline, structHash, signature);
    }
}
