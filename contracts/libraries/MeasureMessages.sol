// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IMeasure} from "../interfaces/IMeasure.sol";

/// @title EIP-712 hashes of the messages that measurers sign
library MeasureMessages {
    bytes32 private constant REGISTRATION_TYPEHASH =
        keccak256("MeasurerRegistration(address key,address wallet,bytes2 region,uint64 deadline)");

    bytes32 private constant MEASUREMENT_TYPEHASH = keccak256(
        "Measurement(bool absent,uint32 downMbps,uint32 upMbps,uint32 latencyTenthMs,uint16 portsReachable,"
        "uint32 diskFreeGib,uint32 diskWriteMibps)"
    );

    bytes32 private constant REVEAL_TYPEHASH = keccak256(
        "Reveal(uint64 roundId,uint32 measurerId,uint8 draw,uint16 port,bytes32 salt,bytes32[3] proof,"
        "Measurement result,uint64 deadline)"
        "Measurement(bool absent,uint32 downMbps,uint32 upMbps,uint32 latencyTenthMs,uint16 portsReachable,"
        "uint32 diskFreeGib,uint32 diskWriteMibps)"
    );

    bytes32 private constant CONSENT_TYPEHASH = keccak256("MeasurerConsent(address key,address wallet)");

    function hash(IMeasure.MeasurerRegistration calldata message) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(REGISTRATION_TYPEHASH, message.key, message.wallet, message.region, message.deadline)
        );
    }

    /// @notice The message by which a wallet accepts the measurer of a key.
    function hashConsent(address key, address wallet) internal pure returns (bytes32) {
        return keccak256(abi.encode(CONSENT_TYPEHASH, key, wallet));
    }

    function hash(IMeasure.Reveal calldata message) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                REVEAL_TYPEHASH,
                message.roundId,
                message.measurerId,
                message.draw,
                message.port,
                message.salt,
                keccak256(abi.encode(message.proof)),
                keccak256(abi.encode(MEASUREMENT_TYPEHASH, message.result)),
                message.deadline
            )
        );
    }
}
