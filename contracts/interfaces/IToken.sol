// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";

/// @title Reward and payment token: ERC-20 with Permit, capped, minted by Pomc within its schedule
interface IToken is IERC20, IERC20Permit {
    event MinterSet(address indexed minter);

    error TokenCapExceeded(uint256 supply, uint256 cap);
    error CallerNotMinter(address caller);

    /// @notice Sets who may mint. Restricted.
    function setMinter(address minter) external;

    /// @notice Minter only.
    /// @return minted Everything minted since genesis, by any minter.
    function mint(address to, uint256 amount) external returns (uint256 minted);

    /// @notice Destroys `amount` of the caller's tokens.
    function burn(uint256 amount) external;

    /// @notice Highest supply there will ever be.
    function cap() external view returns (uint256);
    function minter() external view returns (address);

    /// @notice Everything minted since genesis, without the genesis supply.
    function minted() external view returns (uint256);
}
