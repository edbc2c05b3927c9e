// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IComputeNode} from "./IComputeNode.sol";
import {IDismissals} from "./IDismissals.sol";
import {IDockerTypes} from "./IDockerTypes.sol";

/// @title Keepers and witnesses: the accounts that act for all owners, and those without whose word no keeper takes a healthy lease
interface IPowers is IDockerTypes, IDismissals {
    /// @notice A slot's heartbeats as they were committed: ComputeNode stores their hash.
    struct CommittedSlot {
        IComputeNode.HeartbeatEncoding encoding;
        uint32 nodeCount;
        bytes bits;
    }

    /// @notice Lets `account` assign, order and release for any workspace within its owner's authorization, or stops it.
    /// Restricted. It must not be a witness.
    /// @param account The keeper.
    /// @param allowed Whether it may.
    function setKeeper(address account, bool allowed) external;

    /// @notice Lets statements of `account` release leases, or stops it. Restricted. It must not be a keeper.
    /// @param account The witness.
    /// @param allowed Whether its statements count.
    function setWitness(address account, bool allowed) external;

    /// @notice Disables a witness that stated the silence of a node that was present: in a slot that, with its two neighbours, is
    /// within the stated silence, its heartbeat was committed, or a receipt of it recorded (ComputeNode.disputeHeartbeats), and
    /// measurers did not find it absent. Anyone.
    /// @param loss The statement, however old.
    /// @param slot The slot.
    /// @param committed The slot's heartbeats as committed; ignored where a receipt was recorded.
    function disproveWitness(SignedLoss calldata loss, uint64 slot, CommittedSlot calldata committed) external;

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
