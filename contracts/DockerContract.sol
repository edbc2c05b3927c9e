// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {DockerExtension} from "./DockerExtension.sol";
import {Extended} from "./Extended.sol";
import {Disproofs} from "./docker/Disproofs.sol";
import {DockerState} from "./docker/DockerState.sol";
import {Placement} from "./docker/Placement.sol";
import {Reports} from "./docker/Reports.sol";
import {IComputeNode} from "./interfaces/IComputeNode.sol";
import {IDockerTypes} from "./interfaces/IDockerTypes.sol";
import {IEscrow} from "./interfaces/IEscrow.sol";

/// @notice See IDockerContract. The parts are in docker/, one for each kind of caller: keepers place, nodes report, and anyone
/// disproves a witness. What partners publish, keepers and witnesses, and the releases of leases are in the extension (see Extended).
contract DockerContract is Extended, Placement, Reports, Disproofs {
    /// @param authority_ The AccessManager.
    /// @param computeNode The registry of nodes, whose capacity assignments reserve.
    /// @param escrow The deposits that leases are paid from.
    /// @param clockMarginSeconds_ Seconds added to an exclusive workspace's grace.
    /// @param lossTerms_ What limits the releases of lost leases.
    /// @param workspacesBefore The highest id that previous contracts may use; this contract's ids begin after it.
    constructor(
        address authority_,
        IComputeNode computeNode,
        IEscrow escrow,
        uint40 clockMarginSeconds_,
        IDockerTypes.LossTerms memory lossTerms_,
        uint64 workspacesBefore
    )
        Extended(address(new DockerExtension(computeNode, escrow, clockMarginSeconds_, lossTerms_)))
        DockerState(authority_, computeNode, escrow, workspacesBefore)
    {}
}
