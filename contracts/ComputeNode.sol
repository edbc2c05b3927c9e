// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Capacity} from "./node/Capacity.sol";
import {Heartbeats} from "./node/Heartbeats.sol";
import {NodeChanges} from "./node/NodeChanges.sol";
import {NodeState} from "./node/NodeState.sol";

/// @notice See IComputeNode. Its parts stand in node/: how nodes come in, what changes of them, what assignments take of them,
/// and when they were present.
contract ComputeNode is NodeChanges, Capacity, Heartbeats {
    /// @param windowSlots How many slots back a heartbeat commitment may reach; at most the ring's length.
    constructor(address authority_, uint64 slotSeconds_, uint64 windowSlots)
        NodeState(authority_)
        Heartbeats(slotSeconds_, windowSlots)
    {}
}
