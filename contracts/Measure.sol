// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Pauses} from "./Pauses.sol";
import {SignedBatch} from "./SignedBatch.sol";
import {IComputeNode} from "./interfaces/IComputeNode.sol";
import {IMeasure} from "./interfaces/IMeasure.sol";
import {Measurements} from "./libraries/Measurements.sol";

/// @notice See IMeasure.
contract Measure is IMeasure, SignedBatch, Pauses {
    using Measurements for *;

    // | - 80 | region 16 | key 160 |
    // | - 96 | wallet 160 |
    struct Measurer {
        address key;
        bytes2 region;
        address wallet;
    }

    // | - 120 | finalized 8 | submissions 8 | commitments 8 | closesAt 40 | opensAt 40 | nodeId 32 |
    struct Round {
        uint32 nodeId;
        uint40 opensAt;
        uint40 closesAt;
        uint8 commitments;
        uint8 submissions;
        bool finalized;
    }

    // | - 48 | measurerId 32 | result 176 |; freed when the round is finalized
    struct Submission {
        uint176 result;
        uint32 measurerId;
    }

    // | - 40 | expiresAt 40 | median 176 |
    struct Latest {
        uint176 median;
        uint40 expiresAt;
    }

    struct Settings {
        uint8 quorum;
        uint40 leadSeconds;
        uint40 windowSeconds;
        uint40 ttlSeconds;
    }

    bytes32 private constant REGISTRATION_TYPEHASH =
        keccak256("MeasurerRegistration(address key,address wallet,bytes2 region,uint64 deadline)");

    bytes32 private constant MEASUREMENT_TYPEHASH = keccak256(
        "Measurement(uint32 downMbps,uint32 upMbps,uint32 latencyTenthMs,uint16 portsReachable,uint32 diskFreeGib,"
        "uint32 diskWriteMibps)"
    );

    bytes32 private constant REVEAL_TYPEHASH = keccak256(
        "Reveal(uint64 roundId,uint32 measurerId,uint16 port,bytes32 salt,Measurement result,uint64 deadline)"
        "Measurement(uint32 downMbps,uint32 upMbps,uint32 latencyTenthMs,uint16 portsReachable,uint32 diskFreeGib,"
        "uint32 diskWriteMibps)"
    );

    /// @dev Draws in one round: bounds the loops over its results.
    uint256 private constant MAX_COMMITMENTS = 8;

    // | - 128 | roundCount 64 | measurerCount 32 | paused 32 |: see Pauses
    uint32 private _measurerCount;
    uint64 private _roundCount;

    IComputeNode private immutable _computeNode;
    uint8 private immutable _quorum;
    uint40 private immutable _leadSeconds;
    uint40 private immutable _windowSeconds;
    uint40 private immutable _ttlSeconds;

    mapping(uint32 measurerId => Measurer) private _measurers;
    mapping(address key => uint32 measurerId) private _measurerIds;
    mapping(uint64 roundId => Round) private _rounds;
    /// @dev A commitment is bound to its round by the hash itself; revealing frees it.
    mapping(bytes32 commitment => uint64 roundId) private _commitments;
    mapping(uint64 roundId => mapping(uint256 index => Submission)) private _submissions;
    mapping(uint32 nodeId => Latest) private _latest;
    mapping(address account => bool) private _keepers;

    modifier onlyKeeper() {
        if (!_keepers[msg.sender]) revert CallerNotMeasureKeeper(msg.sender);
        _;
    }

    constructor(address authority_, IComputeNode computeNode, Settings memory settings)
        EIP712("ngpu Measure", "1")
        Pauses(authority_)
    {
        if (settings.quorum == 0 || settings.quorum > MAX_COMMITMENTS) {
            revert MeasureQuorumInvalid(settings.quorum, MAX_COMMITMENTS);
        }
        _computeNode = computeNode;
        _quorum = settings.quorum;
        _leadSeconds = settings.leadSeconds;
        _windowSeconds = settings.windowSeconds;
        _ttlSeconds = settings.ttlSeconds;
    }

    /// @inheritdoc IMeasure
    function setMeasureKeeper(address account, bool allowed) external restricted {
        _keepers[account] = allowed;
        emit MeasureKeeperSet(account, allowed);
    }

    /// @inheritdoc IMeasure
    function registerMeasurerBatch(MeasurerRegistration[] calldata registrations, bytes[] calldata signatures)
        external
        pausable
    {
        uint256 items = _checkLengths(registrations.length, signatures.length);
        for (uint256 i; i < items; ++i) {
            _settleItem(i, _register(registrations[i], signatures[i]));
        }
    }

    /// @inheritdoc IMeasure
    function request(uint32[] calldata nodeIds) external pausable onlyKeeper {
        uint256 items = _checkLength(nodeIds.length);
        uint40 opensAt = uint40(block.timestamp) + _leadSeconds;
        for (uint256 i; i < items; ++i) {
            uint32 nodeId = nodeIds[i];
            if (_computeNode.keyOf(nodeId) == address(0)) {
                _settleItem(i, abi.encodeWithSelector(MeasureNodeUnknown.selector, nodeId));
                continue;
            }
            uint64 roundId = ++_roundCount;
            uint40 closesAt = opensAt + _windowSeconds;
            _rounds[roundId] = Round(nodeId, opensAt, closesAt, 0, 0, false);
            emit MeasureRequested(roundId, nodeId, opensAt, closesAt);
        }
    }

    /// @inheritdoc IMeasure
    function commitBatch(Commit[] calldata commits) external pausable onlyKeeper {
        uint256 items = _checkLength(commits.length);
        for (uint256 i; i < items; ++i) {
            _settleItem(i, _commit(commits[i].roundId, commits[i].commitment));
        }
    }

    /// @inheritdoc IMeasure
    function revealBatch(Reveal[] calldata reveals, bytes[] calldata signatures) external pausable {
        uint256 items = _checkLengths(reveals.length, signatures.length);
        for (uint256 i; i < items; ++i) {
            _settleItem(i, _reveal(reveals[i], signatures[i]));
        }
    }

    /// @inheritdoc IMeasure
    function finalize(uint64[] calldata roundIds) external pausable {
        uint256 items = _checkLength(roundIds.length);
        for (uint256 i; i < items; ++i) {
            _settleItem(i, _finalize(roundIds[i]));
        }
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
    function measurerOf(uint32 measurerId) external view returns (address key, address wallet, bytes2 region) {
        Measurer storage measurer = _measurers[measurerId];
        return (measurer.key, measurer.wallet, measurer.region);
    }

    /// @inheritdoc IMeasure
    function roundOf(uint64 roundId)
        external
        view
        returns (
            uint32 nodeId,
            uint40 opensAt,
            uint40 closesAt,
            uint8 commitments,
            uint8 submissions,
            bool finalized
        )
    {
        Round memory round = _rounds[roundId];
        (nodeId, opensAt, closesAt) = (round.nodeId, round.opensAt, round.closesAt);
        (commitments, submissions, finalized) = (round.commitments, round.submissions, round.finalized);
    }

    /// @inheritdoc IMeasure
    function latestOf(uint32 nodeId) external view returns (Measurement memory median, uint40 expiresAt) {
        Latest storage latest = _latest[nodeId];
        return (latest.median.unpack(), latest.expiresAt);
    }

    /// @inheritdoc Pauses
    function _bitOf(bytes4 selector) internal pure override returns (uint256) {
        if (selector == IMeasure.registerMeasurerBatch.selector) return 0;
        if (selector == IMeasure.request.selector) return 1;
        if (selector == IMeasure.commitBatch.selector) return 2;
        if (selector == IMeasure.revealBatch.selector) return 3;
        if (selector == IMeasure.finalize.selector) return 4;
        return NONE;
    }

    function _register(MeasurerRegistration calldata message, bytes calldata signature)
        private
        returns (bytes memory refusal)
    {
        uint32 measurerId = _measurerIds[message.key];
        if (measurerId != 0) return abi.encodeWithSelector(MeasurerKeyTaken.selector, message.key, measurerId);
        bytes32 structHash = keccak256(abi.encode(REGISTRATION_TYPEHASH, message));
        refusal = _checkSigned(message.key, message.deadline, structHash, signature);
        if (refusal.length != 0) return refusal;

        measurerId = ++_measurerCount;
        _measurerIds[message.key] = measurerId;
        _measurers[measurerId] = Measurer({key: message.key, region: message.region, wallet: message.wallet});
        emit MeasurerRegistered(measurerId, message.key, message.wallet, message.region);
    }

    function _commit(uint64 roundId, bytes32 commitment) private returns (bytes memory refusal) {
        Round storage round = _rounds[roundId];
        if (round.nodeId == 0) return abi.encodeWithSelector(MeasureRoundUnknown.selector, roundId);
        if (block.timestamp >= round.opensAt) {
            return abi.encodeWithSelector(MeasureCommitLate.selector, roundId, round.opensAt);
        }
        if (round.commitments == MAX_COMMITMENTS) {
            return abi.encodeWithSelector(MeasureCommitmentFull.selector, roundId, MAX_COMMITMENTS);
        }
        if (_commitments[commitment] != 0) {
            return abi.encodeWithSelector(MeasureCommitmentTaken.selector, roundId, commitment);
        }

        _commitments[commitment] = roundId;
        ++round.commitments;
        emit MeasureCommitted(roundId, commitment);
    }

    function _reveal(Reveal calldata message, bytes calldata signature) private returns (bytes memory refusal) {
        Round memory round = _rounds[message.roundId];
        bytes32 commitment =
            keccak256(abi.encode(message.roundId, message.measurerId, message.port, message.salt));
        refusal = _checkRound(message, round, commitment);
        if (refusal.length != 0) return refusal;
        refusal = _checkMeasurer(message, round, signature);
        if (refusal.length != 0) return refusal;

        delete _commitments[commitment];
        _submissions[message.roundId][round.submissions] =
            Submission({result: message.result.pack(), measurerId: message.measurerId});
        _rounds[message.roundId].submissions = round.submissions + 1;
        emit MeasureSubmitted(message.roundId, round.nodeId, message.measurerId, message.port, message.result);
    }

    function _checkRound(Reveal calldata message, Round memory round, bytes32 commitment)
        private
        view
        returns (bytes memory refusal)
    {
        uint64 roundId = message.roundId;
        if (round.nodeId == 0) return abi.encodeWithSelector(MeasureRoundUnknown.selector, roundId);
        if (round.finalized) return abi.encodeWithSelector(MeasureRoundFinalized.selector, roundId);
        if (block.timestamp < round.opensAt) {
            return abi.encodeWithSelector(MeasureRoundNotOpen.selector, roundId, round.opensAt);
        }
        if (block.timestamp > round.closesAt) {
            return abi.encodeWithSelector(MeasureRoundClosed.selector, roundId, round.closesAt);
        }
        for (uint256 i; i < round.submissions; ++i) {
            if (_submissions[roundId][i].measurerId == message.measurerId) {
                return abi.encodeWithSelector(MeasureSubmittedAlready.selector, roundId, message.measurerId);
            }
        }
        if (_commitments[commitment] != roundId) {
            return abi.encodeWithSelector(MeasureCommitmentUnknown.selector, roundId, commitment);
        }
    }

    /// @dev Who measures must share neither key nor wallet with the node.
    function _checkMeasurer(Reveal calldata message, Round memory round, bytes calldata signature)
        private
        view
        returns (bytes memory refusal)
    {
        Measurer memory measurer = _measurers[message.measurerId];
        if (measurer.key == address(0)) return abi.encodeWithSelector(MeasurerUnknown.selector, message.measurerId);
        address payout = measurer.wallet == address(0) ? measurer.key : measurer.wallet;
        address nodeKey = _computeNode.keyOf(round.nodeId);
        if (measurer.key == nodeKey || payout == nodeKey || payout == _computeNode.payoutOf(round.nodeId)) {
            return abi.encodeWithSelector(MeasureOwnNode.selector, message.measurerId, round.nodeId);
        }
        bytes32 resultHash = keccak256(abi.encode(MEASUREMENT_TYPEHASH, message.result));
        bytes32 structHash = keccak256(
            abi.encode(
                REVEAL_TYPEHASH,
                message.roundId,
                message.measurerId,
                message.port,
                message.salt,
                resultHash,
                message.deadline
            )
        );
        return _checkSigned(measurer.key, message.deadline, structHash, signature);
    }

    function _finalize(uint64 roundId) private returns (bytes memory refusal) {
        Round memory round = _rounds[roundId];
        if (round.nodeId == 0) return abi.encodeWithSelector(MeasureRoundUnknown.selector, roundId);
        if (round.finalized) return abi.encodeWithSelector(MeasureRoundFinalized.selector, roundId);
        // Whoever calls cannot choose which of the committed results count.
        if (block.timestamp <= round.closesAt && (round.submissions == 0 || round.submissions < round.commitments)) {
            return abi.encodeWithSelector(MeasureRoundOpen.selector, roundId, round.closesAt);
        }
        if (round.submissions < _quorum) {
            return abi.encodeWithSelector(MeasureQuorumMissing.selector, roundId, round.submissions, _quorum);
        }

        uint176[] memory results = new uint176[](round.submissions);
        for (uint256 i; i < round.submissions; ++i) {
            results[i] = _submissions[roundId][i].result;
            delete _submissions[roundId][i];
        }
        uint40 expiresAt = uint40(block.timestamp) + _ttlSeconds;
        uint176 median = results.median();
        _rounds[roundId].finalized = true;
        _latest[round.nodeId] = Latest({median: median, expiresAt: expiresAt});
        emit MeasureFinalized(roundId, round.nodeId, round.submissions, median.unpack(), expiresAt);
    }
}
