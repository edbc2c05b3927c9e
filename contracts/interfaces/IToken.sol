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

    /// @notice Lets `account` mint up to `limit` in all, counting what it minted before; zero lets it mint nothing. Restricted.
    function setMinter(address account, uint96 limit) external;

    /// @notice Minters only, each up to its limit.
    function mint(address to, uint256 amount) external;

    /// @notice Destroys `amount` of the caller's tokens.
    function burn(uint256 amount) external;

    /// @notice Highest supply there will ever be.
    function cap() external view returns (uint256);

    /// @notice What the account may mint in all, zero of one that is no minter; and what it minted so far, whatever was burned since.
    function minterOf(address account) external view returns (uint256 limit, uint256 minted);
}
