// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IComputeNode} from "../interfaces/IComputeNode.sol";
import {NodeMessages} from "../libraries/NodeMessages.sol";
import {NodeRecords} from "../libraries/NodeRecords.sol";
import {NodeStatuses} from "../libraries/NodeStatuses.sol";
import {ResourceMath} from "../libraries/ResourceMath.sol";
import {Resources} from "../libraries/Types.sol";
import {Registration} from "./Registration.sol";

/// @title Later changes by nodes and their owners
abstract contract NodeChanges is Registration {
    using NodeMessages for *;
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
    function setWalletBatch(WalletChange[] calldata changes, bytes[] calldata signatures) external pausable {
        uint256 items = _checkLengths(changes.length, signatures.length);
        for (uint256 i; i < items; ++i) {
            _settleItem(i, _setWallet(changes[i], signatures[i]));
        }
    }

    /// @inheritdoc IComputeNode
    function markOffline(uint32[] calldata nodeIds) external pausable onlyCommitter {
        uint256 items = _checkLength(nodeIds.length);
        for (uint256 i; i < items; ++i) {
            uint32 nodeId = nodeIds[i];
            NodeStatus from = _heads[nodeId].status;
            if (NodeStatuses.mayBeMarkedOffline(from)) {
                _heads[nodeId].status = NodeStatus.Offline;
                emit NodeStatusChanged(nodeId, NodeStatus.Offline);
            } else {
                _settleItem(i, abi.encodeWithSelector(NodeStatusInvalid.selector, nodeId, from, NodeStatus.Offline));
            }
        }
    }

    function _updateSpec(SpecUpdate calldata message, bytes calldata signature)
        private
        returns (bytes memory refusal)
    {
        uint32 nodeId = message.nodeId;
        NodeRecords.Head memory head = _heads[nodeId];
        if (head.key == address(0)) return abi.encodeWithSelector(NodeUnknown.selector, nodeId);
        refusal = _checkSignedOnce(head.key, message.nonce, message.deadline, message.hash(), signature);
        if (refusal.length != 0) return refusal;
        (uint88 before, uint8 gpus) = (_hardware[head.key].total, _hardware[head.key].gpusRegistered);
        if (message.spec.total.gpus > gpus) return abi.encodeWithSelector(NodeSpecInvalid.selector);
        uint88 total = message.spec.total.pack();
        // The free capacity never exceeds the total in any lane.
        uint88 reserved = before - head.free;
        if (!total.covers(reserved)) {
            return abi.encodeWithSelector(
                NodeCapacityExceeded.selector, nodeId, reserved.unpack(), message.spec.total
            );
        }

        _useNonce(head.key, message.nonce);
        _heads[nodeId].free = total - reserved;
        _terms[nodeId].pricePerSecond = message.pricePerSecond;
        _setHardware(head.key, nodeId, message.spec, total, gpus);
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
        refusal = _checkSignedOnce(key, message.nonce, message.deadline, message.hash(), signature);
        if (refusal.length != 0) return refusal;
        if (!NodeStatuses.mayDeclare(from, message.status)) {
            return abi.encodeWithSelector(NodeStatusInvalid.selector, nodeId, from, message.status);
        }

        _useNonce(key, message.nonce);
        head.status = message.status;
        emit NodeStatusChanged(nodeId, message.status);
    }

    function _setWallet(WalletChange calldata message, bytes calldata signature)
        private
        returns (bytes memory refusal)
    {
        uint32 nodeId = message.nodeId;
        address bound = _terms[nodeId].wallet;
        address signer = bound;
        if (signer == address(0)) signer = _heads[nodeId].key;
        if (signer == address(0)) return abi.encodeWithSelector(NodeUnknown.selector, nodeId);
        refusal = _checkSignedOnceByWallet(signer, message.nonce, message.deadline, message.hash(), signature);
        if (refusal.length != 0) return refusal;
        // A node that keeps its wallet is not a new node of its operator.
        if (message.wallet != bound) {
            uint256 rate;
            (refusal, rate) = _rateWithOneMore(message.wallet);
            if (refusal.length != 0) return refusal;
            _setRate(message.wallet, rate);
        }

        _useNonce(signer, message.nonce);
        _terms[nodeId].wallet = message.wallet;
        emit NodeWalletSet(nodeId, message.wallet);
    }
}
