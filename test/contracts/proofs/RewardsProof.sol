// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Pomc} from "contracts/Pomc.sol";
import {IEscrow} from "contracts/interfaces/IEscrow.sol";
import {IToken} from "contracts/interfaces/IToken.sol";
import {TOKEN} from "./Neighbours.sol";

/// @notice Epochs, claims and the tokens that are minted for them.
contract RewardsProof is Pomc {
    address private constant ACCOUNT = address(0x5000);

    constructor() Pomc(address(0), IToken(address(0)), IEscrow(address(0)), _none()) {}

    /// @notice Whatever grants are claimed, in any order, an account gets the highest cumulative amount once.
    function proveAClaimPaysOnce(uint96 before, uint96 first, uint96 second) external {
        _claimed[ACCOUNT] = before;
        uint256 amount = _take(ACCOUNT, first) + _take(ACCOUNT, second);
        uint256 highest = before > first ? before : first;
        if (second > highest) highest = second;
        assert(amount == highest - before && _claimed[ACCOUNT] == highest);
        assert(_take(ACCOUNT, first) == 0 && _take(ACCOUNT, second) == 0);
    }

    /// @notice A grant is paid in whole or in part, out of tokens that are there, and what is not paid stays claimable.
    function proveAPartIsPaidFromWhatIsThere(uint96 held, uint96 amount, uint96 limit, uint96 minted, uint96 total) external {
        _set(held, limit, minted);
        (_ring[5].total, _budget.creditAt) = (total, uint40(block.timestamp));
        uint256 paid = _pay(5, ACCOUNT, amount);
        assert(paid <= amount && TOKEN.balanceOf(ACCOUNT) == paid);
        assert(TOKEN.balanceOf(address(this)) + paid == uint256(held) + TOKEN.minted() - minted);
        assert(held < amount || paid == amount);
    }

    /// @notice Nothing is paid from an epoch that is unknown, disabled or not yet active.
    function proveOnlyActiveEpochsPay(bytes20 root, uint40 activatesAt, uint24 lap, bool isOpen, uint96 total) external {
        require(block.timestamp < 2 ** 39 && (!isOpen || activatesAt <= block.timestamp));
        (_ring[5].root, _ring[5].activatesAt, _ring[5].lap, _ring[5].isOpen) = (root, activatesAt, lap, isOpen);
        (_ring[5].total, _budget.creditAt) = (total, uint40(block.timestamp));
        _set(0, 0, 0);
        bytes20 opened = _openRootOf(133);
        assert(opened == root && lap == 1 && activatesAt != 0 && activatesAt <= block.timestamp);
    }

    /// @notice A posted total is within the schedule, and totals never fall.
    function provePostsKeepToTheSchedule(uint96 last, uint128 total, bytes20 root) external {
        // A time of 40 bits, and a delay that keeps to it.
        require(block.timestamp + uint256(_activationDelay) < 2 ** 40);
        (_poster, _last, _lastTotal) = (address(this), 6, last);
        this.postEpoch(7, root, total, 0);
        assert(total >= last && total <= uint256(_emissionPerEpoch) * 7 && _lastTotal == total);
        assert(block.timestamp >= uint256(_genesis) + 7 * uint256(_epochSeconds) + _settlementSeconds);
        assert(_ring[7].activatesAt >= block.timestamp && !_ring[7].isOpen);
    }

    /// @notice A mint takes the credit that accrued, an emission in an epoch and at most three quarters of one together, is
    /// within what active epochs grant and the minter's limit, and leaves at most a quarter of an emission beside what is needed.
    function proveAMintKeepsToItsBudget(uint96 funded, uint96 credit, uint40 creditAt, uint96 total, uint96 needed, uint96 held, uint96 limit, uint96 minted)
        external
    {
        require(creditAt <= block.timestamp && block.timestamp < 2 ** 39);
        uint256 emission = _emissionPerEpoch;
        require(credit <= emission - emission / 4);
        _set(held, limit, minted);
        (_budget.funded, _budget.credit, _budget.creditAt) = (funded, credit, creditAt);
        uint256 available = credit + (block.timestamp - creditAt) * emission / 3_600;
        if (available > emission - emission / 4) available = emission - emission / 4;
        _fund(total, needed);
        uint256 amount = TOKEN.minted() - minted;
        assert(amount == 0 || amount <= available && amount + funded <= total && TOKEN.minted() <= limit);
        assert(_budget.funded == uint256(funded) + amount);
        assert(amount == 0 ? _budget.credit == credit : _budget.credit == available - amount);
        uint256 most = uint256(needed) + emission / 4;
        assert(TOKEN.balanceOf(address(this)) <= (held > most ? held : most));
    }

    /// @notice Under any accepted terms, a partner and an operator who are one lose at least a tenth of the fee that they burn.
    function proveSelfDealingLoses(uint16 nodePart, uint16 payerPart, uint96 paid, uint96 receipts) external view {
        Terms memory terms;
        (terms.nodeTaskBasisPoints, terms.payerTaskBasisPoints) = (nodePart, payerPart);
        (terms.bondDays, terms.bondUptimePermille) = (1, 1);
        terms.classes = new bytes32[](1);
        terms.classes[0] = bytes32(uint256(1_000_000) << 224);
        this.check(terms);
        // A fee of 1%, burned rounded up; the incentive as packages/rewards/tasks.ts computes it.
        uint256 burned = (uint256(paid) * 100 + 9_999) / 10_000;
        uint256 incentive = (uint256(paid) + (receipts < paid ? receipts : paid)) * 100 / 20_000;
        uint256 gained = incentive * nodePart / 10_000 + incentive * payerPart / 10_000;
        assert(gained * 10 <= burned * 9);
    }

    function check(Terms calldata terms) external pure {
        _check(terms);
    }

    function _set(uint96 held, uint96 limit, uint96 minted) private {
        TOKEN.give(address(this), held);
        TOKEN.allow(limit, minted);
    }

    function _none() private pure returns (Settings memory settings) {}
}
