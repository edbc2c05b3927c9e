// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Ending the powers of an account at once
/// @notice Powers are given after a delay. They are taken away without one, so that a stolen key ends as soon as it is known.
interface IDismissals {
    /// @notice Ends every power that this contract gave to `account`. Restricted. An account without any is no change.
    /// @param account The account.
    function dismiss(address account) external;
}
