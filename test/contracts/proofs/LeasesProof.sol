// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IEscrowTypes} from "contracts/interfaces/IEscrowTypes.sol";
import {Leases} from "contracts/libraries/Leases.sol";

/// @notice What the clock of a lease costs.
contract LeasesProof {
    using Leases for *;

    /// @notice No second is due twice, or past the expiry; after an order, at most restSeconds are due at the rate.
    function proveAnOrderEndsTheRate(uint40 since, uint40 time, uint40 expiry, uint32 restSeconds, uint8 clock, bool halted)
        external
        pure
    {
        require(clock >= 1 && clock <= 7 && since <= time && time < 2 ** 39 && since < 2 ** 39);
        Leases.Lease memory lease;
        (lease.since, lease.clock) = (since, IEscrowTypes.Clock(clock));
        bool isOrdered = lease.clock == IEscrowTypes.Clock.Stopping || lease.clock == IEscrowTypes.Clock.Ending;
        (uint256 running, uint256 resting) = lease.advance(time, expiry, restSeconds, halted);
        uint256 last = time < expiry ? time : expiry;
        assert(running == 0 || since + running + resting <= last);
        assert(resting == 0 || since + running + resting == last);
        if (isOrdered) assert(running <= restSeconds);
        // Once its order has taken effect, a lease is charged no more, for ever.
        if (isOrdered && time >= uint256(since) + restSeconds) assert(!lease.isCharged());
        if (lease.isCharged() && lease.clock == IEscrowTypes.Clock.Running) {
            assert(lease.since == (last < since ? since : last));
        }
    }

    /// @notice A packed lease is the lease, field by field, and settling it changes its time alone.
    function provePackingKeepsALease(uint32 number, uint32 nodeId, uint56 id, uint64 rate, uint40 since, uint24 rested, uint8 clock, uint40 to)
        external
        pure
    {
        require(clock <= 7);
        Leases.Lease memory lease = Leases.Lease(number, nodeId, id, rate, since, rested, IEscrowTypes.Clock(clock));
        uint256 packed = lease.pack().settledAt(to);
        assert(packed.numberOf() == number && packed.nodeIdOf() == nodeId && packed.authorizationIdOf() == id);
        assert(packed.rateOf() == rate && packed.sinceOf() == to && uint8(packed.clockOf()) == clock);
        assert(packed.unpack().rested == rested);
    }

    /// @notice A second of rest costs a tenth of the rate, rounded up.
    function proveRestCostsATenth(uint64 rate) external pure {
        uint256 rest = rate.restRate();
        assert(rest * 10 >= rate && (rest == 0 || (rest - 1) * 10 < rate));
    }
}
