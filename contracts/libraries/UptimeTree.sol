// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";

/// @title The leaves of a day's uptime root
/// @notice Each leaf is keccak256(keccak256(abi.encode(kind, fields))): hashed twice, so that no inner node passes for a leaf, and
/// with its kind first, so that no kind passes for the other. packages/protocol/uptimeTree.ts hashes the same.
library UptimeTree {
    /// @notice How much of a day a node was present.
    struct NodeUptime {
        /// @dev Days since 1970, of ComputeNode's day length.
        uint64 day;
        uint32 nodeId;
        /// @dev Slots in which it was present: committed or disputed, and not challenged.
        uint32 presentSlots;
        /// @dev Slots of the day that the chain has a word of for this node: committed with it among the nodes, or disputed.
        uint32 totalSlots;
    }

    /// @notice For how long a lease was paid for while its node was down.
    struct LeaseDowntime {
        uint64 day;
        uint64 workspaceId;
        uint16 replica;
        uint32 lease;
        uint32 nodeId;
        uint64 authorizationId;
        /// @dev Token units (1e-18) a second.
        uint64 rate;
        /// @dev Seconds of the day in which the lease ran and its node was not present.
        uint32 downSeconds;
    }

    uint8 internal constant NODE = 1;
    uint8 internal constant LEASE = 2;

    function leafOf(NodeUptime calldata uptime) internal pure returns (bytes32) {
        return _twice(abi.encode(NODE, uptime));
    }

    function leafOf(LeaseDowntime calldata downtime) internal pure returns (bytes32) {
        return _twice(abi.encode(LEASE, downtime));
    }

    /// @notice Whether `leaf` stands under `root`; under no root, which is zero, stands none.
    function isUnder(bytes32 leaf, bytes32 root, bytes32[] calldata proof) internal pure returns (bool) {
        return root != 0 && MerkleProof.verifyCalldata(proof, root, leaf);
    }

    function _twice(bytes memory fields) private pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(fields)));
    }
}
