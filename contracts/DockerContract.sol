// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Placement} from "./docker/Placement.sol";
import {DockerState} from "./docker/DockerState.sol";
import {Releases} from "./docker/Releases.sol";
import {Reports} from "./docker/Reports.sol";
import {Workspaces} from "./docker/Workspaces.sol";
import {IComputeNode} from "./interfaces/IComputeNode.sol";
import {IEscrow} from "./interfaces/IEscrow.sol";

/// @notice See IDockerContract. The parts are in docker/, one for each kind of caller: partners publish, keepers place,
/// nodes report. One part ends leases.
contract DockerContract is Workspaces, Placement, Reports, Releases {
    /// @param workspacesBefore The highest id that previous contracts may use; this contract's ids begin after it.
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
