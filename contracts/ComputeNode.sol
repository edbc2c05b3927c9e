// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Capacity} from "./node/Capacity.sol";
import {Corrections} from "./node/Corrections.sol";
import {Heartbeats} from "./node/Heartbeats.sol";
import {NodeChanges} from "./node/NodeChanges.sol";
import {NodeState} from "./node/NodeState.sol";
import {Operators} from "./node/Operators.sol";
import {Uptime} from "./node/Uptime.sol";

/// @notice See IComputeNode. The parts are in node/: registration, later changes, the capacity of assignments,
/// presence, its corrections, and the days' roots.
contract ComputeNode is NodeChanges, Capacity, Corrections, Uptime {
    constructor(address authority_, Settings memory settings)
        NodeState(authority_)
        Operators(settings.registrationLimit, settings.registrationSeconds)
        Heartbeats(settings.slotSeconds, settings.windowSlots, settings.absenceBasisPoints)
        Uptime(settings.daySeconds, settings.uptimeDelay)
    {}
}
