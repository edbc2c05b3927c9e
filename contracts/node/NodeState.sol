// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
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
    /// @dev An account has one power over presence: what it commits, it can neither acknowledge nor cosign.
    enum Power {
        None,
        Committer,
        Acknowledger,
        Cosigner
    }

    mapping(address account => Power) internal _powers;

    modifier onlyCommitter() {
        if (_powers[msg.sender] != Power.Committer) revert CallerNotCommitter(msg.sender);
        _;
    }

    constructor(address authority_) EIP712("ngpu ComputeNode", "1") Pauses(authority_) {}

    /// @inheritdoc IComputeNode
    function setHeartbeatCommitter(address account, bool allowed) external restricted {
        _setPower(account, Power.Committer, allowed);
    }

    /// @inheritdoc IComputeNode
    function setHeartbeatAcknowledger(address account, bool allowed) external restricted {
        _setPower(account, Power.Acknowledger, allowed);
    }

    /// @inheritdoc IComputeNode
    function setHeartbeatCosigner(address account, bool allowed) external restricted {
        _setPower(account, Power.Cosigner, allowed);
    }

    /// @inheritdoc IComputeNode
    function isHeartbeatCosigner(address account) external view returns (bool) {
        return _powers[account] == Power.Cosigner;
    }

    /// @inheritdoc IComputeNode
    function isHeartbeatAcknowledger(address account) external view returns (bool) {
        return _powers[account] == Power.Acknowledger;
    }

    /// @inheritdoc IComputeNode
    function isHeartbeatCommitter(address account) external view returns (bool) {
        return _powers[account] == Power.Committer;
    }

    /// @inheritdoc IComputeNode
    function nodeCount() external view returns (uint32) {
        return _nodeCount;
    }

    /// @inheritdoc IComputeNode
    function nodeIdOf(address key) external view returns (uint32) {
        uint32 nodeId = _hardware[key].nodeId;
        return _heads[nodeId].key == key ? nodeId : 0;
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
        NodeRecords.Hardware storage hardware = _hardware[_hardwareKeyOf(nodeId)];
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
        return _boundWalletOf(nodeId);
    }

    /// @inheritdoc IComputeNode
    function nominatedWalletOf(uint32 nodeId) external view returns (address) {
        NodeRecords.Terms storage terms = _terms[nodeId];
        return terms.isBound ? address(0) : terms.wallet;
    }

    /// @inheritdoc IComputeNode
    function sequencesOf(uint32 nodeId) external view returns (uint24 sequence, uint16 ownership) {
        return (_terms[nodeId].sequence, _hardware[_hardwareKeyOf(nodeId)].ownership);
    }

    /// @inheritdoc IComputeNode
    function payoutOf(uint32 nodeId) external view returns (address) {
        address wallet = _boundWalletOf(nodeId);
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
        if (selector == IComputeNode.setKeyBatch.selector) return FIRST_EXIT + 2;
        if (selector == IComputeNode.acceptNodes.selector) return 6;
        if (selector == IComputeNode.commitCosignedHeartbeats.selector) return 7;
        return NONE;
    }

    /// @dev Stopping an account that has another power changes nothing.
    function _setPower(address account, Power power, bool allowed) internal {
        Power held = _powers[account];
        if (held == Power.None || held == power) _powers[account] = allowed ? power : Power.None;
        else if (allowed) revert AccountHasOtherPower(account);
        if (power == Power.Committer) emit HeartbeatCommitterSet(account, allowed);
        else if (power == Power.Acknowledger) emit HeartbeatAcknowledgerSet(account, allowed);
        else emit HeartbeatCosignerSet(account, allowed);
    }

    /// @dev Whether an account with the power signed the message, and the account. No account has signed what is malformed.
    function _isSignedWith(Power power, bytes32 structHash, bytes calldata signature)
        internal
        view
        returns (bool isSigned, address signer)
    {
        ECDSA.RecoverError fault;
        (signer, fault,) = ECDSA.tryRecoverCalldata(_hashTypedDataV4(structHash), signature);
        isSigned = fault == ECDSA.RecoverError.NoError && _powers[signer] == power;
    }

    function _boundWalletOf(uint32 nodeId) internal view returns (address) {
        NodeRecords.Terms storage terms = _terms[nodeId];
        return terms.isBound ? terms.wallet : address(0);
    }

    /// @dev Where a node's hardware is stored: at its key, or at its number while its key is revoked.
    function _hardwareKeyOf(uint32 nodeId) internal view returns (address key) {
        key = _heads[nodeId].key;
        if (key == address(0)) key = address(uint160(nodeId));
    }
}
