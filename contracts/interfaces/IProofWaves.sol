// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IBatch} from "./IBatch.sol";
import {IPauses} from "./IPauses.sol";

/// @title Waves of the proof of hardware
/// @notice A wave challenges every claimed device at one moment, which a block's hash draws. Measurers post roots of what
/// they received; the block that includes a root is the clock. They commit to results before any is revealed. What the
/// results say about each device follows from the events (docs/proof.md); there is no word for each node.
interface IProofWaves is IBatch, IPauses {
    /// @notice Fixed at deployment; durations are blocks.
    struct Settings {
        /// @dev Blocks whose number is a multiple of this may begin a wave.
        uint16 stride;
        /// @dev One in so many of them does.
        uint32 chance;
        /// @dev From the first block to the one that gives the chase its seed: the time to open the wave and to fill memory.
        uint16 fillBlocks;
        /// @dev From there to the last block that may include roots of the chase, which gives the work its seed.
        uint16 chaseBlocks;
        /// @dev From there to the last block that may include roots of answers. The next one gives the audit its seed.
        uint16 workBlocks;
        /// @dev From there to the last block that may include commitments to results.
        uint16 commitBlocks;
        /// @dev From there to the last block that may include revealed results.
        uint16 revealBlocks;
        /// @dev The highest number of a wave that previous contracts may use.
        uint32 wavesBefore;
    }

    /// @notice The thresholds of verdicts, which follow from events alone. They apply to the waves that open afterwards.
    struct Rules {
        /// @dev Measurers of a wave, statements that a verdict needs, and statements below the others that do not count.
        uint8 drawn;
        uint8 quorum;
        uint8 spare;
        /// @dev Least shares of claimed figures that pass, in 255ths.
        uint8 leastMemory;
        uint8 leastBandwidth;
        uint8 leastArithmetic;
        /// @dev Held waves that count, and how many of them a paid device passes.
        uint8 counted;
        uint8 passes;
        /// @dev Failing nodes beyond which a wave has no verdict, in thousandths.
        uint16 lossPermille;
        /// @dev Held waves for which a leased device keeps its last proof.
        uint16 keptWaves;
    }

    /// @notice What a measurer posts, in this order.
    enum Stage {
        Chase,
        Answers,
        Results
    }

    /// @notice Signed by the node's key. It replaces the node's claims with earlier deadlines.
    struct HardwareClaim {
        uint32 nodeId;
        /// @dev A word for each device, see packages/waves/claims.ts. None withdraws the claim.
        bytes32[] devices;
        /// @dev At most CLAIM_SECONDS from now.
        uint64 deadline;
    }

    /// @notice Signed by the measurer's key. It needs no deadline: each stage of a wave has its blocks.
    struct WavePost {
        uint32 waveId;
        uint32 measurerId;
        /// @dev A `Stage`.
        uint8 stage;
        /// @dev The root of a batch, or the hash of a `WaveReveal`.
        bytes32 root;
    }

    /// @notice What a commitment hid. Its keccak256, ABI-encoded, is what the measurer signed.
    struct WaveReveal {
        uint32 waveId;
        uint32 measurerId;
        /// @dev Root over the result of each device.
        bytes32 results;
        /// @dev Root over the hash of each transcript.
        bytes32 transcripts;
        /// @dev Hash of the list of devices that proved less than they claim.
        bytes32 exceptions;
        bytes32 salt;
    }

    /// @notice A wave is drawn by its first block. Its other blocks follow from the settings.
    event WaveOpened(uint32 indexed waveId, uint40 indexed fillBlock, bytes32 fillHash);

    /// @notice The hashes of the blocks that give the seeds of chase, work and audit.
    event WaveSeedsRecorded(uint32 indexed waveId, bytes32 chaseHash, bytes32 workHash, bytes32 auditHash);
    event HardwareClaimed(uint32 indexed nodeId, uint64 deadline, bytes32[] devices);
    event WavePosted(uint32 indexed waveId, uint32 indexed measurerId, Stage stage, bytes32 root);
    event WaveRevealed(
        uint32 indexed waveId, uint32 indexed measurerId, bytes32 results, bytes32 transcripts, bytes32 exceptions
    );

    /// @notice A list whose hash reveals name. A list that no reveal names means nothing.
    event ExceptionsPublished(uint32 indexed waveId, bytes32 indexed exceptions, bytes list);
    event WaveRulesSet(Rules rules);

    /// @notice No block from `from` to `to` begins a wave.
    error WaveNotDrawn(uint256 from, uint256 to);
    error WaveUnknown(uint32 waveId);

    /// @notice The block of the call is not in the stage's blocks.
    error WaveStageClosed(uint32 waveId, uint256 first, uint256 last);

    /// @notice A measurer posts each stage once, and after the one before.
    /// @param expected The stage that it can post.
    error WaveStageNotNext(uint32 waveId, uint32 measurerId, uint8 stage, uint8 expected);
    error WaveMeasurerNotAdmitted(uint32 measurerId);

    /// @notice The measurer has committed to no such results, or has revealed them.
    error WaveNotCommitted(uint32 waveId, uint32 measurerId);

    /// @notice The block does not exist yet, or its hash is no longer available.
    error WaveSeedMissing(uint32 waveId, uint256 blockNumber);

    /// @notice A later claim of the node was accepted.
    error HardwareClaimStale(uint32 nodeId, uint64 deadline, uint64 last);
    error HardwareClaimDeadlineLate(uint32 nodeId, uint64 deadline, uint256 latest);
    error HardwareClaimTooLong(uint32 nodeId, uint256 devices, uint256 limit);
    error HardwareClaimNodeUnknown(uint32 nodeId);
    error WaveSettingsInvalid();
    error WaveRulesInvalid();

    /// @notice Sets the thresholds of verdicts. Restricted.
    /// @param rules The thresholds.
    function setRules(Rules calldata rules) external;

    /// @notice Accepts the claims of nodes about their devices. Relayed by anyone.
    /// @param claims The messages.
    /// @param signatures The signature of each node's key, 65 bytes.
    function claimBatch(HardwareClaim[] calldata claims, bytes[] calldata signatures) external;

    /// @notice Opens the wave that a recent block began. Anyone, before the chase.
    /// @return waveId The wave.
    function open() external returns (uint32 waveId);

    /// @notice Records the hashes of a wave's later blocks. Anyone, after the audit's block. A second record has the same hashes.
    /// @param waveId The wave.
    function record(uint32 waveId) external;

    /// @notice Accepts roots and commitments of measurers. Relayed by anyone.
    /// @param posts The messages.
    /// @param signatures The signature of each measurer's key, 65 bytes.
    function postBatch(WavePost[] calldata posts, bytes[] calldata signatures) external;

    /// @notice Reveals results, and publishes the lists that they name. Anyone.
    /// @param waveId The wave of the lists.
    /// @param reveals What commitments hid.
    /// @param lists Lists of exceptions. Reveals that name the same list need it once.
    function revealBatch(uint32 waveId, WaveReveal[] calldata reveals, bytes[] calldata lists) external;

    /// @notice The fixed settings.
    /// @return The settings.
    function settings() external view returns (Settings memory);

    /// @notice The thresholds of verdicts.
    /// @return The thresholds.
    function rules() external view returns (Rules memory);

    /// @notice The number of the last wave.
    /// @return The number; the last one of previous contracts before the first wave.
    function waveCount() external view returns (uint32);

    /// @notice The first block of one of the last four waves.
    /// @param waveId The wave.
    /// @return The block's number; zero for another wave.
    function fillBlockOf(uint32 waveId) external view returns (uint40);

    /// @notice How far a measurer is in one of the last four waves.
    /// @param waveId The wave.
    /// @param measurerId The measurer.
    /// @return stages The stages that it posted, 4 after its reveal.
    /// @return commitment The first 27 bytes of what it posted last, zero after its reveal.
    function progressOf(uint32 waveId, uint32 measurerId) external view returns (uint8 stages, bytes27 commitment);

    /// @notice The deadline of a node's last claim.
    /// @param nodeId The node.
    /// @return The deadline; zero where there is none.
    function claimDeadlineOf(uint32 nodeId) external view returns (uint64);
}
