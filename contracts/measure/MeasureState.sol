// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Pauses} from "../Pauses.sol";
import {SignedBatch} from "../SignedBatch.sol";
import {IComputeNode} from "../interfaces/IComputeNode.sol";
import {IDismissals} from "../interfaces/IDismissals.sol";
import {IMeasure} from "../interfaces/IMeasure.sol";
import {Draws} from "../libraries/Draws.sol";
import {MeasureRecords} from "../libraries/MeasureRecords.sol";
import {Measurements} from "../libraries/Measurements.sol";

/// @title The shared state of Measure's parts: measurers and rounds
abstract contract MeasureState is IMeasure, SignedBatch, Pauses {
    using Measurements for uint184;

    // | - 128 | roundCount 64 | measurerCount 32 | paused 32 |: see Pauses
    uint32 internal _measurerCount;
    uint64 internal _roundCount;

    IComputeNode internal immutable _computeNode;
    uint64 internal immutable _slotSeconds;
    uint8 internal immutable _quorum;
    uint8 internal immutable _draws;
    bool internal immutable _isOpenToAll;
    uint40 internal immutable _leadSeconds;
    uint40 internal immutable _windowSeconds;
    uint40 internal immutable _ttlSeconds;

    mapping(uint32 measurerId => MeasureRecords.Measurer) internal _measurers;
    mapping(address key => uint32 measurerId) internal _measurerIds;
    /// @dev The measurers that can be drawn, in no order.
    uint32[] internal _admitted;
    mapping(uint64 roundId => MeasureRecords.Round) internal _rounds;
    mapping(uint64 roundId => mapping(uint256 index => MeasureRecords.Submission)) internal _submissions;
    mapping(uint32 nodeId => MeasureRecords.Latest) internal _latest;
    mapping(address account => bool) internal _keepers;

    modifier onlyKeeper() {
        if (!_keepers[msg.sender]) revert CallerNotMeasureKeeper(msg.sender);
        _;
    }

    constructor(address authority_, IComputeNode computeNode, Settings memory settings)
        EIP712("ngpu Measure", "1")
        Pauses(authority_)
    {
        if (settings.quorum == 0 || settings.draws < settings.quorum || settings.draws > Draws.LEAVES) {
            revert MeasureQuorumInvalid(settings.quorum, settings.draws, Draws.LEAVES);
        }
        _computeNode = computeNode;
        _slotSeconds = computeNode.slotSeconds();
        _quorum = settings.quorum;
        _draws = settings.draws;
        _isOpenToAll = settings.openToAll;
        _leadSeconds = settings.leadSeconds;
        _windowSeconds = settings.windowSeconds;
        _ttlSeconds = settings.ttlSeconds;
        (_measurerCount, _roundCount) = (settings.measurersBefore, settings.roundsBefore);
    }

    /// @inheritdoc IMeasure
    function setMeasureKeeper(address account, bool allowed) external restricted {
        _keepers[account] = allowed;
        emit MeasureKeeperSet(account, allowed);
    }

    /// @inheritdoc IDismissals
    function dismiss(address account) external restricted {
        if (!_keepers[account]) return;
        _keepers[account] = false;
        emit MeasureKeeperSet(account, false);
    }

    /// @inheritdoc IMeasure
    function isMeasureKeeper(address account) external view returns (bool) {
        return _keepers[account];
    }

    /// @inheritdoc IMeasure
    function quorum() external view returns (uint8) {
        return _quorum;
    }

    /// @inheritdoc IMeasure
    function draws() external view returns (uint8) {
        return _draws;
    }

    /// @inheritdoc IMeasure
    function leadSeconds() external view returns (uint40) {
        return _leadSeconds;
    }

    /// @inheritdoc IMeasure
    function windowSeconds() external view returns (uint40) {
        return _windowSeconds;
    }

    /// @inheritdoc IMeasure
    function ttlSeconds() external view returns (uint40) {
        return _ttlSeconds;
    }

    /// @inheritdoc IMeasure
    function measurerIdOf(address key) external view returns (uint32) {
        return _measurerIds[key];
    }

    /// @inheritdoc IMeasure
    function measurerOf(uint32 measurerId)
        external
        view
        returns (address key, address wallet, bytes2 region, bool isAdmitted)
    {
        MeasureRecords.Measurer storage measurer = _measurers[measurerId];
        return (measurer.key, measurer.wallet, measurer.region, measurer.place != 0);
    }

    /// @inheritdoc IMeasure
    function signerOf(uint32 measurerId) external view returns (address key, bool isAdmitted) {
        MeasureRecords.Measurer storage measurer = _measurers[measurerId];
        return (measurer.key, measurer.place != 0);
    }

    /// @inheritdoc IMeasure
    function roundOf(uint64 roundId)
        external
        view
        returns (uint32 nodeId, uint40 opensAt, uint40 closesAt, uint40 drawBlock, uint8 submissions, bytes32 draws_)
    {
        MeasureRecords.Round memory round = _rounds[roundId];
        (nodeId, opensAt, closesAt) = (round.nodeId, round.opensAt, round.closesAt);
        (drawBlock, submissions, draws_) = (round.drawBlock, round.submissions, round.draws);
    }

    /// @inheritdoc IMeasure
    function drawnBy(uint64 roundId, bytes32 salt) external view returns (uint32 measurerId) {
        MeasureRecords.Round memory round = _rounds[roundId];
        return _drawnBy(salt, _seedOf(roundId, round), round.candidates);
    }

    /// @inheritdoc IMeasure
    function latestOf(uint32 nodeId) external view returns (Measurement memory median, uint40 expiresAt) {
        MeasureRecords.Latest storage latest = _latest[nodeId];
        return (latest.median.unpack(), latest.expiresAt);
    }

    function _seedOf(uint64 roundId, MeasureRecords.Round memory round) internal view returns (uint64) {
        return round.seed == 0 ? Draws.seedOf(roundId, round.drawBlock) : round.seed;
    }

    /// @dev Zero without a seed, without candidates, or when so many were removed since that the position is empty.
    function _drawnBy(bytes32 salt, uint64 seed, uint32 candidates) internal view returns (uint32 measurerId) {
        if (seed == 0 || candidates == 0) return 0;
        uint256 place = Draws.pick(salt, seed, candidates);
        if (place < _admitted.length) measurerId = _admitted[place];
    }

    /// @inheritdoc Pauses
    function _bitOf(bytes4 selector) internal pure override returns (uint256) {
        if (selector == IMeasure.registerMeasurerBatch.selector) return 0;
        if (selector == IMeasure.request.selector) return 1;
        if (selector == IMeasure.revealBatch.selector) return 2;
        if (selector == IMeasure.finalize.selector) return 3;
        return NONE;
    }
}
