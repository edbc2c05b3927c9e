// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignedBatch} from "./SignedBatch.sol";
import {IComputeNode} from "./interfaces/IComputeNode.sol";
import {HeartbeatRing} from "./libraries/HeartbeatRing.sol";
import {NodeMessages} from "./libraries/NodeMessages.sol";
import {NodeStatuses} from "./libraries/NodeStatuses.sol";
import {ResourceMath} from "./libraries/ResourceMath.sol";
import {NodeSpec, Resources} from "./libraries/Types.sol";

/// @notice See IComputeNode.
contract ComputeNode is IComputeNode, SignedBatch, AccessManaged {
    using HeartbeatRing for HeartbeatRing.Ring;
    using NodeMessages for *;
    using ResourceMath for Resources;
    using ResourceMath for uint88;

    // | free 88 | status 8 | key 160 |
    struct Head {
        address key;
        NodeStatus status;
        uint88 free;
    }

    // | - 32 | pricePerSecond 64 | wallet 160 |
    struct Terms {
        address wallet;
        uint64 pricePerSecond;
    }

    // | - 16 | gpusRegistered 8 | region 16 | computeCapability 8 | vramMib 24 | gpuModel 64 | total 88 | nodeId 32 |
    struct Hardware {
        uint32 nodeId;
        uint88 total;
        bytes8 gpuModel;
        uint24 vramMib;
        uint8 computeCapability;
        bytes2 region;
        uint8 gpusRegistered;
    }

    uint64 private immutable _slotSeconds;
    uint64 private immutable _windowSlots;

    mapping(uint32 nodeId => Head) private _heads;
    mapping(uint32 nodeId => Terms) private _terms;
    mapping(address key => Hardware) private _hardware;
    mapping(bytes32 gpuUuid => uint32 nodeId) private _gpuNodes;
    mapping(address account => bool) private _committers;
    HeartbeatRing.Ring private _ring;

    // | - 64 | nodeCount 32 | docker 160 |
    address private _docker;
    uint32 private _nodeCount;

    modifier onlyDocker() {
        if (msg.sender != _docker) revert CallerNotDocker(msg.sender);
        _;
    }

    modifier onlyCommitter() {
        if (!_committers[msg.sender]) revert CallerNotCommitter(msg.sender);
        _;
    }

    /// @param windowSlots How many slots back a commitment may reach; at most the ring's length.
    constructor(address authority_, uint64 slotSeconds_, uint64 windowSlots)
        EIP712("ngpu ComputeNode", "1")
        AccessManaged(authority_)
    {
        if (slotSeconds_ == 0 || windowSlots == 0 || windowSlots > HeartbeatRing.SLOTS) {
            revert HeartbeatWindowInvalid(slotSeconds_, windowSlots, HeartbeatRing.SLOTS);
        }
        _slotSeconds = slotSeconds_;
        _windowSlots = windowSlots;
    }

    /// @inheritdoc IComputeNode
    function setHeartbeatCommitter(address account, bool allowed) external restricted {
        _committers[account] = allowed;
        emit HeartbeatCommitterSet(account, allowed);
    }

    /// @inheritdoc IComputeNode
    function setDocker(address docker) external restricted {
        _docker = docker;
        emit DockerSet(docker);
    }

    /// @inheritdoc IComputeNode
    function registerBatch(Registration[] calldata registrations, bytes[] calldata signatures) external {
        uint256 items = _checkLengths(registrations.length, signatures.length);
        for (uint256 i; i < items; ++i) {
            _settleItem(i, _register(registrations[i], signatures[i]));
        }
    }

    /// @inheritdoc IComputeNode
    function updateSpecBatch(SpecUpdate[] calldata updates, bytes[] calldata signatures) external {
        uint256 items = _checkLengths(updates.length, signatures.length);
        for (uint256 i; i < items; ++i) {
            _settleItem(i, _updateSpec(updates[i], signatures[i]));
        }
    }

    /// @inheritdoc IComputeNode
    function setStatusBatch(StatusChange[] calldata changes, bytes[] calldata signatures) external {
        uint256 items = _checkLengths(changes.length, signatures.length);
        for (uint256 i; i < items; ++i) {
            _settleItem(i, _setStatus(changes[i], signatures[i]));
        }
    }

    /// @inheritdoc IComputeNode
    function setWalletBatch(WalletChange[] calldata changes, bytes[] calldata signatures) external {
        uint256 items = _checkLengths(changes.length, signatures.length);
        for (uint256 i; i < items; ++i) {
            _settleItem(i, _setWallet(changes[i], signatures[i]));
        }
    }

    /// @inheritdoc IComputeNode
    function markOffline(uint32[] calldata nodeIds) external onlyCommitter {
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

    /// @inheritdoc IComputeNode
    function commitHeartbeats(uint64 slot, HeartbeatEncoding encoding, uint32 nodeCount_, bytes calldata bits)
        external
        onlyCommitter
    {
        // Slots that are over: all before the present one. The cast holds for any time that fits in 64 bits.
        uint64 present = uint64(block.timestamp) / _slotSeconds;
        uint64 earliest = present > _windowSlots ? present - _windowSlots : 0;
        if (slot >= present || slot < earliest) revert HeartbeatSlotOver(slot, earliest, present - 1);
        if (nodeCount_ > _nodeCount) revert HeartbeatNodesUnknown(nodeCount_, _nodeCount);
        if (!_isWellFormed(encoding, nodeCount_, bits)) revert HeartbeatBitsInvalid(bits.length, nodeCount_);
        if (_ring.digestOf(slot) != 0) revert HeartbeatSlotCommitted(slot);
        _ring.record(slot, keccak256(abi.encode(slot, encoding, nodeCount_, keccak256(bits))));
        emit HeartbeatsCommitted(slot, encoding, nodeCount_, bits);
    }

    /// @inheritdoc IComputeNode
    function reserve(uint32 nodeId, Resources calldata wanted)
        external
        onlyDocker
        returns (uint64 pricePerSecond)
    {
        Head storage head = _heads[nodeId];
        (NodeStatus status, uint88 free, uint88 amount) = (head.status, head.free, wanted.pack());
        if (status != NodeStatus.Online) revert NodeNotAccepting(nodeId, status);
        if (!free.covers(amount)) revert NodeCapacityExceeded(nodeId, wanted, free.unpack());
        head.free = free - amount;
        return _terms[nodeId].pricePerSecond;
    }

    /// @inheritdoc IComputeNode
    function release(uint32 nodeId, Resources calldata amount) external onlyDocker {
        // DockerContract releases what it reserved, so the sum stays within the total, lane by lane.
        _heads[nodeId].free += amount.pack();
    }

    /// @inheritdoc IComputeNode
    function isHeartbeatCommitter(address account) external view returns (bool) {
        return _committers[account];
    }

    /// @inheritdoc IComputeNode
    function isNonceUsed(address signer, uint256 nonce) external view returns (bool) {
        return _isNonceUsed(signer, nonce);
    }

    /// @inheritdoc IComputeNode
    function nodeCount() external view returns (uint32) {
        return _nodeCount;
    }

    /// @inheritdoc IComputeNode
    function nodeIdOf(address key) external view returns (uint32) {
        return _hardware[key].nodeId;
    }

    /// @inheritdoc IComputeNode
    function keyOf(uint32 nodeId) external view returns (address) {
        return _heads[nodeId].key;
    }

    /// @inheritdoc IComputeNode
    function statusOf(uint32 nodeId) external view returns (NodeStatus) {
        return _heads[nodeId].status;
    }

    /// @inheritdoc IComputeNode
    function specOf(uint32 nodeId) external view returns (NodeSpec memory spec, uint64 pricePerSecond) {
        Hardware storage hardware = _hardware[_heads[nodeId].key];
        spec = NodeSpec({
            gpuModel: hardware.gpuModel,
            vramMib: hardware.vramMib,
            computeCapability: hardware.computeCapability,
            region: hardware.region,
            total: hardware.total.unpack()
        });
        pricePerSecond = _terms[nodeId].pricePerSecond;
    }

    /// @inheritdoc IComputeNode
    function freeOf(uint32 nodeId) external view returns (Resources memory) {
        return _heads[nodeId].free.unpack();
    }

    /// @inheritdoc IComputeNode
    function walletOf(uint32 nodeId) external view returns (address) {
        return _terms[nodeId].wallet;
    }

    /// @inheritdoc IComputeNode
    function payoutOf(uint32 nodeId) external view returns (address) {
        address wallet = _terms[nodeId].wallet;
        return wallet == address(0) ? _heads[nodeId].key : wallet;
    }

    /// @inheritdoc IComputeNode
    function payoutOfAccount(address account) external view returns (address) {
        uint32 nodeId = _hardware[account].nodeId;
        if (nodeId == 0) return account;
        address wallet = _terms[nodeId].wallet;
        return wallet == address(0) ? account : wallet;
    }

    /// @inheritdoc IComputeNode
    function slotSeconds() external view returns (uint64) {
        return _slotSeconds;
    }

    /// @inheritdoc IComputeNode
    function heartbeatWindowSlots() external view returns (uint64) {
        return _windowSlots;
    }

    /// @inheritdoc IComputeNode
    function heartbeatHash(uint64 slot) external view returns (bytes32) {
        return _ring.digestOf(slot);
    }

    function _register(Registration calldata message, bytes calldata signature)
        private
        returns (bytes memory refusal)
    {
        uint32 nodeId = _hardware[message.key].nodeId;
        if (nodeId != 0) return abi.encodeWithSelector(NodeKeyTaken.selector, message.key, nodeId);
        if (message.spec.total.gpus != message.gpuUuids.length) {
            return abi.encodeWithSelector(NodeSpecInvalid.selector);
        }
        refusal = _checkSigned(message.key, message.deadline, message.hash(), signature);
        if (refusal.length != 0) return refusal;
        nodeId = _nodeCount + 1;
        refusal = _claimGpus(nodeId, message.gpuUuids);
        if (refusal.length != 0) return refusal;

        _nodeCount = nodeId;
        uint88 total = message.spec.total.pack();
        _heads[nodeId] = Head({key: message.key, status: NodeStatus.Online, free: total});
        _terms[nodeId] = Terms({wallet: message.wallet, pricePerSecond: message.pricePerSecond});
        _setHardware(message.key, nodeId, message.spec, total, message.spec.total.gpus);
        emit NodeRegistered(
            nodeId,
            message.key,
            message.wallet,
            message.spec,
            message.pricePerSecond,
            message.gpuName,
            message.gpuUuids
        );
    }

    /// @dev Takes the GPUs for the node, or none of them: one may be taken, or named twice.
    function _claimGpus(uint32 nodeId, bytes32[] calldata gpuUuids) private returns (bytes memory refusal) {
        for (uint256 i; i < gpuUuids.length; ++i) {
            uint32 holder = _gpuNodes[gpuUuids[i]];
            if (holder != 0) {
                for (uint256 j; j < i; ++j) {
                    delete _gpuNodes[gpuUuids[j]];
                }
                return abi.encodeWithSelector(NodeGpuTaken.selector, gpuUuids[i], holder);
            }
            _gpuNodes[gpuUuids[i]] = nodeId;
        }
    }

    function _updateSpec(SpecUpdate calldata message, bytes calldata signature)
        private
        returns (bytes memory refusal)
    {
        uint32 nodeId = message.nodeId;
        Head memory head = _heads[nodeId];
        if (head.key == address(0)) return abi.encodeWithSelector(NodeUnknown.selector, nodeId);
        refusal = _checkSignedOnce(head.key, message.nonce, message.deadline, message.hash(), signature);
        if (refusal.length != 0) return refusal;
        (uint88 before, uint8 gpus) = (_hardware[head.key].total, _hardware[head.key].gpusRegistered);
        if (message.spec.total.gpus > gpus) return abi.encodeWithSelector(NodeSpecInvalid.selector);
        uint88 total = message.spec.total.pack();
        // Free is never more than the total in any lane.
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
        Head storage head = _heads[nodeId];
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
        address signer = _terms[nodeId].wallet;
        if (signer == address(0)) signer = _heads[nodeId].key;
        if (signer == address(0)) return abi.encodeWithSelector(NodeUnknown.selector, nodeId);
        refusal = _checkSignedOnce(signer, message.nonce, message.deadline, message.hash(), signature);
        if (refusal.length != 0) return refusal;

        _useNonce(signer, message.nonce);
        _terms[nodeId].wallet = message.wallet;
        emit NodeWalletSet(nodeId, message.wallet);
    }

    function _setHardware(address key, uint32 nodeId, NodeSpec calldata spec, uint88 total, uint8 gpusRegistered)
        private
    {
        _hardware[key] = Hardware({
            nodeId: nodeId,
            total: total,
            gpuModel: spec.gpuModel,
            vramMib: spec.vramMib,
            computeCapability: spec.computeCapability,
            region: spec.region,
            gpusRegistered: gpusRegistered
        });
    }

    /// @dev Checks the length and the padding; whether absentees ascend is left to those who read the log.
    function _isWellFormed(HeartbeatEncoding encoding, uint32 nodeCount_, bytes calldata bits)
        private
        pure
        returns (bool)
    {
        if (encoding == HeartbeatEncoding.Absentees) {
            return bits.length % 4 == 0 && bits.length / 4 <= nodeCount_;
        }
        if (bits.length != (uint256(nodeCount_) + 7) / 8) return false;
        return nodeCount_ % 8 == 0 || uint8(bits[bits.length - 1]) >> (nodeCount_ % 8) == 0;
    }
}
