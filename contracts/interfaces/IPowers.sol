// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IDismissals} from "./IDismissals.sol";
import {IDockerTypes} from "./IDockerTypes.sol";

/// @title Keepers and witnesses: the accounts that act for all owners, and those without whose word no keeper takes a healthy lease
interface IPowers is IDockerTypes, IDismissals {
    /// @notice Lets `account` assign, order and release for any workspace within its owner's authorization, or stops it.
    /// Restricted. It must not be a witness.
    /// @param account The keeper.
    /// @param allowed Whether it may.
    function setKeeper(address account, bool allowed) external;

    /// @notice Lets statements of `account` release leases, or stops it. Restricted. It must not be a keeper.
    /// @param account The witness.
    /// @param allowed Whether its statements count.
    function setWitness(address account, bool allowed) external;

    /// @notice Whether the account is a keeper.
    /// @param account The account.
    /// @return Whether it is.
    function isKeeper(address account) external view returns (bool);

    /// @notice The highest price at which a keeper replaces a lease that was taken away.
    /// @param workspaceId The workspace.
    /// @param replica The replica.
    /// @return limit The price of a second; the highest possible one where nothing limits it.
    /// @return until Until when; zero where nothing limits it.
    function priceLimitOf(uint64 workspaceId, uint16 replica) external view returns (uint64 limit, uint40 until);

    /// @notice A witness.
    /// @param account The account.
    /// @return allowed Whether its statements count.
    /// @return windowAt When its last ten minutes began.
    /// @return released The leases that its statements released in them.
    function witnessOf(address account) external view returns (bool allowed, uint40 windowAt, uint32 released);
}
