// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IComputeNode} from "../interfaces/IComputeNode.sol";

/// @title Who may change a node's status to what
/// @dev n: the node itself, by its signature; c: a heartbeat committer, when it stopped answering.
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
