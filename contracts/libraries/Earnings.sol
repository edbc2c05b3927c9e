// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title A node's earnings: one slot, with separate lanes for the last two days while these can be refunded
/// @dev A day's downtime is refunded on the day after it, so its earnings mature when that next day ends. The lanes
/// advance with the days, whenever the slot is read (`asOf`).
library Earnings {
    /// @dev As stored: | day 16 | today 72 | yesterday 72 | matured 96 |, high to low.
    struct Lanes {
        /// @dev The total that ever matured, modulo 2^96. The collected total is counted the same way, so their
        /// difference, which is below the token's supply, is exact.
        uint96 matured;
        uint72 yesterday;
        uint72 today;
        /// @dev The last 16 bits of today's number.
        uint16 day;
    }

    uint256 private constant TODAY = 168;
    uint256 private constant DAY = 240;

    function pack(Lanes memory lanes) internal pure returns (uint256) {
        return (uint256(lanes.day) << 240) | (uint256(lanes.today) << 168) | (uint256(lanes.yesterday) << 96)
            | uint256(lanes.matured);
    }

    /// @notice The lanes on `day`, which is no earlier than the day they were stored.
    function asOf(uint256 packed, uint256 day) internal pure returns (Lanes memory lanes) {
        // Each cast keeps exactly its field, and the last 16 bits of the day.
        lanes = Lanes({
            matured: uint96(packed),
            yesterday: uint72(packed >> 96),
            today: uint72(packed >> 168),
            day: uint16(day)
        });
        // Sums modulo 2^96, see Lanes; days modulo 2^16: after 65,536 days without a change, held amounts wait one more day.
        unchecked {
            uint16 passed = uint16(day) - uint16(packed >> 240);
            if (passed == 0) return lanes;
            lanes.matured += lanes.yesterday;
            if (passed == 1) {
                lanes.yesterday = lanes.today;
            } else {
                lanes.matured += lanes.today;
                lanes.yesterday = 0;
            }
            lanes.today = 0;
        }
    }

    /// @notice Adds `amount`, paid at `rate` for the seconds from `from` on: the earliest seconds are paid first. The part that a
    /// day's lane cannot hold, and the part older than yesterday, has matured.
    function earn(uint256 packed, uint256 amount, uint256 rate, uint256 from, uint256 time, uint256 daySeconds)
        internal
        pure
        returns (uint256)
    {
        uint256 day = time / daySeconds;
        // Most often all of it was earned today, and the slot was written today.
        if (uint16(packed >> DAY) == uint16(day) && from >= day * daySeconds) {
            uint256 today = uint72(packed >> TODAY);
            if (amount <= type(uint72).max - today) return packed + (amount << TODAY);
        }
        Lanes memory lanes = asOf(packed, day);
        // Amounts are at most an account's balance, which has 96 bits; products of 64 and 40 bits do not overflow; sums of
        // matured amounts are modulo 2^96.
        unchecked {
            uint256 midnight = time - time % daySeconds;
            if (from < midnight) {
                uint256 yesterday = midnight > daySeconds ? midnight - daySeconds : 0;
                if (from < yesterday) {
                    uint256 older = _min(amount, rate * (yesterday - from));
                    lanes.matured += uint96(older);
                    amount -= older;
                    from = yesterday;
                }
                uint256 part = _min(amount, rate * (midnight - from));
                uint256 kept = _min(part, type(uint72).max - lanes.yesterday);
                lanes.yesterday += uint72(kept);
                lanes.matured += uint96(part - kept);
                amount -= part;
            }
            uint256 held = _min(amount, type(uint72).max - lanes.today);
            lanes.today += uint72(held);
            lanes.matured += uint96(amount - held);
        }
        return pack(lanes);
    }

    function _min(uint256 a, uint256 b) private pure returns (uint256) {
        return a < b ? a : b;
    }
}
