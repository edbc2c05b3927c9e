// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IEscrowLeases} from "../interfaces/IEscrowLeases.sol";
import {IToken} from "../interfaces/IToken.sol";
import {Earnings} from "../libraries/Earnings.sol";
import {LeaseClocks} from "./LeaseClocks.sol";

/// @title Payouts of matured earnings to nodes, less the fee
abstract contract Payouts is LeaseClocks {
    using Earnings for uint256;
    using SafeERC20 for IToken;

    uint256 private constant BASIS_POINTS = 10_000;
    /// @dev A fee above a tenth is assumed to be a mistake.
    uint16 private constant MAX_FEE = 1_000;

    uint16 private immutable _feeBasisPoints;

    constructor(uint16 feeBasisPoints_) {
        if (feeBasisPoints_ > MAX_FEE) revert FeeInvalid(feeBasisPoints_, MAX_FEE);
        _feeBasisPoints = feeBasisPoints_;
    }

    /// @inheritdoc IEscrowLeases
    function collect(uint32[] calldata nodeIds) external pausable {
        uint256 items = _checkLength(nodeIds.length);
        uint256 fees;
        for (uint256 i; i < items; ++i) {
            uint32 nodeId = nodeIds[i];
            uint96 matured = _lanesOf(nodeId).matured;
            uint256 amount = _since(_collected[nodeId], matured);
            if (amount == 0) continue;
            _collected[nodeId] = matured;
            uint256 fee = _feeOf(amount);
            fees += fee;
            amount -= fee;
            address to = _computeNode.payoutOf(nodeId);
            // Both are parts of a 96-bit amount.
            emit Collected(nodeId, to, uint128(amount), uint128(fee));
            _token.safeTransfer(to, amount);
        }
        if (fees != 0) _token.burn(fees);
    }

    /// @inheritdoc IEscrowLeases
    function earnedBy(uint32 nodeId) external view returns (uint128) {
        Earnings.Lanes memory lanes = _lanesOf(nodeId);
        return _since(_collected[nodeId], lanes.matured) + lanes.yesterday + lanes.today;
    }

    /// @inheritdoc IEscrowLeases
    function collectableBy(uint32 nodeId) external view returns (uint128 amount, uint128 fee) {
        uint256 matured = _since(_collected[nodeId], _lanesOf(nodeId).matured);
        fee = uint128(_feeOf(matured));
        amount = uint128(matured) - fee;
    }

    /// @inheritdoc IEscrowLeases
    function totalEarnedBy(uint32 nodeId) external view returns (uint256) {
        Earnings.Lanes memory lanes = _lanesOf(nodeId);
        return uint256(lanes.matured) + lanes.yesterday + lanes.today;
    }

    /// @inheritdoc IEscrowLeases
    function feeBasisPoints() external view returns (uint16) {
        return _feeBasisPoints;
    }

    /// @inheritdoc IEscrowLeases
    function terms() external view returns (Terms memory) {
        return Terms({
            minSeconds: _minSeconds,
            lockFloor: _lockFloor,
            rateFloor: _rateFloor,
            startSeconds: _startSeconds,
            restSeconds: _restSeconds,
            refundDays: _refundDays,
            feeBasisPoints: _feeBasisPoints
        });
    }

    /// @dev Rounded up: collecting in small amounts never burns less than the fee.
    function _feeOf(uint256 amount) private view returns (uint256) {
        return (amount * _feeBasisPoints + BASIS_POINTS - 1) / BASIS_POINTS;
    }

    /// @dev Modulo 2^96 on purpose, see Earnings.
    function _since(uint96 collected, uint96 matured) private pure returns (uint128) {
        unchecked {
            return matured - collected;
        }
    }
}
