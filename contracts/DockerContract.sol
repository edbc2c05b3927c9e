// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Placement} from "./docker/Placement.sol";
import {DockerState} from "./docker/DockerState.sol";
import {Releases} from "./docker/Releases.sol";
import {Reports} from "./docker/Reports.sol";
import {Workspaces} from "./docker/Workspaces.sol";
import {IComputeNode} from "./interfaces/IComputeNode.sol";
import {IEscrow} from "./interfaces/IEscrow.sol";

/// @notice See IDockerContract. Its parts stand in docker/, one for each kind of caller: partners publish, keepers place,
/// nodes report, and leases end.
contract DockerContract is Workspaces, Placement, Reports, Releases {
    /// @param workspacesBefore The ids that contracts before this one may have given; its own begin after them.
    constructor(
        address authority_,
        IComputeNode computeNode,
        IEscrow escrow,
        uint40 clockMarginSeconds_,
        uint64 workspacesBefore
    )
        DockerState(authority_, computeNode, escrow, workspacesBefore)
        Releases(clockMarginSeconds_)
    {}
}
