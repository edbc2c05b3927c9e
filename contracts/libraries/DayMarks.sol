// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title The leases marked on a day, in slots that the next day reuses
/// @dev A slot has 128 leases of a replica and the day of their marks: | day 128 | marks 128 |. A later day overwrites it.
library DayMarks {
    uint256 private constant LEASES = 128;

    struct Marks {
        mapping(uint256 replicaKey => mapping(uint256 group => uint256 word)) words;
    }

    function has(Marks storage marks, uint256 replicaKey, uint32 lease, uint64 day) internal view returns (bool) {
        uint256 word = marks.words[replicaKey][lease / LEASES];
        return word >> LEASES == day && word & _bitOf(lease) != 0;
    }

    /// @param day No earlier than any day on which a lease of the replica was marked before.
    function set(Marks storage marks, uint256 replicaKey, uint32 lease, uint64 day) internal {
        uint256 word = marks.words[replicaKey][lease / LEASES];
        if (word >> LEASES != day) word = uint256(day) << LEASES;
        marks.words[replicaKey][lease / LEASES] = word | _bitOf(lease);
    }

    function _bitOf(uint32 lease) private pure returns (uint256) {
        return 1 << (lease % LEASES);
    }
}
