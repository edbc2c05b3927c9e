// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IEscrowAccounts} from "../interfaces/IEscrowAccounts.sol";
import {Accounts} from "../libraries/Accounts.sol";
import {DayBooks} from "../libraries/DayBooks.sol";
import {Earnings} from "../libraries/Earnings.sol";
import {Leases} from "../libraries/Leases.sol";
import {LeaseRef} from "../libraries/Types.sol";
import {UptimeTree} from "../libraries/UptimeTree.sol";
import {Settlement} from "./Settlement.sol";

/// @title Refunds to owners for time in which the node was down
/// @dev The root states the downtime. The stored amounts limit the refund: at most what this lease paid this node on that day, at most
/// the node's held earnings of that time, at most what the owner paid.
abstract contract Refunds is IEscrowAccounts, Settlement {
    using Accounts for Accounts.Account;
    using DayBooks for uint256;
    using Earnings for Earnings.Lanes;
    using Leases for *;

    /// @inheritdoc IEscrowAccounts
    function refundDowntime(UptimeTree.LeaseDowntime[] calldata items, bytes32[][] calldata proofs)
        external
        pausable
    {
        uint256 count = _checkLengths(items.length, proofs.length);
        for (uint256 i; i < count; ++i) {
            _settleItem(i, _refund(items[i], proofs[i]));
        }
    }

    /// @inheritdoc IEscrowAccounts
    function paidOn(uint64 day, LeaseRef calldata ref, uint32 nodeId, uint64 authorizationId)
        external
        view
        returns (uint128 paid, bool refunded)
    {
        uint256 book = _books[DayBooks.keyOf(
                Leases.keyOf(ref.workspaceId, ref.replica), ref.lease, nodeId, authorizationId
            )];
        uint256 today = block.timestamp / _daySeconds;
        return (uint128(book.paidOn(day, today)), book.isRefunded(day, today));
    }

    function _refund(UptimeTree.LeaseDowntime calldata item, bytes32[] calldata proof)
        private
        returns (bytes memory refusal)
    {
        LeaseRef calldata ref = _refOf(item);
        uint256 today = block.timestamp / _daySeconds;
        refusal = _checkProven(item, ref, today, proof);
        if (refusal.length != 0) return refusal;
        refusal = _checkLease(item, ref);
        if (refusal.length != 0) return refusal;

        uint256 key = _bookKeyOf(item);
        uint256 book = _books[key];
        address owner = _grants[item.authorizationId].owner;
        uint256 amount = uint256(item.downSeconds) * item.rate;
        amount = _atMost(_atMost(amount, book.paidOn(item.day, today)), _accounts[owner].spent());
        amount = _takeEarned(item, amount);
        if (amount == 0) return abi.encodeWithSelector(RefundUnfunded.selector, item.nodeId, item.day);
        _books[key] = book.refund(item.day, today);
        _accounts[owner].restore(amount);
        emit Refunded(
            ref.workspaceId, item.nodeId, ref.replica, ref.lease, owner, item.day, item.downSeconds, uint128(amount)
        );
    }

    /// @dev Takes up to `amount` from the node's held earnings of the time in which the day is.
    function _takeEarned(UptimeTree.LeaseDowntime calldata item, uint256 amount) private returns (uint256) {
        Earnings.Lanes memory lanes = _lanesOf(item.nodeId);
        uint256 passed = block.timestamp / _holdSeconds() - uint256(item.day) / _refundDays;
        amount = _atMost(amount, passed == 0 ? lanes.today : lanes.yesterday);
        if (amount == 0) return 0;
        // At most the lane's amount, which has 72 bits.
        unchecked {
            if (passed == 0) lanes.today -= uint72(amount);
            else lanes.yesterday -= uint72(amount);
        }
        _earnings[item.nodeId] = lanes.pack();
        return amount;
    }

    /// @dev A day is refunded while what was paid for it is held.
    function _checkProven(
        UptimeTree.LeaseDowntime calldata item,
        LeaseRef calldata ref,
        uint256 today,
        bytes32[] calldata proof
    ) private view returns (bytes memory refusal) {
        if (item.day >= today || today - item.day > _refundDays) {
            return abi.encodeWithSelector(RefundWindowClosed.selector, item.day, today, _refundDays);
        }
        if (_books[_bookKeyOf(item)].isRefunded(item.day, today)) {
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
    /// that the amount it owes for the day has been paid. The book of an earlier lease is that of its node and authorization.
    function _checkLease(UptimeTree.LeaseDowntime calldata item, LeaseRef calldata ref)
        private
        returns (bytes memory refusal)
    {
        Leases.Lease memory lease = _leaseOf(ref);
        bool fits = ref.lease <= lease.number && item.rate <= _grants[item.authorizationId].maxRate;
        if (ref.lease == lease.number) {
            fits = item.rate == lease.rate && item.nodeId == lease.nodeId
                && item.authorizationId == lease.authorizationId;
            if (fits && lease.isOpen()) _settle(ref, lease, false);
        }
        if (!fits) {
            return abi.encodeWithSelector(LeaseUnknown.selector, ref.workspaceId, ref.replica, ref.lease);
        }
    }

    function _bookKeyOf(UptimeTree.LeaseDowntime calldata item) private pure returns (uint256) {
        return DayBooks.keyOf(
            Leases.keyOf(item.workspaceId, item.replica), item.lease, item.nodeId, item.authorizationId
        );
    }

    /// @dev Its three fields are adjacent in the leaf.
    function _refOf(UptimeTree.LeaseDowntime calldata item) private pure returns (LeaseRef calldata ref) {
        assembly ("memory-safe") {
            ref := add(item, 0x20)
        }
    }
}
