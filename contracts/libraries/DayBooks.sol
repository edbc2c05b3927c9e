// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title What a lease paid its node on each of the last three days: one slot
/// @dev | day 16 | before 80 | yesterday 80 | today 80 |, high to low. The first bit of a day's lane says that it was refunded; an
/// amount beyond the other 79 bits is not refundable. A lane moves on as days pass, whenever the slot is read.
library DayBooks {
    uint256 internal constant DAYS = 3;
    uint256 private constant LANE = 80;
    uint256 private constant AMOUNT = (1 << 79) - 1;
    uint256 private constant REFUNDED = 1 << 79;
    uint256 private constant LANES = (1 << 240) - 1;

    /// @notice The book of one lease, of one node, under one authorization.
    function keyOf(uint256 replicaKey, uint32 lease, uint32 nodeId, uint64 authorizationId)
        internal
        pure
        returns (uint256)
    {
        // 80 + 32 + 32 + 64 bits, so no two books share a key.
        return (replicaKey << 128) | (uint256(lease) << 96) | (uint256(nodeId) << 64) | authorizationId;
    }

    /// @notice Adds `amount`, paid at `rate` for the seconds from `from` on: the earliest seconds are paid first. What was paid for
    /// days before the last three is not kept.
    function add(uint256 book, uint256 amount, uint256 rate, uint256 from, uint256 time, uint256 daySeconds)
        internal
        pure
        returns (uint256)
    {
        uint256 today = time / daySeconds;
        book = onDay(book, today);
        if (from >= today * daySeconds) return _credit(book, 0, amount);
        // Amounts have at most 96 bits, products of a rate and seconds 104; a time is at least its own day's start.
        unchecked {
            for (uint256 back = DAYS; back != 0 && amount != 0; --back) {
                // The end of the day `back` days ago.
                uint256 end = today + 1 < back ? 0 : (today + 1 - back) * daySeconds;
                if (from >= end) continue;
                uint256 part = rate * (end - from);
                if (part > amount) part = amount;
                if (back < DAYS) book = _credit(book, back, part);
                (amount, from) = (amount - part, end);
            }
            return amount == 0 ? book : _credit(book, 0, amount);
        }
    }

    /// @notice What was paid on `day`, which is one of the last three; zero for another day.
    function paidOn(uint256 book, uint256 day, uint256 today) internal pure returns (uint256) {
        if (day > today || today - day >= DAYS) return 0;
        return (onDay(book, today) >> (LANE * (today - day))) & AMOUNT;
    }

    function isRefunded(uint256 book, uint256 day, uint256 today) internal pure returns (bool) {
        if (day > today || today - day >= DAYS) return false;
        return (onDay(book, today) >> (LANE * (today - day))) & REFUNDED != 0;
    }

    /// @notice Marks one of the last three days as refunded.
    function refund(uint256 book, uint256 day, uint256 today) internal pure returns (uint256) {
        return onDay(book, today) | (REFUNDED << (LANE * (today - day)));
    }

    /// @notice The book on `today`, which is no earlier than the day it was stored.
    function onDay(uint256 book, uint256 today) internal pure returns (uint256) {
        // Days modulo 2^16. After 65,536 days without a payment, old lanes count as today's: they were paid, and are marked.
        unchecked {
            uint256 passed = uint16(uint16(today) - uint16(book >> 240));
            uint256 lanes = passed >= DAYS ? 0 : (book << (LANE * passed)) & LANES;
            return (uint256(uint16(today)) << 240) | lanes;
        }
    }

    function _credit(uint256 book, uint256 back, uint256 amount) private pure returns (uint256) {
        uint256 paid = (book >> (LANE * back)) & AMOUNT;
        if (amount > AMOUNT - paid) amount = AMOUNT - paid;
        return book + (amount << (LANE * back));
    }
}
