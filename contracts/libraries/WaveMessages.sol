// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IProofWaves} from "../interfaces/IProofWaves.sol";
import {StructHash} from "./StructHash.sol";

/// @title EIP-712 hashes of the messages of ProofWaves
library WaveMessages {
    bytes32 private constant HARDWARE_CLAIM_TYPEHASH =
        keccak256("HardwareClaim(uint32 nodeId,bytes32[] devices,uint64 deadline)");

    bytes32 private constant WAVE_POST_TYPEHASH =
        keccak256("WavePost(uint32 waveId,uint32 measurerId,uint8 stage,bytes32 root)");

    function hash(IProofWaves.HardwareClaim calldata message) internal pure returns (bytes32) {
        bytes32 devices = keccak256(abi.encodePacked(message.devices));
        return keccak256(abi.encode(HARDWARE_CLAIM_TYPEHASH, message.nodeId, devices, message.deadline));
    }

    function hash(IProofWaves.WavePost calldata message) internal pure returns (bytes32) {
        uint256 offset;
        assembly ("memory-safe") {
            offset := message
        }
        return StructHash.ofWords(WAVE_POST_TYPEHASH, offset, 4);
    }

    /// @notice What a measurer signs before it reveals.
    function hash(IProofWaves.WaveReveal calldata message) internal pure returns (bytes32) {
        return keccak256(abi.encode(message));
    }
}
