// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {EscrowState} from "contracts/escrow/EscrowState.sol";
import {Payouts} from "contracts/escrow/Payouts.sol";
import {IComputeNode} from "contracts/interfaces/IComputeNode.sol";
import {IToken} from "contracts/interfaces/IToken.sol";
import {Accounts} from "contracts/libraries/Accounts.sol";
import {Earnings} from "contracts/libraries/Earnings.sol";
import {LeaseRef} from "contracts/libraries/Types.sol";
import {TOKEN} from "./Neighbours.sol";

/// @notice Payouts to nodes, and the opening of leases.
contract PayoutsProof is Payouts {
    using Accounts for Accounts.Account;
    using Earnings for *;

    struct Funds {
        uint96 balance;
        uint96 locked;
        uint64 running;
        uint40 since;
        uint64 maxRate;
        uint96 daily;
        uint128 remaining;
        uint64 inUse;
        uint64 rate;
    }

    address private constant OWNER = address(0x5000);
    address private constant NODE = address(0x6000);

    constructor()
        EscrowState(address(0), IToken(address(0)), IComputeNode(address(0)), Terms(0, 0, 0, 0, 0, 0, 0), 0)
        Payouts(0)
    {}

    /// @notice The fee is at least its part and at most the payout, and payouts in parts never burn less.
    function provePartsBurnNoLess(uint96 first, uint96 second) external view {
        uint256 basisPoints = this.feeBasisPoints();
        require(basisPoints <= 1_000);
        uint256 fee = _feeOf(uint256(first) + second);
        assert(_feeOf(first) + _feeOf(second) >= fee);
        assert(fee * 10_000 >= (uint256(first) + second) * basisPoints && fee <= uint256(first) + second);
    }

    /// @notice What matured is paid once: the node gets it less the fee, which is burned, and a repeat gets nothing.
    function proveCollectingPaysOnce(uint96 collected, uint96 matured, uint72 yesterday, uint72 today) external {
        require(collected <= matured && this.feeBasisPoints() <= 1_000 && matured < 2 ** 95 && block.timestamp < 65_536 * 86_400);
        (_collected[1], _earnings[1]) =
            (collected, Earnings.Lanes(matured, yesterday, today, uint16(block.timestamp / 86_400)).pack());
        uint256 held = uint256(matured - collected) + yesterday + today;
        TOKEN.give(address(this), held);
        uint32[] memory nodes = new uint32[](2);
        (nodes[0], nodes[1]) = (1, 1);
        this.collect(nodes);
        uint256 paid = TOKEN.balanceOf(NODE);
        assert(paid + TOKEN.burned() == matured - collected);
        assert(TOKEN.burned() == _feeOf(matured - collected));
        assert(this.earnedBy(1) == uint256(yesterday) + today && TOKEN.balanceOf(address(this)) == uint256(yesterday) + today);
    }

    /// @notice A lease opens only within the authorization's rate, day and total, and with a lock that no other lock or debt has.
    function proveOpeningKeepsToTheAuthorization(Funds calldata funds) external {
        require(funds.locked <= funds.balance && funds.since <= block.timestamp && funds.inUse <= funds.maxRate);
        // A rate of zero locks nothing, also of an account that owes more than it has. The floor of rates excludes it.
        require(funds.rate != 0);
        require(block.timestamp < 65_536 * 86_400);
        Accounts.Account storage account = _accounts[OWNER];
        (account.funds, account.locked) = (funds.balance, funds.locked);
        account.run(funds.running, funds.since);
        Grant storage grant = _grants[1];
        (grant.owner, grant.maxRate, grant.daily) = (OWNER, funds.maxRate, funds.daily);
        (grant.remaining, grant.rateInUse, grant.expiry) = (funds.remaining, funds.inUse, type(uint40).max);
        _docker = address(this);
        this.open(1, LeaseRef(1, 0, 1), 1, funds.rate, 0);
        uint256 lock = uint256(account.locked) - funds.locked;
        assert(grant.rateInUse == uint256(funds.inUse) + funds.rate && grant.rateInUse <= funds.maxRate);
        assert(uint256(grant.rateInUse) * 1 days <= funds.daily);
        assert(grant.remaining + lock == funds.remaining && account.balance() == funds.balance && account.spent() == 0);
        assert(lock >= uint256(funds.rate) * _minSeconds && lock >= _lockFloor);
        assert(account.locked + uint256(funds.running) * (block.timestamp - funds.since) <= funds.balance);
    }
}
