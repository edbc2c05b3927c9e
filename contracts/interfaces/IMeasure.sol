// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IBatch} from "./IBatch.sol";
import {IDismissals} from "./IDismissals.sol";
import {IPauses} from "./IPauses.sol";

/// @title Measurement nodes, their rounds and results
/// @notice A round announces only its window, with a commitment to the salts and ports of its draws. A later block
/// determines the measurer of each salt (Draws), and each draw is revealed with its result.
interface IMeasure is IBatch, IDismissals, IPauses {
    /// @notice Fixed at deployment; durations are seconds.
    struct Settings {
        /// @dev Results of distinct operators that a round needs to say the same of the node.
        uint8 quorum;
        /// @dev Draws of a round, at least as many as the quorum. A higher number tolerates more absent measurers, and gives the
        /// keeper more choice among them.
        uint8 draws;
        /// @dev Whether every measurer that registers is admitted.
        bool openToAll;
        uint40 leadSeconds;
        uint40 windowSeconds;
        uint40 ttlSeconds;
        /// @dev The highest ids that previous contracts may use; this contract's ids begin after them.
        uint32 measurersBefore;
        uint64 roundsBefore;
    }

    /// @notice Signed by `key`.
    struct MeasurerRegistration {
        address key;
        address wallet;
        bytes2 region;
        uint64 deadline;
        /// @dev Not signed by `key`: the wallet's signature, MeasurerConsent(address key,address wallet). Empty where the measurer has
        /// no wallet but its key, or the wallet is the caller.
        bytes consent;
    }

    struct Measurement {
        /// @dev Nothing responded at the node's port until the end of the window; then all other fields are zero.
        bool absent;
        /// @dev From the node to the measurer, Mbit/s.
        uint32 downMbps;
        /// @dev From the measurer to the node, Mbit/s.
        uint32 upMbps;
        /// @dev Round trip in tenths of a millisecond.
        uint32 latencyTenthMs;
        /// @dev Mapped ports behind which a container responded to the measurer's challenge.
        uint16 portsReachable;
        /// @dev Free disk in GiB, measured in a container on the node.
        uint32 diskFreeGib;
        /// @dev Sequential write in MiB/s.
        uint32 diskWriteMibps;
    }

    struct Request {
        uint32 nodeId;
        /// @dev Root over the round's draws, see Draws.
        bytes32 draws;
    }

    /// @notice Signed by the measurer's key.
    struct Reveal {
        uint64 roundId;
        uint32 measurerId;
        /// @dev Its position among the round's draws, from 0.
        uint8 draw;
        uint16 port;
        bytes32 salt;
        /// @dev Siblings of the draw under the round's root, from the lowest.
        bytes32[3] proof;
        Measurement result;
        uint64 deadline;
    }

    event MeasurerRegistered(uint32 indexed measurerId, address indexed key, address indexed wallet, bytes2 region);

    /// @notice The measurer can be drawn from now on, or no longer.
    event MeasurerAdmissionSet(uint32 indexed measurerId, bool admitted);
    event MeasureRequested(
        uint64 indexed roundId,
        uint32 indexed nodeId,
        uint40 opensAt,
        uint40 closesAt,
        uint40 drawBlock,
        bytes32 draws
    );
    event MeasureSubmitted(
        uint64 indexed roundId, uint32 indexed nodeId, uint32 indexed measurerId, uint16 port, Measurement result
    );
    event MeasureFinalized(
        uint64 indexed roundId, uint32 indexed nodeId, uint8 submissions, Measurement median, uint40 expiresAt
    );

    /// @notice The round ended with too few results, or its results differ about the node; none of it is stored.
    event MeasureFailed(uint64 indexed roundId, uint32 indexed nodeId, uint8 submissions);
    event MeasureKeeperSet(address indexed account, bool allowed);

    error MeasurerKeyTaken(address key, uint32 measurerId);
    error MeasurerUnknown(uint32 measurerId);
    error MeasurerAlreadyAdmitted(uint32 measurerId, bool admitted);
    error MeasureNodeUnknown(uint32 nodeId);

    /// @notice The node has an open round.
    error MeasureNodeBusy(uint32 nodeId, uint40 until);
    error MeasureRoundUnknown(uint64 roundId);

    /// @notice The round was finalized, or ended without its quorum.
    error MeasureRoundEnded(uint64 roundId);
    error MeasureRoundClosed(uint64 roundId, uint40 closesAt);
    error MeasureRoundOpen(uint64 roundId, uint40 closesAt);

    /// @notice Absence cannot be reported for the node before `from`.
    error MeasureRoundNotOpen(uint64 roundId, uint40 from);
    error MeasureQuorumInvalid(uint8 quorum, uint8 draws, uint256 limit);

    /// @notice The round's root does not contain this port and salt for this draw.
    error MeasureDrawUnknown(uint64 roundId, uint8 draw);

    /// @notice The hash of the block that determines the draws is not available yet, or no longer.
    error MeasureSeedMissing(uint64 roundId, uint40 drawBlock);

    /// @param drawn The measurer of the draw, zero for none.
    error MeasurerNotDrawn(uint64 roundId, uint32 measurerId, uint32 drawn);
    error MeasureOwnNode(uint32 measurerId, uint32 nodeId);

    /// @notice This measurer, of the same operator, has already submitted a result.
    error MeasureAlreadySubmitted(uint64 roundId, uint32 measurerId);

    /// @notice The result of an absent node has measured values.
    error MeasureResultInvalid(uint64 roundId, uint32 measurerId);
    error CallerNotMeasureKeeper(address caller);

    /// @notice Lets `account` request rounds, or stops it. Restricted.
    /// @param account The measure keeper.
    /// @param allowed Whether it may.
    function setMeasureKeeper(address account, bool allowed) external;

    /// @notice Lets measurers be drawn, or stops it. Restricted. An open round whose draws change by it gets no results.
    /// @param measurerIds The measurers.
    /// @param admitted Whether they may be drawn.
    function setMeasurersAdmitted(uint32[] calldata measurerIds, bool admitted) external;

    /// @notice Registers measurement nodes; a key registers once. Payments go to `wallet`, or to the key when it is zero.
    /// @param registrations The messages.
    /// @param signatures The signature of each message's key, 65 bytes.
    function registerMeasurerBatch(
        MeasurerRegistration[] calldata registrations,
        bytes[] calldata signatures
    ) external;

    /// @notice Announces a round for each node, with the root over its draws: it opens `leadSeconds` from now and closes
    /// `windowSeconds` later. A node has one round at a time. Keepers only.
    /// @param requests The nodes, each with the root over its draws.
    function request(Request[] calldata requests) external;

    /// @notice Reveals draws with the measurers' signed results, each operator once. Relayed by anyone.
    /// @param reveals The messages.
    /// @param signatures The signature of each measurer's key, 65 bytes.
    function revealBatch(Reveal[] calldata reveals, bytes[] calldata signatures) external;

    /// @notice Ends rounds that have a result for every draw, or whose window has ended, and frees their storage. All results
    /// but one, at least the quorum, decide whether the node is absent, or a port of it was reached. Then the median is
    /// published, or the node's heartbeats in the window are challenged. If the results differ, nothing is published. Anyone.
    /// The lower one of two middle values is the median.
    /// @param roundIds The rounds.
    function finalize(uint64[] calldata roundIds) external;

    /// @notice Whether an account may request rounds.
    /// @param account The account.
    /// @return Whether it may.
    function isMeasureKeeper(address account) external view returns (bool);

    /// @notice The number of results of distinct operators that a round needs to say the same of the node.
    /// @return The number of results.
    function quorum() external view returns (uint8);

    /// @notice The number of draws of a round.
    /// @return The number of draws.
    function draws() external view returns (uint8);

    /// @notice The time from the request of a round to its opening.
    /// @return Seconds.
    function leadSeconds() external view returns (uint40);

    /// @notice The time that a round is open.
    /// @return Seconds.
    function windowSeconds() external view returns (uint40);

    /// @notice The time for which a published median is valid.
    /// @return Seconds.
    function ttlSeconds() external view returns (uint40);

    /// @notice The number of measurers that can be drawn.
    /// @return The number.
    function admittedCount() external view returns (uint256);

    /// @notice The measurer that a key signs for.
    /// @param key The key.
    /// @return The measurer; zero for an unknown key.
    function measurerIdOf(address key) external view returns (uint32);

    /// @notice A measurer.
    /// @param measurerId The measurer.
    /// @return key Its key; zero for an unknown measurer.
    /// @return wallet Its payee; the key where it named none.
    /// @return region Its region, two ASCII letters.
    /// @return isAdmitted Whether it can be drawn.
    function measurerOf(uint32 measurerId)
        external
        view
        returns (address key, address wallet, bytes2 region, bool isAdmitted);

    /// @notice The key that a measurer signs with: less gas than all of `measurerOf`.
    /// @param measurerId The measurer.
    /// @return key Its key; zero for an unknown measurer.
    /// @return isAdmitted Whether it can be drawn.
    function signerOf(uint32 measurerId) external view returns (address key, bool isAdmitted);

    /// @notice An open round; zeros for any other.
    /// @param roundId The round.
    /// @return nodeId The measured node.
    /// @return opensAt When it opens, Unix seconds.
    /// @return closesAt When it closes, Unix seconds.
    /// @return drawBlock The block whose hash determines its draws.
    /// @return submissions The results so far.
    /// @return draws_ The root over its draws.
    function roundOf(uint64 roundId)
        external
        view
        returns (uint32 nodeId, uint40 opensAt, uint40 closesAt, uint40 drawBlock, uint8 submissions, bytes32 draws_);

    /// @notice The measurer that a salt draws in a round; zero for none, or while the deciding block does not exist.
    /// @param roundId The round.
    /// @param salt The salt.
    /// @return measurerId The measurer.
    function drawnBy(uint64 roundId, bytes32 salt) external view returns (uint32 measurerId);

    /// @notice A node's last published median.
    /// @param nodeId The node.
    /// @return median The median; zeros where there is none.
    /// @return expiresAt Until when it is valid, Unix seconds.
    function latestOf(uint32 nodeId) external view returns (Measurement memory median, uint40 expiresAt);
}
