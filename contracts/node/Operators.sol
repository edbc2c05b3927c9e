// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IComputeNode} from "../interfaces/IComputeNode.sol";
import {OperatorRates} from "../libraries/OperatorRates.sol";
import {NodeState} from "./NodeState.sol";

/// @title The rate limit of an operator's new nodes
/// @notice An operator is the wallet that its nodes pay to. A node without one is its own operator, and its key registers
/// once. So a wallet's count grows when a node joins it: at registration, or by a later change of wallet.
abstract contract Operators is NodeState {
    using OperatorRates for uint256;

    uint32 private immutable _registrationLimit;
    uint40 private immutable _registrationSeconds;

    /// @dev See OperatorRates.
    mapping(address wallet => uint256) private _rates;

    constructor(uint32 limit, uint40 period) {
        if (limit == 0 || period == 0) revert RegistrationRateInvalid(limit, period);
        _registrationLimit = limit;
        _registrationSeconds = period;
    }

    /// @inheritdoc IComputeNode
    function registrationRate() external view returns (uint32 limit, uint40 period) {
        return (_registrationLimit, _registrationSeconds);
    }

    /// @inheritdoc IComputeNode
    function operatorOf(address account) external view returns (address) {
        uint32 nodeId = _hardware[account].nodeId;
        address wallet = nodeId == 0 ? address(0) : _terms[nodeId].wallet;
        return wallet == address(0) ? account : wallet;
    }

    /// @return refusal The reason why the wallet cannot accept another node now, or nothing.
    /// @return rate The value for `_setRate` when the wallet accepts the node.
    function _rateWithOneMore(address wallet) internal view returns (bytes memory refusal, uint256 rate) {
        if (wallet == address(0)) return (refusal, rate);
        uint256 nextAt;
        (rate, nextAt) = _rates[wallet].grow(_registrationLimit, _registrationSeconds, block.timestamp);
        if (rate == 0) {
            refusal = abi.encodeWithSelector(OperatorRateExceeded.selector, wallet, _registrationLimit, nextAt);
        }
    }

    function _setRate(address wallet, uint256 rate) internal {
        if (wallet != address(0)) _rates[wallet] = rate;
    }
}
