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
    /// @param account The minter.
    /// @param limit Token units.
    function setMinter(address account, uint96 limit) external;

    /// @notice Minters only, each up to its limit.
    /// @param to The account that gets the tokens.
    /// @param amount Token units.
    function mint(address to, uint256 amount) external;

    /// @notice Destroys `amount` of the caller's tokens.
    /// @param amount Token units.
    function burn(uint256 amount) external;

    /// @notice The highest possible supply.
    /// @return Token units.
    function cap() external view returns (uint256);

    /// @notice The total that the account may mint, zero for a non-minter; and the total it has minted, whatever was burned since.
    /// @param account The account.
    /// @return limit Token units.
    /// @return minted Token units.
    function minterOf(address account) external view returns (uint256 limit, uint256 minted);
}
