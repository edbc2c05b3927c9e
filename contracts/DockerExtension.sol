// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {DockerState} from "./docker/DockerState.sol";
import {Losses} from "./docker/Losses.sol";
import {Powers} from "./docker/Powers.sol";
import {Releases} from "./docker/Releases.sol";
import {Workspaces} from "./docker/Workspaces.sol";
import {IComputeNode} from "./interfaces/IComputeNode.sol";
import {IDockerTypes} from "./interfaces/IDockerTypes.sol";
import {IEscrow} from "./interfaces/IEscrow.sol";

/// @notice The part of DockerContract that is called less: images and workspaces, keepers and witnesses, and the releases of leases.
/// See IWorkspaces, IPowers, IReleases.
/// @dev It has no authority of its own, and its own entries are paused: it runs only on DockerContract's state.
contract DockerExtension is Workspaces, Powers, Releases {
    /// @param computeNode The registry of nodes.
    /// @param escrow The deposits that leases are paid from.
    /// @param clockMarginSeconds_ Seconds added to an exclusive workspace's grace.
    /// @param lossTerms_ What limits the releases of lost leases.
    constructor(
        IComputeNode computeNode,
        IEscrow escrow,
        uint40 clockMarginSeconds_,
        IDockerTypes.LossTerms memory lossTerms_
    )
        DockerState(address(0), computeNode, escrow, 0)
        Losses(lossTerms_)
        Releases(clockMarginSeconds_)
    {
        _pauseEntries();
    }
}
