// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IComputeNode} from "../interfaces/IComputeNode.sol";
import {StructHash} from "./StructHash.sol";
import {NodeSpec} from "./Types.sol";

/// @title EIP-712 struct hashes of the messages that nodes sign for ComputeNode
library NodeMessages {
    bytes32 private constant RESOURCES_TYPEHASH =
        keccak256("Resources(uint8 gpus,uint24 cpuMilli,uint24 memoryMib,uint16 diskGib,uint16 ports)");

    bytes32 private constant NODE_SPEC_TYPEHASH = keccak256(
        "NodeSpec(bytes8 gpuModel,uint24 vramMib,uint8 computeCapability,bytes2 region,Resources total)"
        "Resources(uint8 gpus,uint24 cpuMilli,uint24 memoryMib,uint16 diskGib,uint16 ports)"
    );

    bytes32 private constant REGISTRATION_TYPEHASH = keccak256(
        "Registration(address key,address wallet,NodeSpec spec,uint64 pricePerSecond,string gpuName,"
        "bytes32[] gpuUuids,uint64 deadline)"
        "NodeSpec(bytes8 gpuModel,uint24 vramMib,uint8 computeCapability,bytes2 region,Resources total)"
        "Resources(uint8 gpus,uint24 cpuMilli,uint24 memoryMib,uint16 diskGib,uint16 ports)"
    );

    bytes32 private constant SPEC_UPDATE_TYPEHASH = keccak256(
        "SpecUpdate(uint32 nodeId,NodeSpec spec,uint64 pricePerSecond,string gpuName,uint24 sequence,uint64 deadline)"
        "NodeSpec(bytes8 gpuModel,uint24 vramMib,uint8 computeCapability,bytes2 region,Resources total)"
        "Resources(uint8 gpus,uint24 cpuMilli,uint24 memoryMib,uint16 diskGib,uint16 ports)"
    );

    bytes32 private constant STATUS_CHANGE_TYPEHASH =
        keccak256("StatusChange(uint32 nodeId,uint8 status,uint24 sequence,uint64 deadline)");

    bytes32 private constant WALLET_CHANGE_TYPEHASH =
        keccak256("WalletChange(uint32 nodeId,address wallet,uint16 sequence,uint64 deadline)");

    bytes32 private constant KEY_CHANGE_TYPEHASH =
        keccak256("KeyChange(uint32 nodeId,address key,uint16 sequence,uint64 deadline)");

    bytes32 private constant WALLET_CONSENT_TYPEHASH =
        keccak256("WalletConsent(address key,address wallet,uint16 sequence)");

    bytes32 private constant HEARTBEAT_ACK_TYPEHASH = keccak256("HeartbeatAck(uint64 slot,bytes32 root)");

    bytes32 private constant HEARTBEAT_SLOT_TYPEHASH =
        keccak256("HeartbeatSlot(uint64 slot,uint8 encoding,uint32 nodeCount,bytes bits)");

    bytes32 private constant NODE_OFFLINE_TYPEHASH = keccak256("NodeOffline(uint32 nodeId,uint64 deadline)");

    /// @notice The message by which a cosigner agrees to the bits of a slot.
    function hashSlot(
        uint64 slot,
        IComputeNode.HeartbeatEncoding encoding,
        uint32 nodeCount,
        bytes32 bitsHash
    ) internal pure returns (bytes32) {
        return keccak256(abi.encode(HEARTBEAT_SLOT_TYPEHASH, slot, encoding, nodeCount, bitsHash));
    }

    /// @notice The message by which a cosigner states that a node is offline.
    function hashOffline(uint32 nodeId, uint64 deadline) internal pure returns (bytes32) {
        return keccak256(abi.encode(NODE_OFFLINE_TYPEHASH, nodeId, deadline));
    }

    /// @notice The message that an acknowledger signs for the nodes whose heartbeats it acknowledged in a slot.
    function hashHeartbeatAck(uint64 slot, bytes32 root) internal pure returns (bytes32) {
        return keccak256(abi.encode(HEARTBEAT_ACK_TYPEHASH, slot, root));
    }

    /// @notice The message by which a wallet accepts the node of a key.
    function hashConsent(address key, address wallet, uint16 sequence) internal pure returns (bytes32 digest) {
        bytes32 typehash = WALLET_CONSENT_TYPEHASH;
        assembly ("memory-safe") {
            // Beyond the allocated memory, which is not kept.
            let words := mload(0x40)
            mstore(words, typehash)
            mstore(add(words, 0x20), shr(96, shl(96, key)))
            mstore(add(words, 0x40), shr(96, shl(96, wallet)))
            mstore(add(words, 0x60), and(sequence, 0xffff))
            digest := keccak256(words, 0x80)
        }
    }

    /// @dev In memory that is not kept, since a long batch pays for all that is. The message's words: key, wallet, nine of the spec,
    /// price, two offsets, deadline, an offset. The caller checks that they fit their types.
    function hash(IComputeNode.Registration calldata message) internal pure returns (bytes32 digest) {
        bytes32 typehash = REGISTRATION_TYPEHASH;
        bytes32 spec = hash(message.spec);
        (string calldata name, bytes32[] calldata uuids) = (message.gpuName, message.gpuUuids);
        assembly ("memory-safe") {
            let words := mload(0x40)
            calldatacopy(words, name.offset, name.length)
            let nameHash := keccak256(words, name.length)
            let length := shl(5, uuids.length)
            calldatacopy(words, uuids.offset, length)
            let uuidsHash := keccak256(words, length)
            mstore(words, typehash)
            calldatacopy(add(words, 0x20), message, 0x40)
            mstore(add(words, 0x60), spec)
            calldatacopy(add(words, 0x80), add(message, 0x160), 0x20)
            mstore(add(words, 0xa0), nameHash)
            mstore(add(words, 0xc0), uuidsHash)
            calldatacopy(add(words, 0xe0), add(message, 0x1c0), 0x20)
            digest := keccak256(words, 0x100)
        }
    }

    function hash(IComputeNode.SpecUpdate calldata message) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                SPEC_UPDATE_TYPEHASH,
                message.nodeId,
                hash(message.spec),
                message.pricePerSecond,
                keccak256(bytes(message.gpuName)),
                message.sequence,
                message.deadline
            )
        );
    }

    function hash(IComputeNode.StatusChange calldata message) internal pure returns (bytes32) {
        uint256 offset;
        assembly ("memory-safe") {
            offset := message
        }
        return StructHash.ofWords(STATUS_CHANGE_TYPEHASH, offset, 4);
    }

    function hash(IComputeNode.WalletChange calldata message) internal pure returns (bytes32) {
        uint256 offset;
        assembly ("memory-safe") {
            offset := message
        }
        return StructHash.ofWords(WALLET_CHANGE_TYPEHASH, offset, 4);
    }

    function hash(IComputeNode.KeyChange calldata message) internal pure returns (bytes32) {
        uint256 offset;
        assembly ("memory-safe") {
            offset := message
        }
        return StructHash.ofWords(KEY_CHANGE_TYPEHASH, offset, 4);
    }

    /// @dev The four fields of a spec and the five of its resources are nine words, of which the last five are hashed first.
    function hash(NodeSpec calldata spec) internal pure returns (bytes32 digest) {
        uint256 offset;
        assembly ("memory-safe") {
            offset := spec
        }
        bytes32 typehash = NODE_SPEC_TYPEHASH;
        bytes32 resources = StructHash.ofWords(RESOURCES_TYPEHASH, offset + 0x80, 5);
        assembly ("memory-safe") {
            // Beyond the allocated memory, which is not kept.
            let words := mload(0x40)
            mstore(words, typehash)
            calldatacopy(add(words, 0x20), offset, 0x80)
            mstore(add(words, 0xa0), resources)
            digest := keccak256(words, 0xc0)
        }
    }
}
