// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IComputeNode} from "../../../../contracts/interfaces/IComputeNode.sol";
import {IDockerTypes} from "../../../../contracts/interfaces/IDockerTypes.sol";
import {IEscrowTypes} from "../../../../contracts/interfaces/IEscrowTypes.sol";
import {IProgress} from "../../../../contracts/interfaces/IProgress.sol";
import {NodeSpec} from "../../../../contracts/libraries/Types.sol";
import {Market} from "./Market.sol";
import {vm} from "./Vm.sol";

/// @notice EIP-712 signatures, with every type restated.
abstract contract Signing is Market {
    string private constant RESOURCES =
        "Resources(uint8 gpus,uint24 cpuMilli,uint24 memoryMib,uint16 diskGib,uint16 ports)";
    string private constant NODE_SPEC =
        "NodeSpec(bytes8 gpuModel,uint24 vramMib,uint8 computeCapability,bytes2 region,Resources total)";

    function sign(uint256 signer, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(signer, digest);
        return abi.encodePacked(r, s, v);
    }

    function digestOf(string memory name, address verifier, bytes32 structHash) internal view returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256(bytes(name)),
                keccak256("1"),
                block.chainid,
                verifier
            )
        );
        return keccak256(abi.encodePacked(hex"1901", domain, structHash));
    }

    function digestOf(IComputeNode.Registration memory message) internal view returns (bytes32) {
        bytes32 typeHash = keccak256(
            abi.encodePacked(
                "Registration(address key,address wallet,NodeSpec spec,uint64 pricePerSecond,string gpuName,"
                "bytes32[] gpuUuids,uint64 deadline)",
                NODE_SPEC,
                RESOURCES
            )
        );
        return _nodeDigest(
            abi.encode(
                typeHash,
                message.key,
                message.wallet,
                _hashOf(message.spec),
                message.pricePerSecond,
                keccak256(bytes(message.gpuName)),
                keccak256(abi.encodePacked(message.gpuUuids)),
                message.deadline
            )
        );
    }

    function offlineDigest(uint32 nodeId, uint64 deadline) internal view returns (bytes32) {
        bytes32 typeHash = keccak256("NodeOffline(uint32 nodeId,uint64 deadline)");
        return _nodeDigest(abi.encode(typeHash, nodeId, deadline));
    }

    function digestOf(IComputeNode.SpecUpdate memory message) internal view returns (bytes32) {
        bytes32 typeHash = keccak256(
            abi.encodePacked(
                "SpecUpdate(uint32 nodeId,NodeSpec spec,uint64 pricePerSecond,string gpuName,uint24 sequence,uint64 deadline)",
                NODE_SPEC,
                RESOURCES
            )
        );
        return _nodeDigest(
            abi.encode(
                typeHash,
                message.nodeId,
                _hashOf(message.spec),
                message.pricePerSecond,
                keccak256(bytes(message.gpuName)),
                message.sequence,
                message.deadline
            )
        );
    }

    function digestOf(IComputeNode.StatusChange memory message) internal view returns (bytes32) {
        bytes32 typeHash = keccak256("StatusChange(uint32 nodeId,uint8 status,uint24 sequence,uint64 deadline)");
        return _nodeDigest(abi.encode(typeHash, message));
    }

    function digestOf(IComputeNode.WalletChange memory message) internal view returns (bytes32) {
        bytes32 typeHash = keccak256("WalletChange(uint32 nodeId,address wallet,uint16 sequence,uint64 deadline)");
        return _nodeDigest(
            abi.encode(typeHash, message.nodeId, message.wallet, message.sequence, message.deadline)
        );
    }

    function digestOf(IComputeNode.KeyChange memory message) internal view returns (bytes32) {
        bytes32 typeHash = keccak256("KeyChange(uint32 nodeId,address key,uint16 sequence,uint64 deadline)");
        return _nodeDigest(abi.encode(typeHash, message.nodeId, message.key, message.sequence, message.deadline));
    }

    function consentDigest(address key, address wallet, uint16 sequence) internal view returns (bytes32) {
        bytes32 typeHash = keccak256("WalletConsent(address key,address wallet,uint16 sequence)");
        return _nodeDigest(abi.encode(typeHash, key, wallet, sequence));
    }

    function digestOf(IDockerTypes.Report memory message) internal view returns (bytes32) {
        bytes32 typeHash = keccak256(
            "Report(uint64 workspaceId,uint16 replica,uint32 lease,bytes8 fence,uint8 state,bytes32 detail,"
            "uint24 sequence,uint64 deadline)"
        );
        return digestOf("ngpu DockerContract", address(docker), keccak256(abi.encode(typeHash, message)));
    }

    function digestOf(IProgress.ProgressReport memory message) internal view returns (bytes32) {
        bytes32 typeHash = keccak256(
            "ProgressReport(uint64 workspaceId,uint16 replica,uint32 lease,bytes8 fence,uint8 milestone,uint64 deadline)"
        );
        return digestOf("ngpu Progress", address(progress), keccak256(abi.encode(typeHash, message)));
    }

    /// @notice Packed, with its compact signature.
    function pack(IDockerTypes.Report memory message, bytes memory signature)
        internal
        pure
        returns (IDockerTypes.SignedReport memory)
    {
        bytes memory head = abi.encodePacked(
            message.workspaceId,
            message.replica,
            message.lease,
            message.fence,
            uint8(message.state),
            message.sequence,
            uint48(message.deadline)
        );
        (bytes32 r, bytes32 vs) = _compact(signature);
        return IDockerTypes.SignedReport(bytes32(head), message.detail, r, vs);
    }

    /// @notice A statement that a node is silent since `lastHeard`, of now.
    function stateLoss(uint256 signer, uint32 nodeId, uint40 lastHeard)
        internal
        view
        returns (IDockerTypes.SignedLoss memory)
    {
        uint40 time = uint40(block.timestamp);
        bytes32 typeHash = keccak256("Lost(uint32 nodeId,uint40 lastHeard,uint40 statedAt)");
        bytes32 structHash = keccak256(abi.encode(typeHash, nodeId, lastHeard, time));
        bytes memory signature = sign(signer, digestOf("ngpu DockerContract", address(docker), structHash));
        (bytes32 r, bytes32 vs) = _compact(signature);
        return IDockerTypes.SignedLoss(bytes32(abi.encodePacked(nodeId, lastHeard, time)), r, vs);
    }

    function digestOf(IEscrowTypes.Authorization memory message) internal view returns (bytes32) {
        bytes32 typeHash = keccak256(
            "Authorization(address owner,address delegate,uint64 maxRate,uint96 daily,uint128 total,bytes32 scope,"
            "uint40 expiry,uint256 nonce)"
        );
        return digestOf("ngpu Escrow", address(escrow), keccak256(abi.encode(typeHash, message)));
    }

    function _nodeDigest(bytes memory encoded) private view returns (bytes32) {
        return digestOf("ngpu ComputeNode", address(computeNode), keccak256(encoded));
    }

    function _compact(bytes memory signature) private pure returns (bytes32 r, bytes32 vs) {
        assembly ("memory-safe") {
            let v := byte(0, mload(add(signature, 0x60)))
            r := mload(add(signature, 0x20))
            vs := or(mload(add(signature, 0x40)), shl(255, sub(v, 27)))
        }
    }

    function _hashOf(NodeSpec memory spec) private pure returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256(abi.encodePacked(NODE_SPEC, RESOURCES)),
                spec.gpuModel,
                spec.vramMib,
                spec.computeCapability,
                spec.region,
                keccak256(abi.encode(keccak256(bytes(RESOURCES)), spec.total))
            )
        );
    }
}
