// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title The number of nodes that an operator added in a period
/// @dev One word: | - 184 | count 32 | since 40 |. A period begins with the first node after the previous one: at most `limit` in
/// it, so at most twice that in any interval of its length.
library OperatorRates {
    /// @return next The rate with one node more; zero when that exceeds the limit.
    /// @return nextAt The end of the period.
    function grow(uint256 rate, uint32 limit, uint40 period, uint256 time)
        internal
        pure
        returns (uint256 next, uint256 nextAt)
    {
        nextAt = uint256(uint40(rate)) + period;
        if (time >= nextAt) return ((1 << 40) | uint40(time), nextAt);
        // Below the limit, which has 32 bits, so the count stays in its lane.
        if (rate >> 40 < limit) next = rate + (1 << 40);
    }
}
