// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title How many nodes an operator brought in a period
/// @dev One word: | - 184 | count 32 | since 40 |. A period begins with the first node after the one before: at most `limit` in it, so
/// at most twice that in any stretch of its length.
library OperatorRates {
    /// @return next The rate with one node more; zero when that is beyond the limit.
    /// @return nextAt When the period is over.
    function grow(uint256 rate, uint32 limit, uint40 period, uint256 time)
        internal
        pure
        returns (uint256 next, uint256 nextAt)
    {
        nextAt = uint256(uint40(rate)) + period;
        if (time >= nextAt) return ((1 << 40) | uint40(time), nextAt);
        // Below the limit, which has 32 bits, so that the count stays in its lane.
        if (rate >> 40 < limit) next = rate + (1 << 40);
    }
}
