// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {DockerState} from "./docker/DockerState.sol";
import {Powers} from "./docker/Powers.sol";
import {Workspaces} from "./docker/Workspaces.sol";
import {IComputeNode} from "./interfaces/IComputeNode.sol";
import {IEscrow} from "./interfaces/IEscrow.sol";

/// @notice The part of DockerContract that partners call: images and workspaces; and keepers and witnesses. See IWorkspaces, IPowers.
/// @dev It has no authority of its own, and its own entries are paused: it runs only on DockerContract's state.
contract DockerExtension is Workspaces, Powers {
    /// @param computeNode The registry of nodes.
    /// @param escrow The deposits that leases are paid from.
    constructor(IComputeNode computeNode, IEscrow escrow)
        DockerState(address(0), computeNode, escrow, 0)
    {
        _pauseEntries();
    }
}
