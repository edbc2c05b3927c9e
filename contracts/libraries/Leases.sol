// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IEscrowTypes} from "../interfaces/IEscrowTypes.sol";

/// @title A lease's clock: one slot, read and written as one word
/// @dev The clocks, and what a second costs. A tenth of the rate is rounded up.
///
/// | clock    | costs                      | since                                   | next                                  |
/// |----------|----------------------------|-----------------------------------------|---------------------------------------|
/// | New      | nothing                    | the lease was opened                    | Running, Ended                        |
/// | Running  | the rate                   | the last settlement                     | Waiting, Stopping, Ending             |
/// | Waiting  | nothing                    | the replica stopped against the order   | Running, Resting, Ended               |
/// | Stopping | the rate, for restSeconds  | the order to stop                       | Resting, Running, Ending              |
/// | Resting  | a tenth, out of the lock   | the last settlement                     | Waiting, Running, Ended               |
/// | Ending   | the rate, for restSeconds  | the order to delete, or an earlier stop | Ended                                 |
/// | Ended    | nothing                    | the order to delete, or an earlier stop |                                       |
///
/// New and Waiting pay the node nothing. Where they end by the payer's order or terms, or after a report of the node, what a rest
/// of that time would cost is burned out of the lock: capacity is held for nothing only where the chain shows that its node failed.
///
/// Stopping becomes Resting, and Ending becomes Ended, restSeconds after the order: a settlement at any later time computes
/// it. A report of the node that its replica no longer runs does it at once. Each may become Closed.
library Leases {
    // | number 32 | nodeId 32 | authorizationId 56 | rate 64 | since 40 | rested 24 | clock 8 |, high to low
    struct Lease {
        uint32 number;
        uint32 nodeId;
        uint56 authorizationId;
        uint64 rate;
        uint40 since;
        /// @dev Seconds of rest and of waiting that the lock has paid for.
        uint24 rested;
        IEscrowTypes.Clock clock;
    }

    /// @notice The part of its rate that a resting lease costs.
    uint256 private constant REST_PART = 10;

    /// @notice A replica has one lease at a time, so all its leases use one slot.
    function keyOf(uint64 workspaceId, uint16 replica) internal pure returns (uint256) {
        return (uint256(workspaceId) << 16) | replica;
    }

    /// @dev One write, where a struct in storage would be read and written field by field.
    function pack(Lease memory lease) internal pure returns (uint256) {
        return (uint256(lease.number) << 224) | (uint256(lease.nodeId) << 192)
            | (uint256(lease.authorizationId) << 136) | (uint256(lease.rate) << 72) | (uint256(lease.since) << 32)
            | (uint256(lease.rested) << 8) | uint256(lease.clock);
    }

    function unpack(uint256 packed) internal pure returns (Lease memory) {
        // Each cast keeps exactly its field; only values of the enum were packed.
        return Lease({
            number: uint32(packed >> 224),
            nodeId: uint32(packed >> 192),
            authorizationId: uint56(packed >> 136),
            rate: uint64(packed >> 72),
            since: uint40(packed >> 32),
            rested: uint24(packed >> 8),
            clock: IEscrowTypes.Clock(uint8(packed))
        });
    }

    /// @notice The clock of a packed lease. Only values of the enum were packed.
    function clockOf(uint256 packed) internal pure returns (IEscrowTypes.Clock) {
        return IEscrowTypes.Clock(uint8(packed));
    }

    /// @notice The packed lease, settled up to `time`.
    function settledAt(uint256 packed, uint40 time) internal pure returns (uint256) {
        return (packed & ~(uint256(type(uint40).max) << 32)) | (uint256(time) << 32);
    }

    function numberOf(uint256 packed) internal pure returns (uint32) {
        return uint32(packed >> 224);
    }

    function nodeIdOf(uint256 packed) internal pure returns (uint32) {
        return uint32(packed >> 192);
    }

    function authorizationIdOf(uint256 packed) internal pure returns (uint56) {
        return uint56(packed >> 136);
    }

    function rateOf(uint256 packed) internal pure returns (uint64) {
        return uint64(packed >> 72);
    }

    function sinceOf(uint256 packed) internal pure returns (uint40) {
        return uint40(packed >> 32);
    }

    function isOpen(Lease memory lease) internal pure returns (bool) {
        return lease.clock != IEscrowTypes.Clock.Closed;
    }

    /// @notice Whether the account owes the rate for each second since `since`.
    function isCharged(Lease memory lease) internal pure returns (bool) {
        return lease.clock == IEscrowTypes.Clock.Running || lease.clock == IEscrowTypes.Clock.Stopping
            || lease.clock == IEscrowTypes.Clock.Ending;
    }

    /// @notice Whether the node must start the replica: then nothing is paid, until a deadline.
    function isAwaited(Lease memory lease) internal pure returns (bool) {
        return lease.clock == IEscrowTypes.Clock.New || lease.clock == IEscrowTypes.Clock.Waiting;
    }

    /// @notice What a second of rest costs.
    function restRate(uint64 rate) internal pure returns (uint256) {
        return (uint256(rate) + REST_PART - 1) / REST_PART;
    }

    /// @notice Moves the clock to `time`, with nothing due past `expiry`.
    /// @param halted The replica no longer runs, so an order takes effect at `time` if it has not before.
    /// @return running Seconds that are due at the rate.
    /// @return resting Seconds that are due at the rate of rest, after the running ones.
    function advance(Lease memory lease, uint40 time, uint40 expiry, uint40 restSeconds, bool halted)
        internal
        pure
        returns (uint256 running, uint256 resting)
    {
        uint40 since = lease.since;
        uint40 until = time < expiry ? time : expiry;
        if (until < since) until = since;
        if (lease.clock == IEscrowTypes.Clock.Running) {
            running = until - since;
        } else if (lease.clock == IEscrowTypes.Clock.Resting) {
            resting = until - since;
        } else if (isCharged(lease)) {
            uint40 restAt = since + restSeconds;
            if (until < restAt && !halted && time <= expiry) return (0, 0);
            uint40 ranUntil = until < restAt ? until : restAt;
            running = ranUntil - since;
            if (lease.clock == IEscrowTypes.Clock.Ending) {
                lease.clock = IEscrowTypes.Clock.Ended;
                return (running, 0);
            }
            lease.clock = IEscrowTypes.Clock.Resting;
            resting = until - ranUntil;
        } else {
            return (0, 0);
        }
        lease.since = until;
    }
}
