// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title The hashes of the latest committed heartbeat slots
/// @dev Writing to an entry that was written before costs 5,000 gas instead of 22,100, so the deployment writes all. The ring is
/// longer than a window may be, so that a slot can be shown for hours after it closed. Each entry stores its slot:
/// | hash of the slot's heartbeats, its first 192 bits | slot 64 |.
library HeartbeatRing {
    uint64 internal constant SLOTS = 256;

    struct Ring {
        uint256[SLOTS] entries;
    }

    /// @notice Fills the entries with a slot that never ends. For a constructor.
    function fill(Ring storage ring) internal {
        for (uint256 i; i < SLOTS; ++i) {
            ring.entries[i] = type(uint64).max;
        }
    }

    /// @return isNew Whether the entry was another slot's. Otherwise nothing changes.
    function record(Ring storage ring, uint64 slot, bytes32 digest) internal returns (bool isNew) {
        uint256 place = slot % SLOTS;
        isNew = uint64(ring.entries[place]) != slot;
        if (isNew) ring.entries[place] = (uint256(digest) >> 64 << 64) | slot;
    }

    /// @return digest The first 192 bits of the hash, or zero when the slot is not in the ring.
    function digestOf(Ring storage ring, uint64 slot) internal view returns (bytes32 digest) {
        uint256 entry = ring.entries[slot % SLOTS];
        // The cast removes the slot's lane.
        if (uint64(entry) == slot) digest = bytes32(entry >> 64 << 64);
    }
}
