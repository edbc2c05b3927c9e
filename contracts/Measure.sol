// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IComputeNode} from "./interfaces/IComputeNode.sol";
import {MeasureState} from "./measure/MeasureState.sol";
import {Results} from "./measure/Results.sol";

/// @notice See IMeasure. The parts are in measure/: measurers, rounds, and the results of rounds.
contract Measure is Results {
    constructor(address authority_, IComputeNode computeNode, Settings memory settings)
        MeasureState(authority_, computeNode, settings)
    {}
}
