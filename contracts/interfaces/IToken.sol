// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";

/// @title Reward and payment token: ERC-20 with Permit, capped, minted by Pomc within its schedule
interface IToken is IERC20, IERC20Permit {
    event MinterSet(address indexed minter);

    error TokenCapExceeded(uint256 supply, uint256 cap);
    error CallerNotMinter(address caller);

    function mint(address to, uint256 amount) external;
    function cap() external view returns (uint256);
}
