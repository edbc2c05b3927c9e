// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title What the guardian can stop, one function at a time
/// @notice An entry stays paused until it is unpaused. An exit, by which people get their money or stop what costs them, runs
/// again by itself after `exitPauseSeconds`, and cannot be paused anew before as long has passed again: a guardian gains
/// time, and cannot keep what is others'.
interface IPauses {
    enum Pausability {
        None,
        Entry,
        Exit
    }

    event FunctionsPaused(address indexed caller, bytes4[] selectors);
    event FunctionsUnpaused(address indexed caller, bytes4[] selectors);

    /// @notice The guardian stopped this function.
    error FunctionPaused(bytes4 selector);
    error FunctionNotPausable(bytes4 selector);

    /// @notice The exit was paused before, and its time to run is not over.
    error ExitPausedRecently(bytes4 selector, uint256 pausableAt);

    /// @notice Stops functions at once; one that is paused stays as it is. Restricted (guardian).
    function pause(bytes4[] calldata selectors) external;

    /// @notice Lets functions run again. Restricted (unpauser, after a delay).
    function unpause(bytes4[] calldata selectors) external;

    function pausabilityOf(bytes4 selector) external view returns (Pausability);

    /// @notice Whether a function that can be paused is paused now.
    function isPaused(bytes4 selector) external view returns (bool);

    /// @notice How long a pause of an exit lasts at most, and how long the exit then runs at least.
    function exitPauseSeconds() external view returns (uint40);
}
