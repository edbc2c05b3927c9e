// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IComputeNode} from "../interfaces/IComputeNode.sol";
import {NodeSpec} from "./Types.sol";

/// @title The stored record of a node: three slots
library NodeRecords {
    // | free 88 | status 8 | key 160 |
    struct Head {
        address key;
        IComputeNode.NodeStatus status;
        /// @dev Packed resources without a reservation.
        uint88 free;
    }

    // | isBound 8 | sequence 24 | pricePerSecond 64 | wallet 160 |
    struct Terms {
        /// @dev The bound wallet, or the one that the node asks for while it is not bound.
        address wallet;
        uint64 pricePerSecond;
        /// @dev Of the last accepted message of the node's key.
        uint24 sequence;
        /// @dev Whether the wallet has consented.
        bool isBound;
    }

    /// @dev A key that was replaced keeps `nodeId` alone, so that it registers no other node. The hardware of a node whose key
    /// is revoked is at the address of the node's number, of which no key is known.
    // | ownership 16 | gpusRegistered 8 | region 16 | computeCapability 8 | vramMib 24 | gpuModel 64 | total 88 | nodeId 32 |
    struct Hardware {
        uint32 nodeId;
        uint88 total;
        bytes8 gpuModel;
        uint24 vramMib;
        uint8 computeCapability;
        bytes2 region;
        uint8 gpusRegistered;
        /// @dev The sequence of the last accepted change of wallet or key.
        uint16 ownership;
    }

    /// @dev Writes the slot once. Solidity reads and writes it for each field: 260 gas.
    function set(Head storage head, address key, IComputeNode.NodeStatus status, uint88 free) internal {
        uint256 word = uint256(free) << 168 | uint256(status) << 160 | uint160(key);
        assembly ("memory-safe") {
            sstore(head.slot, word)
        }
    }

    /// @dev As the first.
    function set(Terms storage terms, address wallet, uint64 pricePerSecond, uint24 sequence, bool isBound) internal {
        uint256 word = uint256(isBound ? 1 : 0) << 248 | uint256(sequence) << 224 | uint256(pricePerSecond) << 160
            | uint160(wallet);
        assembly ("memory-safe") {
            sstore(terms.slot, word)
        }
    }

    /// @dev As the first.
    function set(
        Hardware storage hardware,
        uint32 nodeId,
        uint88 total,
        NodeSpec calldata spec,
        uint8 gpusRegistered,
        uint16 ownership
    ) internal {
        uint256 word = uint256(ownership) << 240 | uint256(gpusRegistered) << 232 | uint256(uint16(spec.region)) << 216
            | uint256(spec.computeCapability) << 208 | uint256(spec.vramMib) << 184
            | uint256(uint64(spec.gpuModel)) << 120 | uint256(total) << 32 | nodeId;
        assembly ("memory-safe") {
            sstore(hardware.slot, word)
        }
    }
}
