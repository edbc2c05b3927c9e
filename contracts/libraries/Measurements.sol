// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IMeasure} from "../interfaces/IMeasure.sol";

/// @title Measurements in 184 bits, and their medians
/// @dev | absent 8 | downMbps 32 | upMbps 32 | latencyTenthMs 32 | portsReachable 16 | diskFreeGib 32 | diskWriteMibps 32 |.
library Measurements {
    uint184 private constant ABSENT = 1 << 176;

    function pack(IMeasure.Measurement calldata result) internal pure returns (uint184) {
        return (result.absent ? ABSENT : 0) | (uint184(result.downMbps) << 144) | (uint184(result.upMbps) << 112)
            | (uint184(result.latencyTenthMs) << 80) | (uint184(result.portsReachable) << 64)
            | (uint184(result.diskFreeGib) << 32) | result.diskWriteMibps;
    }

    function unpack(uint184 packed) internal pure returns (IMeasure.Measurement memory) {
        // Each cast keeps exactly its field.
        return IMeasure.Measurement({
            absent: isAbsent(packed),
            downMbps: uint32(packed >> 144),
            upMbps: uint32(packed >> 112),
            latencyTenthMs: uint32(packed >> 80),
            portsReachable: uint16(packed >> 64),
            diskFreeGib: uint32(packed >> 32),
            diskWriteMibps: uint32(packed)
        });
    }

    function isAbsent(uint184 packed) internal pure returns (bool) {
        return packed >= ABSENT;
    }

    /// @notice Whether it is exactly one of the two: absent, or measured.
    function isAbsentOrMeasured(uint184 packed) internal pure returns (bool) {
        return packed <= ABSENT;
    }

    /// @notice What at least `needed` results say of the node: that it is absent, that a port of it was reached, or that none
    /// was. Where it was measured, the median of the other fields.
    /// @param needed More than half of the results.
    /// @return isAgreed Whether so many say the same.
    /// @return verdict What they say; zero where they differ.
    function agreed(uint184[] memory results, uint256 needed)
        internal
        pure
        returns (bool isAgreed, uint184 verdict)
    {
        uint184[] memory measured = new uint184[](results.length);
        (uint256 count, uint256 reached) = (0, 0);
        for (uint256 i; i < results.length; ++i) {
            if (isAbsent(results[i])) continue;
            measured[count++] = results[i];
            if (uint16(results[i] >> 64) != 0) ++reached;
        }
        if (results.length - count >= needed) return (true, ABSENT);
        if (reached < needed && count - reached < needed) return (false, 0);
        // The figures of the others do not count.
        assembly ("memory-safe") {
            mstore(measured, count)
        }
        return (true, median(measured));
    }

    /// @notice The median of each field, of at least one result that found the node. An even count takes the lower of the
    /// middle two, so the median is a measured value.
    function median(uint184[] memory results) internal pure returns (uint184) {
        return _medianAt(results, 144, type(uint32).max) | _medianAt(results, 112, type(uint32).max)
            | _medianAt(results, 80, type(uint32).max) | _medianAt(results, 64, type(uint16).max)
            | _medianAt(results, 32, type(uint32).max) | _medianAt(results, 0, type(uint32).max);
    }

    /// @dev For a handful of values at most, hence insertion sort.
    function _medianAt(uint184[] memory results, uint8 shift, uint184 mask) private pure returns (uint184) {
        uint184[] memory sorted = new uint184[](results.length);
        for (uint256 i; i < results.length; ++i) {
            uint184 value = (results[i] >> shift) & mask;
            uint256 place = i;
            for (; place != 0 && sorted[place - 1] > value; --place) {
                sorted[place] = sorted[place - 1];
            }
            sorted[place] = value;
        }
        return sorted[(results.length - 1) / 2] << shift;
    }
}
