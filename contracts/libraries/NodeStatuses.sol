// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IComputeNode} from "../interfaces/IComputeNode.sol";

/// @title The transitions of a node's status and who may make them
/// @dev n: the node itself, by its signature; c: a heartbeat committer, when the node stopped responding.
///
/// | from \ to   | Online | Offline | Maintenance |
/// |-------------|--------|---------|-------------|
/// | None        | n (registration) |   |         |
/// | Online      |        | n c     | n           |
/// | Offline     | n      |         | n           |
/// | Maintenance | n      | n       |             |
library NodeStatuses {
    function mayDeclare(IComputeNode.NodeStatus from, IComputeNode.NodeStatus to) internal pure returns (bool) {
        return from != IComputeNode.NodeStatus.None && to != IComputeNode.NodeStatus.None && from != to;
    }

    function mayBeMarkedOffline(IComputeNode.NodeStatus from) internal pure returns (bool) {
        return from == IComputeNode.NodeStatus.Online;
    }
}
