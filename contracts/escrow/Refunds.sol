// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IEscrow} from "../interfaces/IEscrow.sol";
import {Accounts} from "../libraries/Accounts.sol";
import {DayMarks} from "../libraries/DayMarks.sol";
import {Earnings} from "../libraries/Earnings.sol";
import {Leases} from "../libraries/Leases.sol";
import {LeaseRef} from "../libraries/Types.sol";
import {UptimeTree} from "../libraries/UptimeTree.sol";
import {Payouts} from "./Payouts.sol";

/// @title Refunds to owners for time in which the node was down
/// @dev The root states the downtime. The stored balances limit the refund: at most the authorization's highest rate over
/// the day, at most the node's remaining earnings of that day, at most what the owner paid.
abstract contract Refunds is Payouts {
    using Accounts for Accounts.Account;
    using DayMarks for DayMarks.Marks;
    using Earnings for Earnings.Lanes;

    DayMarks.Marks private _refunded;

    /// @inheritdoc IEscrow
    function refundDowntime(UptimeTree.LeaseDowntime[] calldata items, bytes32[][] calldata proofs)
        external
        pausable
    {
        uint256 count = _checkLengths(items.length, proofs.length);
        for (uint256 i; i < count; ++i) {
            _settleItem(i, _refund(items[i], proofs[i]));
        }
    }

    /// @inheritdoc IEscrow
    function isRefunded(uint64 day, LeaseRef calldata ref) external view returns (bool) {
        return _refunded.has(Leases.keyOf(ref.workspaceId, ref.replica), ref.lease, day);
    }

    function _refund(UptimeTree.LeaseDowntime calldata item, bytes32[] calldata proof)
        private
        returns (bytes memory refusal)
    {
        LeaseRef calldata ref = _refOf(item);
        refusal = _checkProven(item, ref, proof);
        if (refusal.length != 0) return refusal;
        refusal = _checkLease(item, ref);
        if (refusal.length != 0) return refusal;

        Earnings.Lanes memory lanes = _lanesOf(item.nodeId);
        address owner = _grants[item.authorizationId].owner;
        uint256 amount = _atMost(_atMost(item.downSeconds, _daySeconds) * item.rate, lanes.yesterday);
        amount = _atMost(amount, _accounts[owner].spent());
        if (amount == 0) return abi.encodeWithSelector(RefundUnfunded.selector, item.nodeId, item.day);

        _refunded.set(Leases.keyOf(ref.workspaceId, ref.replica), ref.lease, item.day);
        // At most the lane's amount, which has 72 bits.
        unchecked {
            lanes.yesterday -= uint72(amount);
        }
        _earnings[item.nodeId] = lanes.pack();
        _accounts[owner].restore(amount);
        emit Refunded(
            ref.workspaceId,
            item.nodeId,
            ref.replica,
            ref.lease,
            owner,
            item.day,
            item.downSeconds,
            uint128(amount)
        );
    }

    /// @dev Only yesterday's downtime is refunded: its root is posted, and its payments are still held.
    function _checkProven(
        UptimeTree.LeaseDowntime calldata item,
        LeaseRef calldata ref,
        bytes32[] calldata proof
    ) private view returns (bytes memory refusal) {
        uint256 today = block.timestamp / _daySeconds;
        if (item.day >= today || item.day + 1 != today) {
            return abi.encodeWithSelector(RefundNotYesterday.selector, item.day, today);
        }
        if (_refunded.has(Leases.keyOf(ref.workspaceId, ref.replica), ref.lease, item.day)) {
            return abi.encodeWithSelector(
                DowntimeRefunded.selector, item.day, ref.workspaceId, ref.replica, ref.lease
            );
        }
        bytes32 root = _computeNode.uptimeRootOf(item.day);
        if (root == 0) return abi.encodeWithSelector(UptimeRootUnknown.selector, item.day);
        if (!UptimeTree.isUnder(UptimeTree.leafOf(item), root, proof)) {
            return abi.encodeWithSelector(
                DowntimeProofInvalid.selector, item.day, ref.workspaceId, ref.replica, ref.lease
            );
        }
    }

    /// @dev The state has all of a replica's latest lease, and the authorization of an earlier one. Settles the latest one, so
    /// that the amount it owes for the day has been paid.
    function _checkLease(UptimeTree.LeaseDowntime calldata item, LeaseRef calldata ref)
        private
        returns (bytes memory refusal)
    {
        Leases.Lease memory lease = _leases[Leases.keyOf(ref.workspaceId, ref.replica)];
        bool fits = ref.lease <= lease.number && item.rate <= _grants[item.authorizationId].maxRate;
        if (ref.lease == lease.number) {
            fits = item.rate == lease.rate && item.nodeId == lease.nodeId
                && item.authorizationId == lease.authorizationId;
            if (fits && lease.isRunning) _settleOpen(ref, lease);
        }
        if (!fits) {
            return abi.encodeWithSelector(LeaseUnknown.selector, ref.workspaceId, ref.replica, ref.lease);
        }
    }

    /// @dev Its three fields are adjacent in the leaf.
    function _refOf(UptimeTree.LeaseDowntime calldata item) private pure returns (LeaseRef calldata ref) {
        assembly ("memory-safe") {
            ref := add(item, 0x20)
        }
    }

    function _atMost(uint256 value, uint256 limit) private pure returns (uint256) {
        return value < limit ? value : limit;
    }
}
