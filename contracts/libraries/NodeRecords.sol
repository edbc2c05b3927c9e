// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IComputeNode} from "../interfaces/IComputeNode.sol";

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
}
