// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IComputeNode} from "./interfaces/IComputeNode.sol";
import {Capacity} from "./node/Capacity.sol";
import {Corrections} from "./node/Corrections.sol";
import {Heartbeats} from "./node/Heartbeats.sol";
import {NodeChanges} from "./node/NodeChanges.sol";
import {NodeState} from "./node/NodeState.sol";
import {Operators} from "./node/Operators.sol";
import {Uptime} from "./node/Uptime.sol";

/// @notice See IComputeNode. Its parts stand in node/: how nodes come in, what changes of them, what assignments take of them,
/// when they were present, what is put right of that, and the days' roots.
contract ComputeNode is NodeChanges, Capacity, Corrections, Uptime {
    constructor(address authority_, Settings memory settings)
        NodeState(authority_)
        Operators(settings.registrationLimit, settings.registrationSeconds)
        Heartbeats(settings.slotSeconds, settings.windowSlots)
        Uptime(settings.daySeconds, settings.uptimeDelay)
    {}
}
