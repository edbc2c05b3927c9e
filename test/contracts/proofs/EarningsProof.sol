// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {DayBooks} from "contracts/libraries/DayBooks.sol";
import {Earnings} from "contracts/libraries/Earnings.sol";

/// @notice What a node earned, and what a lease paid for a day.
contract EarningsProof {
    using DayBooks for uint256;
    using Earnings for *;

    uint256 private constant DAY = 86_400;
    /// @dev Days are stored modulo 2^16: the proofs are about the time until the year 2149.
    uint256 private constant END = 65_536 * DAY;

    struct Book {
        uint80 before;
        uint80 yesterday;
        uint80 today;
        /// @dev Days since it was stored; more are as three.
        uint8 age;
    }

    /// @notice Every unit that a lease pays is in one of the node's lanes, once.
    function proveEarningsAreKept(uint96 matured, uint72 yesterday, uint72 today, uint16 day, uint96 amount, uint64 rate, uint40 from, uint40 time)
        external
        pure
    {
        require(time < END && from <= time && uint256(matured) + yesterday + today + amount < 2 ** 96);
        uint256 packed = Earnings.Lanes(matured, yesterday, today, day).pack();
        Earnings.Lanes memory lanes = packed.earn(amount, rate, from, time, DAY).asOf(time / DAY);
        assert(uint256(lanes.matured) + lanes.yesterday + lanes.today == uint256(matured) + yesterday + today + amount);
    }

    /// @notice What is earned on a day cannot be collected on it or the next day, as long as the day's lane holds it.
    function proveEarningsWait(uint96 matured, uint72 yesterday, uint72 today, uint16 day, uint72 amount, uint64 rate, uint40 from, uint40 time)
        external
        pure
    {
        require(time < END - 3 * DAY && from <= time && from >= time - time % DAY && uint256(matured) + yesterday + today < 2 ** 95);
        uint256 packed = Earnings.Lanes(matured, yesterday, today, day).pack();
        Earnings.Lanes memory before = packed.asOf(time / DAY);
        require(uint256(before.today) + amount < 2 ** 72);
        uint256 earned = packed.earn(amount, rate, from, time, DAY);
        assert(earned.asOf(time / DAY).matured == before.matured);
        assert(earned.asOf(time / DAY + 1).matured == packed.asOf(time / DAY + 1).matured);
        assert(earned.asOf(time / DAY + 2).matured == uint256(packed.asOf(time / DAY + 2).matured) + amount);
    }

    /// @notice A lease's book gains at most what was paid, loses nothing, and no payment clears that a day was refunded.
    function proveABookHoldsWhatWasPaid(Book calldata parts, uint96 amount, uint64 rate, uint40 from, uint40 time) external pure {
        require(time < END && from <= time && time >= 3 * DAY && amount <= uint256(rate) * (time - from));
        uint256 today = time / DAY;
        uint256 stored = _stored(parts, today);
        uint256 book = stored.add(amount, rate, from, time, DAY);
        uint256 gained;
        for (uint256 back; back < 3; ++back) {
            (uint256 was, uint256 now_) = (stored.paidOn(today - back, today), book.paidOn(today - back, today));
            assert(now_ >= was);
            gained += now_ - was;
            assert(stored.isRefunded(today - back, today) == book.isRefunded(today - back, today));
        }
        assert(gained <= amount);
    }

    /// @notice A day counts at most the seconds in which the lease ran on it.
    function proveADayCountsItsSeconds(uint96 amount, uint64 rate, uint40 from, uint40 time) external pure {
        require(time < END && from <= time && time >= 3 * DAY && amount <= uint256(rate) * (time - from));
        uint256 today = time / DAY;
        uint256 book = (today << 240).add(amount, rate, from, time, DAY);
        for (uint256 back; back < 3; ++back) {
            uint256 begin = (today - back) * DAY;
            uint256 end = back == 0 ? time : begin + DAY;
            uint256 ran = from >= end ? 0 : end - (from > begin ? from : begin);
            assert(book.paidOn(today - back, today) <= ran * rate);
        }
    }

    /// @notice A refunded day stays refunded on the days on which it could be asked for, and the others do not become it.
    function proveADayIsRefundedOnce(Book calldata parts, uint40 time, uint8 back, uint8 later) external pure {
        require(back <= 2 && later <= 2 && time >= 3 * DAY && time < END - 3 * DAY);
        uint256 today = time / DAY;
        uint256 stored = _stored(parts, today);
        uint256 book = stored.refund(today - back, today);
        if (back + later <= 2) assert(book.isRefunded(today - back, today + later));
        for (uint256 other; other < 3; ++other) {
            assert(book.paidOn(today - other, today) == stored.paidOn(today - other, today));
            if (other == back) continue;
            assert(book.isRefunded(today - other, today) == stored.isRefunded(today - other, today));
        }
    }

    function _stored(Book calldata parts, uint256 today) private pure returns (uint256) {
        require(parts.age <= 3);
        return ((today - parts.age) << 240) | (uint256(parts.before) << 160) | (uint256(parts.yesterday) << 80) | parts.today;
    }
}
