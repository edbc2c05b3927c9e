// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IEscrowAccounts} from "../interfaces/IEscrowAccounts.sol";
import {IToken} from "../interfaces/IToken.sol";
import {Accounts} from "../libraries/Accounts.sol";
import {EscrowState} from "./EscrowState.sol";

/// @title Partners' deposits and withdrawals
abstract contract Deposits is IEscrowAccounts, EscrowState {
    using Accounts for Accounts.Account;
    using SafeERC20 for IToken;

    /// @inheritdoc IEscrowAccounts
    function deposit(address account, uint128 amount) external pausable {
        _deposit(account, msg.sender, amount);
    }

    /// @inheritdoc IEscrowAccounts
    function depositWithPermit(
        address from,
        uint128 amount,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external pausable {
        // Anyone may submit the permit to the token first; that must not let others use the allowance it leaves.
        if (msg.sender != from) {
            _token.permit(from, address(this), amount, deadline, v, r, s);
        } else {
            try _token.permit(from, address(this), amount, deadline, v, r, s) {} catch {}
        }
        _deposit(from, from, amount);
    }

    /// @inheritdoc IEscrowAccounts
    function withdraw(uint128 amount, address to) external pausable {
        if (amount == 0) revert EscrowAmountZero();
        Accounts.Account storage account = _accounts[msg.sender];
        uint128 free = account.free(block.timestamp);
        if (amount > free) revert EscrowBalanceTooLow(msg.sender, amount, free);
        account.take(amount);
        emit Withdrawn(msg.sender, to, amount);
        _token.safeTransfer(to, amount);
    }

    /// @inheritdoc IEscrowAccounts
    function balanceOf(address account) external view returns (uint128) {
        return _accounts[account].balance();
    }

    /// @inheritdoc IEscrowAccounts
    function withdrawableOf(address account) external view returns (uint128) {
        return _accounts[account].free(block.timestamp);
    }

    /// @inheritdoc IEscrowAccounts
    function lockedOf(address account) external view returns (uint128) {
        // At most the balance.
        return uint128(_accounts[account].locked);
    }

    /// @inheritdoc IEscrowAccounts
    function totalSpentBy(address account) external view returns (uint256) {
        return _accounts[account].spent();
    }

    function _deposit(address account, address from, uint128 amount) private {
        if (amount == 0) revert EscrowAmountZero();
        // A sum above 96 bits exceeds the token's supply: the transfer then reverts.
        _accounts[account].add(amount);
        emit Deposited(account, from, amount);
        _token.safeTransferFrom(from, address(this), amount);
    }
}
