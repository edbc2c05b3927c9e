// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IComputeNode} from "./IComputeNode.sol";
import {IDockerTypes} from "./IDockerTypes.sol";

/// @title Evidence against a witness
interface IDisproofs is IDockerTypes {
    /// @notice A slot's heartbeats as they were committed: ComputeNode stores their hash.
    struct CommittedSlot {
        IComputeNode.HeartbeatEncoding encoding;
        uint32 nodeCount;
        bytes bits;
    }

    /// @notice Disables a witness that stated the silence of a node that was present: in a slot that, with its two neighbours, is
    /// within the stated silence, a committer committed its heartbeat, an acknowledger's acknowledgement of it is recorded
    /// (ComputeNode.disputeHeartbeats, which anyone may call for a bit that was committed too), and measurers did not find it absent.
    /// The word of one key ends no witness's power. Anyone.
    /// @param loss The statement, however old.
    /// @param slot The slot.
    /// @param committed The slot's heartbeats as committed.
    function disproveWitness(SignedLoss calldata loss, uint64 slot, CommittedSlot calldata committed) external;
}
