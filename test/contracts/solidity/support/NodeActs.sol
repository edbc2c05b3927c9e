// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IComputeNode} from "../../../../contracts/interfaces/IComputeNode.sol";
import {NodeSpec, Resources} from "../../../../contracts/libraries/Types.sol";
import {Watch} from "./Watch.sol";
import {Vm, vm} from "./Vm.sol";

/// @notice Acts on nodes, signed by the right key and by wrong ones, and repeats of accepted messages.
abstract contract NodeActs is Watch {
    uint256 internal constant KEYS = 5;
    address internal constant STRANGER = address(0x57a);

    struct Accepted {
        address target;
        bytes data;
    }

    Accepted[] private _accepted;

    function nodeKeyOf(uint256 seed) public pure returns (uint256) {
        return 0x1000 + seed % KEYS;
    }

    function register(uint256 who, uint256 seed) public watched(Act.Other) {
        seed = mixed(seed);
        IComputeNode.Registration[] memory messages = new IComputeNode.Registration[](1);
        bytes[] memory signatures = new bytes[](1);
        messages[0] = _registrationOf(who, seed);
        signatures[0] = sign(nodeKeyOf(who), digestOf(messages[0]));
        _relay(abi.encodeCall(computeNode.registerBatch, (messages, signatures)));
    }

    function updateSpec(uint32 node, uint256 seed, uint8 signer) external watched(Act.Other) {
        seed = mixed(seed);
        IComputeNode.SpecUpdate[] memory messages = new IComputeNode.SpecUpdate[](1);
        bytes[] memory signatures = new bytes[](1);
        uint32 nodeId = node % 5 + 1;
        messages[0].nodeId = nodeId;
        messages[0].spec = _specOf(seed);
        messages[0].pricePerSecond = uint64(seed % 17);
        (messages[0].sequence, messages[0].deadline) = (_sequenceAfter(nodeId, seed), LATER);
        uint256 key = _signerOf(nodeId, signer);
        signatures[0] = sign(key, digestOf(messages[0]));
        bytes32 was = _digestOfNode(nodeId);
        _relay(abi.encodeCall(computeNode.updateSpecBatch, (messages, signatures)));
        if (_digestOfNode(nodeId) != was && vm.addr(key) != computeNode.nodeKeyOf(nodeId)) {
            signatureFault = "another key than the node's changed its spec";
        }
    }

    function setStatus(uint32 node, uint8 status, uint256 seed, uint8 signer) external watched(Act.Other) {
        IComputeNode.StatusChange[] memory messages = new IComputeNode.StatusChange[](1);
        bytes[] memory signatures = new bytes[](1);
        uint32 nodeId = node % 5 + 1;
        messages[0] = IComputeNode.StatusChange({
            nodeId: nodeId,
            status: IComputeNode.NodeStatus(status % 4),
            sequence: _sequenceAfter(nodeId, seed),
            deadline: LATER
        });
        uint256 key = _signerOf(nodeId, signer);
        signatures[0] = sign(key, digestOf(messages[0]));
        IComputeNode.NodeStatus was = computeNode.statusOf(nodeId);
        _relay(abi.encodeCall(computeNode.setStatusBatch, (messages, signatures)));
        if (computeNode.statusOf(nodeId) == was) return;
        if (vm.addr(key) != computeNode.nodeKeyOf(nodeId)) signatureFault = "another key than the node's set its status";
        if (status % 4 == 0) transitionFault = "a node's status went back to None";
    }

    /// @notice Only a cosigner's statement marks a node offline.
    function markOffline(uint32 node, bool isFalse) external watched(Act.Other) {
        IComputeNode.OfflineStatement[] memory statements = new IComputeNode.OfflineStatement[](1);
        (uint32 nodeId, uint64 deadline) = (node % 6, LATER);
        bytes32 digest = offlineDigest(nodeId, deadline);
        statements[0] = IComputeNode.OfflineStatement({
            nodeId: nodeId, deadline: deadline, signature: sign(isFalse ? WITNESS_KEY : COSIGNER_KEY, digest)
        });
        IComputeNode.NodeStatus was = computeNode.statusOf(nodeId);
        computeNode.markOffline(statements);
        if (isFalse && computeNode.statusOf(nodeId) != was) signatureFault = "another key than a cosigner's marked a node";
    }

    /// @notice Only the bound wallet, or the key while none is bound, changes the wallet, to one that consents.
    function setWallet(uint32 node, uint8 wallet, uint256 seed, uint8 signer) external watched(Act.Other) {
        IComputeNode.WalletChange[] memory messages = new IComputeNode.WalletChange[](1);
        bytes[] memory signatures = new bytes[](1);
        uint32 nodeId = node % 5 + 1;
        address to = wallet % 3 == 0 ? address(0) : vm.addr(nodeKeyOf(wallet));
        uint16 sequence = _ownershipAfter(nodeId, seed);
        bool hasConsent = seed % 4 != 0;
        bytes32 consent = consentDigest(computeNode.nodeKeyOf(nodeId), to, sequence);
        messages[0] = IComputeNode.WalletChange({
            nodeId: nodeId,
            wallet: to,
            sequence: sequence,
            deadline: LATER,
            consent: hasConsent ? sign(nodeKeyOf(wallet), consent) : bytes("")
        });
        uint256 key = _signerOf(nodeId, signer);
        signatures[0] = sign(key, digestOf(messages[0]));
        address holder = computeNode.payoutOf(nodeId);
        address was = computeNode.walletOf(nodeId);
        _relay(abi.encodeCall(computeNode.setWalletBatch, (messages, signatures)));
        if (computeNode.walletOf(nodeId) == was) return;
        if (vm.addr(key) != holder) signatureFault = "another than its owner moved a wallet";
        if (computeNode.walletOf(nodeId) != address(0) && !hasConsent) {
            signatureFault = "a wallet was bound without its consent";
        }
    }

    /// @notice Only the bound wallet replaces or revokes a key, and only by a key that consents and is unused.
    function setKey(uint32 node, uint8 next, uint256 seed, uint8 signer) external watched(Act.Other) {
        IComputeNode.KeyChange[] memory messages = new IComputeNode.KeyChange[](1);
        bytes[] memory signatures = new bytes[](1);
        uint32 nodeId = node % 5 + 1;
        address to = next % 4 == 0 ? address(0) : vm.addr(nodeKeyOf(next));
        messages[0] = IComputeNode.KeyChange({
            nodeId: nodeId, key: to, sequence: _ownershipAfter(nodeId, seed), deadline: LATER, consent: ""
        });
        bytes32 digest = digestOf(messages[0]);
        messages[0].consent = sign(nodeKeyOf(seed % 4 == 0 ? uint256(next) + 1 : next), digest);
        uint256 key = _signerOf(nodeId, signer);
        signatures[0] = sign(key, digest);
        (address was, address owner) = (computeNode.nodeKeyOf(nodeId), computeNode.walletOf(nodeId));
        bytes32 spec = _digestOfNode(nodeId);
        _relay(abi.encodeCall(computeNode.setKeyBatch, (messages, signatures)));
        if (_digestOfNode(nodeId) != spec) signatureFault = "a change of key changed the node";
        if (computeNode.nodeKeyOf(nodeId) == was) return;
        if (vm.addr(key) != owner) signatureFault = "another than its wallet changed a node's key";
        if (to != address(0) && computeNode.nodeIdOf(to) != nodeId) signatureFault = "a key of two nodes";
    }

    /// @notice Another account submits an accepted message again.
    function replay(uint256 which) external watched(Act.Other) {
        if (_accepted.length == 0) return;
        Accepted storage message = _accepted[mixed(which) % _accepted.length];
        vm.prank(STRANGER);
        (bool ok,) = message.target.call(message.data);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i; i < logs.length; ++i) {
            if (logs[i].topics[0] != keccak256("ItemRefused(uint256,bytes)")) {
                signatureFault = "a message was accepted twice";
            }
        }
        if (ok && logs.length == 0) signatureFault = "a repeated message passed in silence";
        vm.recordLogs();
    }

    function _remember(address target, bytes memory data) internal {
        if (_accepted.length < 64) _accepted.push(Accepted(target, data));
    }

    /// @dev Relayed by a stranger, since anyone may relay.
    function _relay(bytes memory data) internal {
        vm.prank(STRANGER);
        (bool ok,) = address(computeNode).call(data);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        if (!ok) signatureFault = "a batch reverted";
        if (logs.length == 1 && logs[0].topics[0] != keccak256("ItemRefused(uint256,bytes)")) {
            _remember(address(computeNode), data);
        }
        vm.recordLogs();
    }

    function _keyOfNode(uint32 nodeId) internal view returns (uint256) {
        return _secretOf(computeNode.nodeKeyOf(nodeId));
    }

    /// @dev The next sequence, or one around it.
    function _sequenceAfter(uint32 nodeId, uint256 seed) private view returns (uint24 sequence) {
        (sequence,) = computeNode.sequencesOf(nodeId);
        sequence += uint24(seed % 3);
    }

    function _ownershipAfter(uint32 nodeId, uint256 seed) private view returns (uint16 ownership) {
        (, ownership) = computeNode.sequencesOf(nodeId);
        ownership += uint16(seed % 3);
    }

    /// @dev The node's key, its wallet's, or any.
    function _signerOf(uint32 nodeId, uint8 signer) private view returns (uint256) {
        if (signer % 4 == 0) return nodeKeyOf(signer / 4);
        return _secretOf(signer % 4 == 1 ? computeNode.payoutOf(nodeId) : computeNode.nodeKeyOf(nodeId));
    }

    function _secretOf(address account) private pure returns (uint256) {
        for (uint256 i; i < KEYS; ++i) {
            if (vm.addr(nodeKeyOf(i)) == account) return nodeKeyOf(i);
        }
        return 0x57a;
    }

    function _registrationOf(uint256 who, uint256 seed)
        private
        pure
        returns (IComputeNode.Registration memory message)
    {
        message.key = vm.addr(nodeKeyOf(who));
        message.wallet = seed % 4 == 0 ? vm.addr(nodeKeyOf(seed)) : address(0);
        message.spec = _specOf(seed);
        message.pricePerSecond = uint64(seed % 17);
        message.deadline = LATER;
        message.gpuUuids = new bytes32[](message.spec.total.gpus);
        for (uint256 i; i < message.gpuUuids.length; ++i) message.gpuUuids[i] = bytes32((seed % 4) * 3 + i + 1);
    }

    function _digestOfNode(uint32 nodeId) private view returns (bytes32) {
        (NodeSpec memory spec, uint64 price) = computeNode.specOf(nodeId);
        return keccak256(abi.encode(spec, price));
    }

    function _specOf(uint256 seed) private pure returns (NodeSpec memory spec) {
        spec.vramMib = uint24(seed % 3) * 40_000;
        spec.computeCapability = 90;
        spec.total = Resources({
            gpus: uint8(seed % 3),
            cpuMilli: uint24(1_500 + seed % 8_000),
            memoryMib: uint24(1_500 + (seed >> 8) % 8_000),
            diskGib: uint16(20 + (seed >> 16) % 100),
            ports: uint16(2 + (seed >> 24) % 8)
        });
    }
}
