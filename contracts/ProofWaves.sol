// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IComputeNode} from "./interfaces/IComputeNode.sol";
import {IMeasure} from "./interfaces/IMeasure.sol";
import {IProofWaves} from "./interfaces/IProofWaves.sol";
import {WaveMessages} from "./libraries/WaveMessages.sol";
import {HardwareClaims} from "./waves/HardwareClaims.sol";
import {WaveClock} from "./waves/WaveClock.sol";

/// @notice See IProofWaves. The parts are in waves/: the clock, and the claims of nodes. This is the part of measurers.
contract ProofWaves is HardwareClaims {
    using WaveMessages for *;

    uint8 private constant REVEALED = 4;

    // | commitment 216 | stages 8 | waveId 32 |: what a measurer posted in one of the live waves; reused by later waves
    mapping(uint256 place => uint256 progress) private _progress;

    constructor(address authority_, IComputeNode computeNode, IMeasure measure, Settings memory given)
        WaveClock(authority_, computeNode, measure, given)
    {}

    /// @inheritdoc IProofWaves
    function postBatch(WavePost[] calldata posts, bytes[] calldata signatures) external pausable {
        uint256 items = _checkLengths(posts.length, signatures.length);
        for (uint256 i; i < items; ++i) {
            _settleItem(i, _post(posts[i], signatures[i]));
        }
    }

    /// @inheritdoc IProofWaves
    function revealBatch(uint32 waveId, WaveReveal[] calldata reveals, bytes[] calldata lists) external pausable {
        uint256 items = _checkLength(reveals.length);
        for (uint256 i; i < items; ++i) {
            _settleItem(i, _reveal(reveals[i]));
        }
        items = _checkLength(lists.length);
        for (uint256 i; i < items; ++i) {
            emit ExceptionsPublished(waveId, keccak256(lists[i]), lists[i]);
        }
    }

    /// @inheritdoc IProofWaves
    function progressOf(uint32 waveId, uint32 measurerId) external view returns (uint8 stages, bytes27 commitment) {
        if (_fillOf(waveId) == 0) return (0, 0);
        (stages, commitment) = _read(waveId, measurerId);
    }

    function _post(WavePost calldata message, bytes calldata signature) private returns (bytes memory refusal) {
        (uint32 waveId, uint32 measurerId, uint8 stage) = (message.waveId, message.measurerId, message.stage);
        refusal = _checkEnum(stage, uint256(type(Stage).max));
        if (refusal.length != 0) return refusal;
        refusal = _checkTime(waveId, stage);
        if (refusal.length != 0) return refusal;
        (uint8 next,) = _read(waveId, measurerId);
        if (stage != next) {
            return abi.encodeWithSelector(WaveStageNotNext.selector, waveId, measurerId, stage, next);
        }
        (address key, bool isAdmitted) = _measure.signerOf(measurerId);
        if (!isAdmitted) return abi.encodeWithSelector(WaveMeasurerNotAdmitted.selector, measurerId);
        refusal = _checkSigned(key, type(uint256).max, message.hash(), signature);
        if (refusal.length != 0) return refusal;

        _write(waveId, measurerId, stage + 1, bytes27(message.root));
        emit WavePosted(waveId, measurerId, Stage(stage), message.root);
    }

    function _reveal(WaveReveal calldata message) private returns (bytes memory refusal) {
        (uint32 waveId, uint32 measurerId) = (message.waveId, message.measurerId);
        refusal = _checkTime(waveId, REVEALED - 1);
        if (refusal.length != 0) return refusal;
        (uint8 stages, bytes27 commitment) = _read(waveId, measurerId);
        if (stages != REVEALED - 1 || commitment != bytes27(message.hash())) {
            return abi.encodeWithSelector(WaveNotCommitted.selector, waveId, measurerId);
        }

        _write(waveId, measurerId, REVEALED, 0);
        emit WaveRevealed(waveId, measurerId, message.results, message.transcripts, message.exceptions);
    }

    /// @dev The block that includes a message is its time.
    function _checkTime(uint32 waveId, uint256 stage) private view returns (bytes memory refusal) {
        uint256 fill = _fillOf(waveId);
        if (fill == 0) return abi.encodeWithSelector(WaveUnknown.selector, waveId);
        (uint256 first, uint256 last) = _windowOf(fill, stage);
        if (block.number < first || block.number > last) {
            return abi.encodeWithSelector(WaveStageClosed.selector, waveId, first, last);
        }
    }

    /// @dev Zeros while the slot is that of an earlier wave.
    function _read(uint32 waveId, uint32 measurerId) private view returns (uint8 stages, bytes27 commitment) {
        uint256 progress = _progress[_placeOf(waveId, measurerId)];
        if (uint32(progress) != waveId) return (0, 0);
        return (uint8(progress >> 32), bytes27(uint216(progress >> 40)));
    }

    function _write(uint32 waveId, uint32 measurerId, uint8 stages, bytes27 commitment) private {
        _progress[_placeOf(waveId, measurerId)] = (uint256(uint216(commitment)) << 40) | (uint256(stages) << 32) | waveId;
    }

    function _placeOf(uint32 waveId, uint32 measurerId) private pure returns (uint256) {
        return uint256(measurerId) * LIVE + (waveId % LIVE);
    }
}
