// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IMeasure} from "../interfaces/IMeasure.sol";
import {Draws} from "../libraries/Draws.sol";
import {MeasureMessages} from "../libraries/MeasureMessages.sol";
import {MeasureRecords} from "../libraries/MeasureRecords.sol";
import {Measurements} from "../libraries/Measurements.sol";
import {Measurers} from "./Measurers.sol";

/// @title Rounds, from the request to the last result
abstract contract Rounds is Measurers {
    using Draws for bytes32;
    using MeasureMessages for IMeasure.Reveal;
    using Measurements for *;

    /// @inheritdoc IMeasure
    function request(Request[] calldata requests) external pausable onlyKeeper {
        uint256 items = _checkLength(requests.length);
        uint40 opensAt = uint40(block.timestamp) + _leadSeconds;
        for (uint256 i; i < items; ++i) {
            _settleItem(i, _request(requests[i].nodeId, requests[i].draws, opensAt));
        }
    }

    /// @inheritdoc IMeasure
    function revealBatch(Reveal[] calldata reveals, bytes[] calldata signatures) external pausable {
        uint256 items = _checkLengths(reveals.length, signatures.length);
        for (uint256 i; i < items; ++i) {
            _settleItem(i, _reveal(reveals[i], signatures[i]));
        }
    }

    function _request(uint32 nodeId, bytes32 draws_, uint40 opensAt) private returns (bytes memory refusal) {
        if (_computeNode.nodeKeyOf(nodeId) == address(0)) {
            return abi.encodeWithSelector(MeasureNodeUnknown.selector, nodeId);
        }
        uint40 openUntil = _latest[nodeId].openUntil;
        if (block.timestamp <= openUntil) return abi.encodeWithSelector(MeasureNodeBusy.selector, nodeId, openUntil);
        uint64 roundId = ++_roundCount;
        uint40 closesAt = opensAt + _windowSeconds;
        uint40 drawBlock = uint40(block.number) + 1;
        _rounds[roundId] = MeasureRecords.Round({
            nodeId: nodeId,
            opensAt: opensAt,
            closesAt: closesAt,
            drawBlock: drawBlock,
            candidates: uint32(_admitted.length),
            submissions: 0,
            seed: 0,
            draws: draws_
        });
        _latest[nodeId].openUntil = uint32(closesAt);
        emit MeasureRequested(roundId, nodeId, opensAt, closesAt, drawBlock, draws_);
    }

    function _reveal(Reveal calldata message, bytes calldata signature) private returns (bytes memory refusal) {
        (uint64 roundId, uint32 measurerId) = (message.roundId, message.measurerId);
        MeasureRecords.Round memory round = _rounds[roundId];
        uint184 result = message.result.pack();
        refusal = _checkTime(roundId, round, result);
        if (refusal.length != 0) return refusal;
        uint64 seed = _seedOf(roundId, round);
        refusal = _checkDraw(message, round, seed);
        if (refusal.length != 0) return refusal;
        refusal = _checkMeasurer(roundId, round, measurerId);
        if (refusal.length != 0) return refusal;
        refusal = _checkSigned(_measurers[measurerId].key, message.deadline, message.hash(), signature);
        if (refusal.length != 0) return refusal;
        if (!result.isAbsentOrMeasured()) {
            return abi.encodeWithSelector(MeasureResultInvalid.selector, roundId, measurerId);
        }

        _submissions[roundId][round.submissions] =
            MeasureRecords.Submission({result: result, measurerId: measurerId});
        MeasureRecords.Round storage stored = _rounds[roundId];
        (stored.submissions, stored.seed) = (round.submissions + 1, seed);
        emit MeasureSubmitted(roundId, round.nodeId, measurerId, message.port, message.result);
    }

    /// @dev Inside the window. A node is not absent before the last quarter of the window, since it may still respond.
    function _checkTime(uint64 roundId, MeasureRecords.Round memory round, uint184 result)
        private
        view
        returns (bytes memory refusal)
    {
        refusal = _checkInProgress(roundId, round);
        if (refusal.length != 0) return refusal;
        if (block.timestamp > round.closesAt) {
            return abi.encodeWithSelector(MeasureRoundClosed.selector, roundId, round.closesAt);
        }
        uint40 from = result.isAbsent() ? round.closesAt - _windowSeconds / 4 : round.opensAt;
        if (block.timestamp < from) return abi.encodeWithSelector(MeasureRoundNotOpen.selector, roundId, from);
    }

    function _checkInProgress(uint64 roundId, MeasureRecords.Round memory round)
        internal
        view
        returns (bytes memory refusal)
    {
        if (round.nodeId != 0) return refusal;
        bytes4 reason = roundId == 0 || roundId > _roundCount ? MeasureRoundUnknown.selector : MeasureRoundEnded.selector;
        return abi.encodeWithSelector(reason, roundId);
    }

    function _checkDraw(Reveal calldata message, MeasureRecords.Round memory round, uint64 seed)
        private
        view
        returns (bytes memory refusal)
    {
        uint64 roundId = message.roundId;
        if (message.draw >= _draws || !round.draws.isUnder(message.draw, message.port, message.salt, message.proof)) {
            return abi.encodeWithSelector(MeasureDrawUnknown.selector, roundId, message.draw);
        }
        if (seed == 0) return abi.encodeWithSelector(MeasureSeedMissing.selector, roundId, round.drawBlock);
        uint32 drawn = _drawnBy(message.salt, seed, round.candidates);
        if (drawn != message.measurerId || drawn == 0) {
            return abi.encodeWithSelector(MeasurerNotDrawn.selector, roundId, message.measurerId, drawn);
        }
    }

    function _checkMeasurer(uint64 roundId, MeasureRecords.Round memory round, uint32 measurerId)
        private
        view
        returns (bytes memory refusal)
    {
        for (uint256 i; i < round.submissions; ++i) {
            uint32 other = _submissions[roundId][i].measurerId;
            if (other == measurerId || _isSameOperator(other, measurerId)) {
                return abi.encodeWithSelector(MeasureAlreadySubmitted.selector, roundId, other);
            }
        }
        if (_isOwn(measurerId, round.nodeId)) {
            return abi.encodeWithSelector(MeasureOwnNode.selector, measurerId, round.nodeId);
        }
    }
}
