// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";

/// @title The leaves of a day's uptime root
/// @notice Each leaf is keccak256(keccak256(abi.encode(kind, fields))): hashed twice, so that no inner node is valid as a leaf,
/// and with its kind first, so that no kind is valid as the other. packages/protocol/uptimeTree.ts computes the same hash.
library UptimeTree {
    /// @notice A node's presence on a day.
    struct NodeUptime {
        /// @dev Days since 1970, of ComputeNode's day length.
        uint64 day;
        uint32 nodeId;
        /// @dev Slots in which the node was present: committed or disputed, and not challenged.
        uint32 presentSlots;
        /// @dev Slots of the day with a record of this node: committed with it among the nodes, or disputed.
        uint32 totalSlots;
    }

    /// @notice The paid time of a lease in which its node was down.
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

    /// @notice Whether `root` contains `leaf`; the zero root contains none.
    function isUnder(bytes32 leaf, bytes32 root, bytes32[] calldata proof) internal pure returns (bool) {
        return root != 0 && MerkleProof.verifyCalldata(proof, root, leaf);
    }

    function _twice(bytes memory fields) private pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(fields)));
    }
}
