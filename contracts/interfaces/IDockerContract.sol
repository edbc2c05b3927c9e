// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IAssignments} from "./IAssignments.sol";
import {IDisproofs} from "./IDisproofs.sol";
import {IPowers} from "./IPowers.sol";
import {IReleases} from "./IReleases.sol";
import {IWorkspaces} from "./IWorkspaces.sol";

/// @title Images, workspaces and their assignments to nodes
/// @notice A workspace's spec is published in an event and stored as a hash: calls that need it pass it again.
/// Each (workspace, replica) has a lease number that only grows; a report under an older lease is refused.
/// @dev The functions of IWorkspaces, IPowers and IReleases are in DockerContract's extension (see Extended); callers use one address.
interface IDockerContract is IAssignments, IDisproofs, IPowers, IReleases, IWorkspaces {}
