// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IDockerContract} from "../interfaces/IDockerContract.sol";
import {NodeSpec} from "./Types.sol";

/// @title Whether a node's hardware is what a workspace asks for
library WorkspaceFit {
    /// @return dimension The first one that does not fit, as ASCII; zero when all do.
    function misfit(IDockerContract.WorkspaceSpec calldata wanted, NodeSpec memory node)
        internal
        pure
        returns (bytes32 dimension)
    {
        if (wanted.gpuModel != 0 && wanted.gpuModel != node.gpuModel) return "gpuModel";
        if (wanted.minVramMib > node.vramMib) return "vramMib";
        if (wanted.minComputeCapability > node.computeCapability) return "computeCapability";
        if (wanted.region != 0 && wanted.region != node.region) return "region";
    }
}
