// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Sets of heartbeat slots, 256 to a word
library SlotSets {
    struct Set {
        mapping(uint64 word => uint256) bits;
    }

    function has(Set storage set, uint64 slot) internal view returns (bool) {
        return set.bits[slot >> 8] & (1 << (slot & 0xff)) != 0;
    }

    function add(Set storage set, uint64 slot) internal {
        set.bits[slot >> 8] |= 1 << (slot & 0xff);
    }

    /// @notice Adds `first` to `last`, a word at a time. The caller limits their number; `first` is not above `last`.
    function addRange(Set storage set, uint64 first, uint64 last) internal {
        for (uint64 word = first >> 8; word <= last >> 8; ++word) {
            uint256 mask = type(uint256).max;
            if (word == first >> 8) mask &= type(uint256).max << (first & 0xff);
            if (word == last >> 8) mask &= type(uint256).max >> (255 - (last & 0xff));
            set.bits[word] |= mask;
        }
    }
}
