// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IMeasure} from "../interfaces/IMeasure.sol";
import {MeasureRecords} from "../libraries/MeasureRecords.sol";
import {Measurements} from "../libraries/Measurements.sol";
import {Rounds} from "./Rounds.sol";

/// @title The end of rounds
abstract contract Results is Rounds {
    using Measurements for *;

    /// @inheritdoc IMeasure
    function finalize(uint64[] calldata roundIds) external pausable {
        uint256 items = _checkLength(roundIds.length);
        for (uint256 i; i < items; ++i) {
            _settleItem(i, _finalize(roundIds[i]));
        }
    }

    function _finalize(uint64 roundId) private returns (bytes memory refusal) {
        MeasureRecords.Round memory round = _rounds[roundId];
        refusal = _checkInProgress(roundId, round);
        if (refusal.length != 0) return refusal;
        // The caller cannot choose which results count.
        if (block.timestamp <= round.closesAt && round.submissions < _draws) {
            return abi.encodeWithSelector(MeasureRoundOpen.selector, roundId, round.closesAt);
        }
        uint184[] memory results = _takeResults(roundId, round.submissions);
        delete _rounds[roundId];
        MeasureRecords.Latest storage latest = _latest[round.nodeId];
        // No round of the node was requested since, when this one is its open round.
        if (latest.openUntil == uint32(round.closesAt)) latest.openUntil = 0;
        (bool isAgreed, uint184 median) = results.agreed(_neededOf(results.length));
        if (!isAgreed) {
            emit MeasureFailed(roundId, round.nodeId, round.submissions);
            return refusal;
        }
        uint40 expiresAt = uint40(block.timestamp) + _ttlSeconds;
        (latest.median, latest.expiresAt) = (median, expiresAt);
        emit MeasureFinalized(roundId, round.nodeId, round.submissions, median.unpack(), expiresAt);
        if (median.isAbsent()) _challenge(round);
    }

    /// @dev At least the quorum, all but one, and more than half: neither who leaves results out nor a single liar decides.
    function _neededOf(uint256 results) private view returns (uint256 needed) {
        needed = results < 3 ? results : results - 1;
        if (needed < _quorum) needed = _quorum;
    }

    function _takeResults(uint64 roundId, uint256 count) private returns (uint184[] memory results) {
        results = new uint184[](count);
        for (uint256 i; i < count; ++i) {
            results[i] = _submissions[roundId][i].result;
            delete _submissions[roundId][i];
        }
    }

    /// @dev The slots that are completely in the window. After the time for corrections, nothing is cleared.
    function _challenge(MeasureRecords.Round memory round) private {
        uint64 first = (uint64(round.opensAt) + _slotSeconds - 1) / _slotSeconds;
        uint64 end = uint64(round.closesAt) / _slotSeconds;
        if (first < end) _computeNode.challengePresence(round.nodeId, first, end - 1);
    }
}
