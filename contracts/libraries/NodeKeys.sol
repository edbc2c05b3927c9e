// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IComputeNode} from "../interfaces/IComputeNode.sol";

/// @title Reading a node's key from ComputeNode, once per signed report
/// @dev Equals `computeNode.nodeKeyOf(nodeId)`, in scratch memory: batches are long, and each call written in Solidity allocates
/// memory that is never freed. ComputeNode is the deployment's own, so it returns a clean address and never reverts.
library NodeKeys {
    function keyOf(IComputeNode computeNode, uint32 nodeId) internal view returns (address key) {
        bytes4 selector = IComputeNode.nodeKeyOf.selector;
        assembly ("memory-safe") {
            mstore(0, selector)
            mstore(4, and(nodeId, 0xffffffff))
            // Yul evaluates from right to left: the call precedes the length of its result.
            if iszero(and(eq(returndatasize(), 0x20), staticcall(gas(), computeNode, 0, 0x24, 0, 0x20))) {
                revert(0, 0)
            }
            key := mload(0)
        }
    }
}
