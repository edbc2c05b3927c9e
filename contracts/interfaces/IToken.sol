// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";

/// @title Reward and payment token: ERC-20 with Permit, capped, minted by each Pomc within its schedule
interface IToken is IERC20, IERC20Permit {
    event MinterSet(address indexed minter, uint96 limit);

    error TokenCapExceeded(uint256 supply, uint256 cap);
    error CallerNotMinter(address caller);
    error MinterLimitExceeded(address minter, uint256 minted, uint256 limit);

    /// @notice Lets `account` mint up to `limit` in total, including its earlier mints; zero allows none. Restricted.
    function setMinter(address account, uint96 limit) external;

    /// @notice Minters only, each up to its limit.
    function mint(address to, uint256 amount) external;

    /// @notice Destroys `amount` of the caller's tokens.
    function burn(uint256 amount) external;

    /// @notice The highest possible supply.
    function cap() external view returns (uint256);

    /// @notice The total that the account may mint, zero for a non-minter; and the total it has minted, whatever was burned since.
    function minterOf(address account) external view returns (uint256 limit, uint256 minted);
}
