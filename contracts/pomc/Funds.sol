// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IToken} from "../interfaces/IToken.sol";

/// @title Payments of grants: minted as they are claimed, within a budget per time
/// @dev Three amounts bound what can be paid within the length of an epoch, whatever a root grants: the tokens held here, at
/// most a quarter of an emission after each mint; the credit, at most three quarters; and what the credit gains, one emission.
/// Together they are two emissions. A claim above what there is is paid in part. The held tokens serve most claims, so these
/// write no slot of this contract.
abstract contract Funds {
    // | - 24 | creditAt 40 | credit 96 | funded 96 |
    struct Budget {
        /// @dev Everything minted here.
        uint96 funded;
        /// @dev What could be minted at `creditAt`.
        uint96 credit;
        uint40 creditAt;
    }

    IToken internal immutable _token;
    uint96 internal immutable _emissionPerEpoch;
    uint40 internal immutable _epochSeconds;

    Budget private _budget;

    constructor(IToken token, uint96 emissionPerEpoch_, uint40 epochSeconds_) {
        _token = token;
        _emissionPerEpoch = emissionPerEpoch_;
        _epochSeconds = epochSeconds_;
    }

    /// @dev Mints what `needed` and the reserve lack, within `total`, the grants of active epochs, and within the credit.
    function _fund(uint256 total, uint256 needed) internal {
        Budget memory budget = _budget;
        if (total <= budget.funded) return;
        uint256 held = _token.balanceOf(address(this));
        uint256 wanted = needed + _emissionPerEpoch / 4;
        if (held >= wanted) return;
        uint256 credit = _creditNow(budget);
        uint256 amount = _smaller(wanted - held, _smaller(credit, total - budget.funded));
        // A replaced contract has a lower limit.
        (uint256 limit, uint256 minted) = _token.minterOf(address(this));
        amount = _smaller(amount, limit > minted ? limit - minted : 0);
        if (amount == 0) return;
        // The sum is at most the total, and the credit below an emission; both have 96 bits.
        _budget = Budget({
            funded: uint96(budget.funded + amount),
            credit: uint96(credit - amount),
            creditAt: uint40(block.timestamp)
        });
        _token.mint(address(this), amount);
    }

    /// @dev Pays `amount` or the available part of it, from an active epoch.
    /// @return paid The paid amount; zero also for an account that can receive nothing.
    function _pay(uint64 number, address account, uint256 amount) internal returns (uint256 paid) {
        if (_transfer(account, amount)) return amount;
        // The only account that can receive nothing.
        if (account == address(0)) return 0;
        _fund(_totalOf(number), amount);
        paid = _smaller(amount, _token.balanceOf(address(this)));
        if (paid != 0) _token.transfer(account, paid);
    }

    /// @dev Most claims are paid here. The call is written beyond the allocated memory and allocates none, where a call
    /// written in Solidity allocates for its arguments and for its result each time.
    /// @return done Whether the tokens moved.
    function _transfer(address account, uint256 amount) private returns (bool done) {
        IToken token = _token;
        bytes4 selector = IERC20.transfer.selector;
        assembly ("memory-safe") {
            let data := mload(0x40)
            mstore(data, selector)
            mstore(add(data, 0x04), account)
            mstore(add(data, 0x24), amount)
            // The token returns true or reverts; an address without code returns nothing.
            done := and(gt(returndatasize(), 0x1f), call(gas(), token, 0, data, 0x44, 0, 0))
        }
    }

    /// @dev Everything granted up to an epoch.
    function _totalOf(uint64 number) internal view virtual returns (uint256);

    /// @dev An emission accrues in the length of an epoch.
    function _creditNow(Budget memory budget) private view returns (uint256) {
        uint256 emission = _emissionPerEpoch;
        uint256 accrued = budget.credit + ((block.timestamp - budget.creditAt) * emission) / _epochSeconds;
        return _smaller(accrued, emission - emission / 4);
    }

    function _smaller(uint256 a, uint256 b) private pure returns (uint256) {
        return a < b ? a : b;
    }
}
