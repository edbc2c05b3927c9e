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
    /// within the stated silence, its heartbeat was committed, or an acknowledgement of it recorded (ComputeNode.disputeHeartbeats), and
    /// measurers did not find it absent. Anyone.
    /// @param loss The statement, however old.
    /// @param slot The slot.
    /// @param committed The slot's heartbeats as committed; ignored where an acknowledgement was recorded.
    function disproveWitness(SignedLoss calldata loss, uint64 slot, CommittedSlot calldata committed) external;
}
