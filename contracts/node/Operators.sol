// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IComputeNode} from "../interfaces/IComputeNode.sol";
import {NodeMessages} from "../libraries/NodeMessages.sol";
import {OperatorRates} from "../libraries/OperatorRates.sol";
import {NodeState} from "./NodeState.sol";

/// @title The rate limit of an operator's new nodes
/// @notice An operator is the wallet that its nodes pay to. A node without one is its own operator, and its key registers
/// once. So a wallet's count grows when a node joins it, which needs the wallet's consent: at registration or later.
abstract contract Operators is NodeState {
    using OperatorRates for uint256;

    uint32 private immutable _registrationLimit;
    uint40 private immutable _registrationSeconds;

    struct Rate {
        /// @dev See OperatorRates.
        uint256 packed;
    }

    mapping(address wallet => Rate) private _rates;

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
        address wallet = nodeId == 0 ? address(0) : _boundWalletOf(nodeId);
        return wallet == address(0) ? account : wallet;
    }

    /// @dev Counts the node of a key as a new one of the wallet. Its last effect-free check must come before.
    /// @param sequence The change of ownership that the wallet consents to.
    /// @return refusal The reason why the wallet does not accept the node, or nothing.
    function _join(address key, address wallet, uint16 sequence, bytes calldata consent)
        internal
        returns (bytes memory refusal)
    {
        refusal = _checkSignedByWallet(
            wallet, block.timestamp, NodeMessages.hashConsent(key, wallet, sequence), consent
        );
        if (refusal.length != 0) return refusal;
        Rate storage rate = _rates[wallet];
        (uint256 packed, uint256 nextAt) =
            rate.packed.grow(_registrationLimit, _registrationSeconds, block.timestamp);
        if (packed == 0) {
            return abi.encodeWithSelector(OperatorRateExceeded.selector, wallet, _registrationLimit, nextAt);
        }
        rate.packed = packed;
    }
}
