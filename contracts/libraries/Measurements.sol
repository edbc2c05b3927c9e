// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IMeasure} from "../interfaces/IMeasure.sol";

/// @title Measurements in 176 bits, and their medians
/// @dev | downMbps 32 | upMbps 32 | latencyTenthMs 32 | portsReachable 16 | diskFreeGib 32 | diskWriteMibps 32 |.
library Measurements {
    function pack(IMeasure.Measurement calldata result) internal pure returns (uint176) {
        return (uint176(result.downMbps) << 144) | (uint176(result.upMbps) << 112)
            | (uint176(result.latencyTenthMs) << 80) | (uint176(result.portsReachable) << 64)
            | (uint176(result.diskFreeGib) << 32) | result.diskWriteMibps;
    }

    function unpack(uint176 packed) internal pure returns (IMeasure.Measurement memory) {
        // Each cast cuts exactly its field.
        return IMeasure.Measurement({
            downMbps: uint32(packed >> 144),
            upMbps: uint32(packed >> 112),
            latencyTenthMs: uint32(packed >> 80),
            portsReachable: uint16(packed >> 64),
            diskFreeGib: uint32(packed >> 32),
            diskWriteMibps: uint32(packed)
        });
    }

    /// @notice The median of each field. An even count takes the lower of its middle two, so that the median is a value
    /// somebody measured.
    function median(uint176[] memory results) internal pure returns (uint176) {
        return _medianAt(results, 144, type(uint32).max) | _medianAt(results, 112, type(uint32).max)
            | _medianAt(results, 80, type(uint32).max) | _medianAt(results, 64, type(uint16).max)
            | _medianAt(results, 32, type(uint32).max) | _medianAt(results, 0, type(uint32).max);
    }

    /// @dev Of at most a handful, so sorted by insertion.
    function _medianAt(uint176[] memory results, uint8 shift, uint176 mask) private pure returns (uint176) {
        uint176[] memory sorted = new uint176[](results.length);
        for (uint256 i; i < results.length; ++i) {
            uint176 value = (results[i] >> shift) & mask;
            uint256 place = i;
            for (; place != 0 && sorted[place - 1] > value; --place) {
                sorted[place] = sorted[place - 1];
            }
            sorted[place] = value;
        }
        return sorted[(results.length - 1) / 2] << shift;
    }
}
