// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Resources} from "./Types.sol";

/// @title Resources packed in 88 bits
/// @dev | gpus 8 | cpuMilli 24 | memoryMib 24 | diskGib 16 | ports 16 |, high to low.
/// Where `covers(a, b)` holds, `a - b` borrows across no lane, and a sum that a total covers carries across none,
/// so packed values are added and subtracted as integers.
library ResourceMath {
    function pack(Resources calldata amount) internal pure returns (uint88) {
        return (uint88(amount.gpus) << 80) | (uint88(amount.cpuMilli) << 56) | (uint88(amount.memoryMib) << 32)
            | (uint88(amount.diskGib) << 16) | amount.ports;
    }

    function unpack(uint88 packed) internal pure returns (Resources memory) {
        // Each cast keeps exactly its lane.
        return Resources({
            gpus: uint8(packed >> 80),
            cpuMilli: uint24(packed >> 56),
            memoryMib: uint24(packed >> 32),
            diskGib: uint16(packed >> 16),
            ports: uint16(packed)
        });
    }

    /// @notice Whether every lane of `a` is at least that of `b`.
    function covers(uint88 a, uint88 b) internal pure returns (bool) {
        return a >> 80 >= b >> 80 && uint24(a >> 56) >= uint24(b >> 56) && uint24(a >> 32) >= uint24(b >> 32)
            && uint16(a >> 16) >= uint16(b >> 16) && uint16(a) >= uint16(b);
    }
}
