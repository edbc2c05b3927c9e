// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title The debt of a lease
library Leases {
    // | running 8 | open 8 | lease 32 | nodeId 32 | settledAt 40 | rate 64 | authorizationId 64 |
    struct Lease {
        uint64 authorizationId;
        uint64 rate;
        uint40 settledAt;
        uint32 nodeId;
        uint32 number;
        bool isOpen;
        bool isRunning;
    }

    /// @notice A replica has one lease at a time, so all its leases use one slot.
    function keyOf(uint64 workspaceId, uint16 replica) internal pure returns (uint256) {
        return (uint256(workspaceId) << 16) | replica;
    }

    /// @notice rate × (now − settledAt), with nothing owed past `expiry`.
    function due(Lease memory lease, uint40 time, uint40 expiry) internal pure returns (uint128) {
        if (!lease.isRunning) return 0;
        uint40 until = time < expiry ? time : expiry;
        return until > lease.settledAt ? uint128(lease.rate) * (until - lease.settledAt) : 0;
    }
}
