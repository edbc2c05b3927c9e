// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IComputeNode} from "../interfaces/IComputeNode.sol";

/// @title Asking ComputeNode for the key of a node, once a signed report
/// @dev As `computeNode.nodeKeyOf(nodeId)`, in scratch memory: batches are long, and each call written in Solidity takes memory
/// that is never given back. ComputeNode is the deployment's own, so its answer is a clean address and it never reverts.
library NodeKeys {
    function keyOf(IComputeNode computeNode, uint32 nodeId) internal view returns (address key) {
        bytes4 selector = IComputeNode.nodeKeyOf.selector;
        assembly ("memory-safe") {
            mstore(0, selector)
            mstore(4, and(nodeId, 0xffffffff))
            // Yul evaluates from right to left: the call comes before the length of its answer.
            if iszero(and(eq(returndatasize(), 0x20), staticcall(gas(), computeNode, 0, 0x24, 0, 0x20))) {
                revert(0, 0)
            }
            key := mload(0)
        }
    }
}
