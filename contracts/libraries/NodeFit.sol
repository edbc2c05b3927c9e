// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IComputeNode} from "../interfaces/IComputeNode.sol";
import {NodeRecords} from "./NodeRecords.sol";

/// @title Whether a node's hardware meets the demand of an assignment
library NodeFit {
    /// @return dimension The first one that does not fit, as ASCII; zero when all do.
    function misfit(IComputeNode.Demand calldata demand, NodeRecords.Hardware storage node)
        internal
        view
        returns (bytes32 dimension)
    {
        if (demand.gpuModel != 0 && demand.gpuModel != node.gpuModel) return "gpuModel";
        if (demand.minVramMib > node.vramMib) return "vramMib";
        if (demand.minComputeCapability > node.computeCapability) return "computeCapability";
        if (demand.region != 0 && demand.region != node.region) return "region";
    }
}
