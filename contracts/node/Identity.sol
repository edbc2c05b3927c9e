// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IComputeNode} from "../interfaces/IComputeNode.sol";
import {NodeMessages} from "../libraries/NodeMessages.sol";
import {NodeRecords} from "../libraries/NodeRecords.sol";
import {Registration} from "./Registration.sol";

/// @title The owners of nodes: wallets, and the keys that wallets give to nodes
/// @notice A node asks for a wallet, and the wallet consents. From then on the wallet alone moves the node to another
/// wallet, replaces its key or revokes it. These changes are sequenced, so an older one never overtakes a newer one.
abstract contract Identity is Registration {
    using NodeMessages for *;

    /// @inheritdoc IComputeNode
    function setWalletBatch(WalletChange[] calldata changes, bytes[] calldata signatures) external pausable {
        uint256 items = _checkLengths(changes.length, signatures.length);
        for (uint256 i; i < items; ++i) {
            _settleItem(i, _setWallet(changes[i], signatures[i]));
        }
    }

    /// @inheritdoc IComputeNode
    function setKeyBatch(KeyChange[] calldata changes, bytes[] calldata signatures) external pausable {
        uint256 items = _checkLengths(changes.length, signatures.length);
        for (uint256 i; i < items; ++i) {
            _settleItem(i, _setKey(changes[i], signatures[i]));
        }
    }

    /// @inheritdoc IComputeNode
    function acceptNodes(uint32[] calldata nodeIds, bytes[] calldata consents) external pausable {
        uint256 items = _checkLengths(nodeIds.length, consents.length);
        for (uint256 i; i < items; ++i) {
            _settleItem(i, _accept(nodeIds[i], consents[i]));
        }
    }

    function _setWallet(WalletChange calldata message, bytes calldata signature)
        private
        returns (bytes memory refusal)
    {
        (uint32 nodeId, address wallet) = (message.nodeId, message.wallet);
        (address key, address bound) = (_heads[nodeId].key, _boundWalletOf(nodeId));
        if (key == address(0)) return abi.encodeWithSelector(NodeUnknown.selector, nodeId);
        address signer = bound == address(0) ? key : bound;
        NodeRecords.Hardware storage hardware = _hardware[key];
        refusal = _checkOwner(hardware, signer, message.sequence, message.deadline, message.hash(), signature);
        if (refusal.length != 0) return refusal;
        // Without a consent, a node that has no wallet asks for one. A bound wallet moves it to one that consents.
        bool isBound = wallet != address(0) && (bound != address(0) || _hasConsent(wallet, message.consent));
        // A node that keeps its wallet is not a new node of its operator.
        if (isBound && wallet != bound) refusal = _join(key, wallet, message.sequence, message.consent);
        if (refusal.length != 0) return refusal;

        hardware.ownership = message.sequence;
        (_terms[nodeId].wallet, _terms[nodeId].isBound) = (wallet, isBound);
        if (isBound || wallet == address(0)) emit NodeWalletSet(nodeId, wallet);
        else emit NodeWalletNominated(nodeId, wallet);
    }

    function _accept(uint32 nodeId, bytes calldata consent) private returns (bytes memory refusal) {
        (address key, address wallet) = (_heads[nodeId].key, _terms[nodeId].wallet);
        if (key == address(0) || wallet == address(0) || _terms[nodeId].isBound) {
            return abi.encodeWithSelector(NodeNotNominating.selector, nodeId);
        }
        refusal = _join(key, wallet, _hardware[key].ownership, consent);
        if (refusal.length != 0) return refusal;

        _terms[nodeId].isBound = true;
        emit NodeWalletSet(nodeId, wallet);
    }

    function _setKey(KeyChange calldata message, bytes calldata signature) private returns (bytes memory refusal) {
        (uint32 nodeId, address key) = (message.nodeId, message.key);
        address wallet = _boundWalletOf(nodeId);
        if (wallet == address(0)) return abi.encodeWithSelector(NodeWalletUnbound.selector, nodeId);
        address from = _hardwareKeyOf(nodeId);
        address to = key == address(0) ? address(uint160(nodeId)) : key;
        bytes32 digest = message.hash();
        refusal = _checkOwner(_hardware[from], wallet, message.sequence, message.deadline, digest, signature);
        if (refusal.length != 0) return refusal;
        if (key != address(0)) {
            uint32 holder = _hardware[key].nodeId;
            if (holder != 0) return abi.encodeWithSelector(NodeKeyTaken.selector, key, holder);
            refusal = _checkSigned(key, message.deadline, digest, message.consent);
            if (refusal.length != 0) return refusal;
        }

        _replaceKey(nodeId, from, to, message.sequence);
        _heads[nodeId].key = key;
        emit NodeKeySet(nodeId, key);
        // Only the new key's own message sets the node online again.
        if (key == address(0) && _heads[nodeId].status != NodeStatus.Offline) {
            _heads[nodeId].status = NodeStatus.Offline;
            emit NodeStatusChanged(nodeId, NodeStatus.Offline);
        }
    }

    /// @dev The old key's messages no longer count, so the new key's sequence begins again.
    function _replaceKey(uint32 nodeId, address from, address to, uint16 sequence) private {
        NodeRecords.Hardware memory hardware = _hardware[from];
        hardware.ownership = sequence;
        delete _hardware[from];
        if (from != address(uint160(nodeId))) _hardware[from].nodeId = nodeId;
        _hardware[to] = hardware;
        _terms[nodeId].sequence = 0;
    }

    /// @dev For a message of the node's owner: each has a higher sequence than the last accepted one.
    function _checkOwner(
        NodeRecords.Hardware storage hardware,
        address owner,
        uint16 sequence,
        uint256 deadline,
        bytes32 structHash,
        bytes calldata signature
    ) private view returns (bytes memory refusal) {
        uint16 last = hardware.ownership;
        if (sequence <= last) return abi.encodeWithSelector(SequenceStale.selector, sequence, last);
        return _checkSignedByWallet(owner, deadline, structHash, signature);
    }

    function _hasConsent(address wallet, bytes calldata consent) private view returns (bool) {
        return consent.length != 0 || msg.sender == wallet;
    }
}
