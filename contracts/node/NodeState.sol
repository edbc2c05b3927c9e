// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Pauses} from "../Pauses.sol";
import {SignedBatch} from "../SignedBatch.sol";
import {IComputeNode} from "../interfaces/IComputeNode.sol";
import {NodeRecords} from "../libraries/NodeRecords.sol";
import {ResourceMath} from "../libraries/ResourceMath.sol";
import {NodeSpec, Resources} from "../libraries/Types.sol";

/// @title The shared state of ComputeNode's parts: nodes
abstract contract NodeState is IComputeNode, SignedBatch, Pauses {
    using ResourceMath for uint88;

    // | - 192 | nodeCount 32 | paused 32 |: see Pauses
    uint32 internal _nodeCount;

    mapping(uint32 nodeId => NodeRecords.Head) internal _heads;
    mapping(uint32 nodeId => NodeRecords.Terms) internal _terms;
    mapping(address key => NodeRecords.Hardware) internal _hardware;
    mapping(address account => bool) internal _committers;

    modifier onlyCommitter() {
        if (!_committers[msg.sender]) revert CallerNotCommitter(msg.sender);
        _;
    }

    constructor(address authority_) EIP712("ngpu ComputeNode", "1") Pauses(authority_) {}

    /// @inheritdoc IComputeNode
    function setHeartbeatCommitter(address account, bool allowed) external restricted {
        _committers[account] = allowed;
        emit HeartbeatCommitterSet(account, allowed);
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
    function nodeKeyOf(uint32 nodeId) external view returns (address) {
        return _heads[nodeId].key;
    }

    /// @inheritdoc IComputeNode
    function statusOf(uint32 nodeId) external view returns (NodeStatus) {
        return _heads[nodeId].status;
    }

    /// @inheritdoc IComputeNode
    function specOf(uint32 nodeId) external view returns (NodeSpec memory spec, uint64 pricePerSecond) {
        NodeRecords.Hardware storage hardware = _hardware[_heads[nodeId].key];
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

    /// @inheritdoc Pauses
    function _bitOf(bytes4 selector) internal pure override returns (uint256) {
        if (selector == IComputeNode.registerBatch.selector) return 0;
        if (selector == IComputeNode.updateSpecBatch.selector) return 1;
        if (selector == IComputeNode.markOffline.selector) return 2;
        if (selector == IComputeNode.commitHeartbeats.selector) return 3;
        if (selector == IComputeNode.disputeHeartbeats.selector) return 4;
        if (selector == IComputeNode.commitUptime.selector) return 5;
        if (selector == IComputeNode.setStatusBatch.selector) return FIRST_EXIT;
        if (selector == IComputeNode.setWalletBatch.selector) return FIRST_EXIT + 1;
        return NONE;
    }
}
