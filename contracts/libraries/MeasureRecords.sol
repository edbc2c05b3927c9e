// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Stored records of measurers and rounds
library MeasureRecords {
    // | - 48 | place 32 | region 16 | key 160 |
    // | - 96 | wallet 160 |
    struct Measurer {
        address key;
        bytes2 region;
        /// @dev Its position among the admitted, from 1; zero when it is not admitted.
        uint32 place;
        address wallet;
    }

    // | seed 64 | submissions 8 | candidates 32 | drawBlock 40 | closesAt 40 | opensAt 40 | nodeId 32 |
    // | draws 256 |; freed when the round ends
    struct Round {
        uint32 nodeId;
        uint40 opensAt;
        uint40 closesAt;
        /// @dev The block whose hash determines the draws.
        uint40 drawBlock;
        /// @dev The number of admitted measurers at the request.
        uint32 candidates;
        uint8 submissions;
        /// @dev Zero until the first reveal, which reads the block's hash while it is still available.
        uint64 seed;
        bytes32 draws;
    }

    // | - 40 | measurerId 32 | result 184 |; freed when the round ends
    struct Submission {
        uint184 result;
        uint32 measurerId;
    }

    // | openUntil 32 | expiresAt 40 | median 184 |
    struct Latest {
        uint184 median;
        uint40 expiresAt;
        /// @dev A round of the node is open until then, in Unix seconds; sufficient until 2106.
        uint32 openUntil;
    }
}
