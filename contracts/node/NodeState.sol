// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignedBatch} from "../SignedBatch.sol";
import {IComputeNode} from "../interfaces/IComputeNode.sol";
import {NodeRecords} from "../libraries/NodeRecords.sol";
import {ResourceMath} from "../libraries/ResourceMath.sol";
import {NodeSpec, Resources} from "../libraries/Types.sol";

/// @title The books of nodes, read by every part of ComputeNode
abstract contract NodeState is IComputeNode, SignedBatch, AccessManaged {
    using ResourceMath for uint88;

    mapping(uint32 nodeId => NodeRecords.Head) internal _heads;
    mapping(uint32 nodeId => NodeRecords.Terms) internal _terms;
    mapping(address key => NodeRecords.Hardware) internal _hardware;
    mapping(address account => bool) internal _committers;

    // | - 64 | nodeCount 32 | docker 160 |
    address internal _docker;
    uint32 internal _nodeCount;

    modifier onlyCommitter() {
        if (!_committers[msg.sender]) revert CallerNotCommitter(msg.sender);
        _;
    }

    constructor(address authority_) EIP712("ngpu ComputeNode", "1") AccessManaged(authority_) {}

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
    function keyOf(uint32 nodeId) external view returns (address) {
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
}
