// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Pauses} from "../Pauses.sol";
import {SignedBatch} from "../SignedBatch.sol";
import {IComputeNode} from "../interfaces/IComputeNode.sol";
import {IMeasure} from "../interfaces/IMeasure.sol";
import {IProofWaves} from "../interfaces/IProofWaves.sol";
import {BlockHashes} from "../libraries/BlockHashes.sol";

/// @title The beginning of waves, and their blocks
/// @dev packages/waves/schedule.ts computes the same.
abstract contract WaveClock is IProofWaves, SignedBatch, Pauses {
    /// @dev Waves whose posts are accepted at one time. Their blocks before the audit do not overlap.
    uint256 internal constant LIVE = 4;
    uint256 private constant FILL_BITS = 40;
    /// @dev From a wave's chase to its audit and beyond, so that `record` finds the hashes without EIP-2935.
    uint256 private constant MOST_BLOCKS = 200;
    /// @dev Blocks that `open` looks at, which bounds its gas.
    uint256 private constant MOST_DRAWS = 64;

    // | - 32 | first blocks of the live waves 4 × 40 | waveCount 32 | paused 32 |: see Pauses
    uint32 private _waveCount;
    uint160 private _fills;
    Rules private _rules;

    IComputeNode internal immutable _computeNode;
    IMeasure internal immutable _measure;
    uint16 private immutable _stride;
    uint32 private immutable _chance;
    uint16 private immutable _fillBlocks;
    uint16 private immutable _chaseBlocks;
    uint16 private immutable _workBlocks;
    uint16 private immutable _commitBlocks;
    uint16 private immutable _revealBlocks;
    uint32 private immutable _wavesBefore;

    constructor(address authority_, IComputeNode computeNode, IMeasure measure, Settings memory given)
        EIP712("ngpu ProofWaves", "1")
        Pauses(authority_)
    {
        bool isTimed = given.stride != 0 && given.chance != 0 && given.fillBlocks != 0 && given.chaseBlocks != 0
            && given.workBlocks != 0 && given.commitBlocks != 0 && given.revealBlocks != 0;
        bool isShort = uint256(given.chaseBlocks) + given.workBlocks < MOST_BLOCKS && given.fillBlocks < MOST_BLOCKS
            && given.fillBlocks / MOST_DRAWS < given.stride;
        if (!isTimed || !isShort) revert WaveSettingsInvalid();
        (_computeNode, _measure) = (computeNode, measure);
        (_stride, _chance, _fillBlocks) = (given.stride, given.chance, given.fillBlocks);
        (_chaseBlocks, _workBlocks) = (given.chaseBlocks, given.workBlocks);
        (_commitBlocks, _revealBlocks) = (given.commitBlocks, given.revealBlocks);
        (_waveCount, _wavesBefore) = (given.wavesBefore, given.wavesBefore);
    }

    /// @inheritdoc IProofWaves
    function setRules(Rules calldata given) external restricted {
        bool isValid = given.drawn != 0 && given.quorum != 0 && given.quorum <= given.drawn && given.spare < given.quorum
            && given.passes != 0 && given.passes <= given.counted && given.lossPermille <= 1_000;
        if (!isValid) revert WaveRulesInvalid();
        _rules = given;
        emit WaveRulesSet(given);
    }

    /// @inheritdoc IProofWaves
    function open() external pausable returns (uint32 waveId) {
        (uint256 from, uint256 to) = (block.number - _min(_fillBlocks, block.number), block.number - 1);
        uint256 last = _fillOf(_waveCount);
        if (last != 0) {
            uint256 next = last + _fillBlocks + _chaseBlocks + _workBlocks + 2;
            if (next > from) from = next;
        }
        for (uint256 number = ((from + _stride - 1) / _stride) * _stride; number <= to; number += _stride) {
            bytes32 fillHash = blockhash(number);
            if (uint256(keccak256(abi.encodePacked("ngpu wave", fillHash))) % _chance == 0) {
                return _open(number, fillHash);
            }
        }
        revert WaveNotDrawn(from, to);
    }

    /// @inheritdoc IProofWaves
    function record(uint32 waveId) external {
        uint256 chase = _liveFillOf(waveId) + _fillBlocks;
        uint256 work = chase + _chaseBlocks;
        emit WaveSeedsRecorded(
            waveId, _seedOf(waveId, chase), _seedOf(waveId, work), _seedOf(waveId, work + _workBlocks + 1)
        );
    }

    /// @inheritdoc IProofWaves
    function settings() external view returns (Settings memory) {
        return Settings({
            stride: _stride,
            chance: _chance,
            fillBlocks: _fillBlocks,
            chaseBlocks: _chaseBlocks,
            workBlocks: _workBlocks,
            commitBlocks: _commitBlocks,
            revealBlocks: _revealBlocks,
            wavesBefore: _wavesBefore
        });
    }

    /// @inheritdoc IProofWaves
    function rules() external view returns (Rules memory) {
        return _rules;
    }

    /// @inheritdoc IProofWaves
    function waveCount() external view returns (uint32) {
        return _waveCount;
    }

    /// @inheritdoc IProofWaves
    function fillBlockOf(uint32 waveId) external view returns (uint40) {
        return uint40(_fillOf(waveId));
    }

    /// @dev The blocks that may include what a measurer posts in a stage; the reveal is the stage after the last.
    function _windowOf(uint256 fill, uint256 stage) internal view returns (uint256 first, uint256 last) {
        uint256 chase = fill + _fillBlocks;
        uint256 work = chase + _chaseBlocks;
        if (stage == uint256(Stage.Chase)) return (chase + 1, work);
        uint256 answered = work + _workBlocks;
        if (stage == uint256(Stage.Answers)) return (work + 1, answered);
        uint256 committed = answered + 1 + _commitBlocks;
        if (stage == uint256(Stage.Results)) return (answered + 2, committed);
        return (committed + 1, committed + _revealBlocks);
    }

    /// @dev Zero for a wave that is not live.
    function _fillOf(uint32 waveId) internal view returns (uint256) {
        uint256 count = _waveCount;
        if (waveId <= _wavesBefore || waveId > count || waveId + LIVE <= count) return 0;
        return uint40(_fills >> _shiftOf(waveId));
    }

    function _open(uint256 number, bytes32 fillHash) private returns (uint32 waveId) {
        waveId = _waveCount + 1;
        uint256 shift = _shiftOf(waveId);
        uint256 others = _fills & ~(uint256(type(uint40).max) << shift);
        (_waveCount, _fills) = (waveId, uint160(others | (number << shift)));
        emit WaveOpened(waveId, uint40(number), fillHash);
    }

    function _liveFillOf(uint32 waveId) private view returns (uint256 fill) {
        fill = _fillOf(waveId);
        if (fill == 0) revert WaveUnknown(waveId);
    }

    function _seedOf(uint32 waveId, uint256 number) private view returns (bytes32 hash) {
        hash = BlockHashes.hashOf(number);
        if (hash == 0) revert WaveSeedMissing(waveId, number);
    }

    function _shiftOf(uint32 waveId) private pure returns (uint256) {
        return (waveId % LIVE) * FILL_BITS;
    }

    function _min(uint256 a, uint256 b) private pure returns (uint256) {
        return a < b ? a : b;
    }

    /// @inheritdoc Pauses
    function _bitOf(bytes4 selector) internal pure override returns (uint256) {
        if (selector == IProofWaves.open.selector) return 0;
        if (selector == IProofWaves.claimBatch.selector) return 1;
        if (selector == IProofWaves.postBatch.selector) return 2;
        if (selector == IProofWaves.revealBatch.selector) return 3;
        return NONE;
    }
}
