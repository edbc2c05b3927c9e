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
}
