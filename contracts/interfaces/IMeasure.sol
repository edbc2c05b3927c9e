// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IBatch} from "./IBatch.sol";
import {IPauses} from "./IPauses.sol";

/// @title Measurement nodes, who measures whom, and the results
/// @notice A round announces only its window. Who measures and at which port is committed as a hash beforehand and
/// revealed with the result.
interface IMeasure is IBatch, IPauses {
    /// @notice Signed by `key`.
    struct MeasurerRegistration {
        address key;
        address wallet;
        bytes2 region;
        uint64 deadline;
    }

    struct Measurement {
        /// @dev From the node to the measurer, Mbit/s.
        uint32 downMbps;
        /// @dev From the measurer to the node, Mbit/s.
        uint32 upMbps;
        /// @dev Round trip in tenths of a millisecond.
        uint32 latencyTenthMs;
        /// @dev Mapped ports behind which a container answered the measurer's challenge.
        uint16 portsReachable;
        /// @dev Free disk in GiB, as a container on the node saw it.
        uint32 diskFreeGib;
        /// @dev Sequential write in MiB/s.
        uint32 diskWriteMibps;
    }

    struct Commit {
        uint64 roundId;
        /// @dev keccak256(abi.encode(roundId, measurerId, port, salt)).
        bytes32 commitment;
    }

    struct Reveal {
        uint64 roundId;
        uint32 measurerId;
        uint16 port;
        bytes32 salt;
        Measurement result;
        uint64 deadline;
    }

    event MeasurerRegistered(uint32 indexed measurerId, address indexed key, address indexed wallet, bytes2 region);
    event MeasureRequested(uint64 indexed roundId, uint32 indexed nodeId, uint40 opensAt, uint40 closesAt);
    event MeasureCommitted(uint64 indexed roundId, bytes32 commitment);
    event MeasureSubmitted(
        uint64 indexed roundId, uint32 indexed nodeId, uint32 indexed measurerId, uint16 port, Measurement result
    );
    event MeasureFinalized(
        uint64 indexed roundId, uint32 indexed nodeId, uint8 submissions, Measurement median, uint40 expiresAt
    );
    event MeasureKeeperSet(address indexed account, bool allowed);

    error MeasurerKeyTaken(address key, uint32 measurerId);
    error MeasurerUnknown(uint32 measurerId);
    error MeasureNodeUnknown(uint32 nodeId);
    error MeasureRoundUnknown(uint64 roundId);
    error MeasureRoundClosed(uint64 roundId, uint40 closesAt);
    error MeasureRoundOpen(uint64 roundId, uint40 closesAt);
    error MeasureRoundNotOpen(uint64 roundId, uint40 opensAt);
    error MeasureRoundFinalized(uint64 roundId);
    error MeasureCommitLate(uint64 roundId, uint40 opensAt);
    error MeasureCommitmentTaken(uint64 roundId, bytes32 commitment);
    error MeasureQuorumInvalid(uint8 quorum, uint256 limit);
    error MeasureCommitmentUnknown(uint64 roundId, bytes32 commitment);
    error MeasureCommitmentFull(uint64 roundId, uint256 limit);
    error MeasureOwnNode(uint32 measurerId, uint32 nodeId);
    error MeasureSubmittedAlready(uint64 roundId, uint32 measurerId);
    error MeasureQuorumMissing(uint64 roundId, uint8 submissions, uint8 quorum);
    error CallerNotMeasureKeeper(address caller);

    /// @notice Lets `account` request rounds and commit draws, or stops it. Restricted.
    function setMeasureKeeper(address account, bool allowed) external;

    /// @notice Registers measurement nodes; a key registers once. Money goes to `wallet`, or to the key where that is zero.
    function registerMeasurerBatch(
        MeasurerRegistration[] calldata registrations,
        bytes[] calldata signatures
    ) external;

    /// @notice Announces a round for each node: it opens `leadSeconds` from now, so that the draw is bound before, and closes
    /// `windowSeconds` later. Keepers only.
    function request(uint32[] calldata nodeIds) external;

    /// @notice Binds the draw of each round before it opens to anyone. Keepers only.
    function commitBatch(Commit[] calldata commits) external;

    /// @notice Reveals draws with the measurers' signed results. Relayed by anyone.
    function revealBatch(Reveal[] calldata reveals, bytes[] calldata signatures) external;

    /// @notice Publishes the median of a round that has its quorum and either every committed result, or is over. Anyone.
    /// The lower one of two middle values is the median.
    function finalize(uint64[] calldata roundIds) external;

    function isMeasureKeeper(address account) external view returns (bool);
    function quorum() external view returns (uint8);
    function leadSeconds() external view returns (uint40);
    function windowSeconds() external view returns (uint40);

    /// @notice How long a median holds after it is published.
    function ttlSeconds() external view returns (uint40);
    function measurerOf(uint32 measurerId) external view returns (address key, address wallet, bytes2 region);
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
        );
    function measurerIdOf(address key) external view returns (uint32);
    function latestOf(uint32 nodeId) external view returns (Measurement memory median, uint40 expiresAt);
}
