// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {EscrowExtension} from "contracts/EscrowExtension.sol";
import {IComputeNode} from "contracts/interfaces/IComputeNode.sol";
import {IToken} from "contracts/interfaces/IToken.sol";
import {Accounts} from "contracts/libraries/Accounts.sol";
import {DayBooks} from "contracts/libraries/DayBooks.sol";
import {Earnings} from "contracts/libraries/Earnings.sol";
import {Leases} from "contracts/libraries/Leases.sol";
import {UptimeTree} from "contracts/libraries/UptimeTree.sol";
import {NODES, TOKEN} from "./Neighbours.sol";

/// @notice Withdrawals and refunds.
contract AccountsOfEscrowProof is EscrowExtension {
    using Accounts for Accounts.Account;
    using DayBooks for uint256;
    using Earnings for *;

    struct Paid {
        uint96 balance;
        uint96 spent;
        uint96 matured;
        uint72 yesterday;
        uint72 today;
        /// @dev Of two days ago, of yesterday and of today.
        uint80[3] lanes;
        uint64 maxRate;
        uint64 rate;
        uint64 day;
        uint32 downSeconds;
    }

    address private constant OWNER = address(0x5000);

    constructor() EscrowExtension(IToken(address(0)), IComputeNode(address(0)), Terms(0, 0, 0, 0, 0, 0, 0)) {}

    /// @notice A withdrawal leaves what is locked and what running leases owe, and moves the tokens that it takes.
    function proveAWithdrawalLeavesLocksAndDebts(uint96 balance, uint96 locked, uint64 rate, uint40 since, uint128 amount) external {
        require(locked <= balance && since <= block.timestamp);
        Accounts.Account storage account = _accounts[address(this)];
        (account.funds, account.locked) = (balance, locked);
        account.run(rate, since);
        TOKEN.give(address(this), balance);
        this.withdraw(amount, OWNER);
        assert(account.balance() + amount == balance);
        assert(account.balance() >= uint256(locked) + uint256(rate) * (block.timestamp - since));
        assert(TOKEN.balanceOf(OWNER) == amount && TOKEN.balanceOf(address(this)) == account.balance());
    }

    /// @notice A refund is at most what this lease paid this node that day, at most the downtime at the rate, and it comes out of
    /// what the node holds; the same day is refunded once.
    function proveARefundIsBounded(Paid calldata paid) external {
        _prepare(paid);
        UptimeTree.LeaseDowntime[] memory items = new UptimeTree.LeaseDowntime[](1);
        items[0] = UptimeTree.LeaseDowntime(paid.day, 1, 0, 1, 1, 1, paid.rate, paid.downSeconds);
        NODES.setRoot(this.leaf(items[0]));
        uint256 today = block.timestamp / 86_400;
        uint256 limit = _bookOf(paid).paidOn(paid.day, today);
        bool wasRefunded = _bookOf(paid).isRefunded(paid.day, today);
        this.refundDowntime(items, new bytes32[][](1));
        uint256 refunded = _accounts[OWNER].balance() - paid.balance;
        assert(refunded <= limit && refunded <= uint256(paid.rate) * paid.downSeconds);
        assert(refunded == 0 || (paid.day < today && today - paid.day <= _refundDays && !wasRefunded));
        assert(_accounts[OWNER].spent() + refunded == paid.spent);
        Earnings.Lanes memory lanes = _earnings[1].asOf(today);
        uint256 earned = uint256(paid.matured) + paid.yesterday + paid.today;
        assert(uint256(lanes.matured) + lanes.yesterday + lanes.today + refunded == earned);
        if (refunded != 0) assert(_books[_key()].isRefunded(paid.day, today));
    }

    /// @notice A second refund of the same day changes nothing.
    function proveADayIsPaidBackOnce(Paid calldata paid) external {
        _prepare(paid);
        UptimeTree.LeaseDowntime[] memory items = new UptimeTree.LeaseDowntime[](1);
        items[0] = UptimeTree.LeaseDowntime(paid.day, 1, 0, 1, 1, 1, paid.rate, paid.downSeconds);
        NODES.setRoot(this.leaf(items[0]));
        _books[_key()] = _bookOf(paid).refund(paid.day, block.timestamp / 86_400);
        this.refundDowntime(items, new bytes32[][](1));
        assert(_accounts[OWNER].balance() == paid.balance);
    }

    function leaf(UptimeTree.LeaseDowntime calldata item) external pure returns (bytes32) {
        return UptimeTree.leafOf(item);
    }

    /// @dev The first lease of a replica that has its second one now.
    function _prepare(Paid calldata paid) private {
        require(block.timestamp >= 3 * 86_400 && block.timestamp < 65_536 * 86_400);
        require(uint256(paid.day) + 2 >= block.timestamp / 86_400 && paid.day <= block.timestamp / 86_400);
        require(uint256(paid.matured) + paid.yesterday + paid.today < 2 ** 95 && uint256(paid.balance) + paid.spent < 2 ** 96);
        _accounts[OWNER].funds = uint256(paid.balance) | (uint256(paid.spent) << 96);
        (_grants[1].owner, _grants[1].maxRate) = (OWNER, paid.maxRate);
        _books[_key()] = _bookOf(paid);
        _earnings[1] = Earnings.Lanes(paid.matured, paid.yesterday, paid.today, uint16(block.timestamp / 86_400)).pack();
        _leases[Leases.keyOf(1, 0)] = uint256(2) << 224;
    }

    function _bookOf(Paid calldata paid) private view returns (uint256) {
        uint256 lanes = (uint256(paid.lanes[0]) << 160) | (uint256(paid.lanes[1]) << 80) | paid.lanes[2];
        return (block.timestamp / 86_400 << 240) | lanes;
    }

    function _key() private pure returns (uint256) {
        return DayBooks.keyOf(Leases.keyOf(1, 0), 1, 1, 1);
    }
}
