// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Pausing single functions by the guardian
/// @notice An entry stays paused until it is unpaused. A pause of an exit, by which people get their money or stop their costs,
/// expires after `exitPauseSeconds`, and the exit cannot be paused again before the same time has passed: a guardian gains
/// time, but cannot keep the property of others.
interface IPauses {
    enum Pausability {
        None,
        Entry,
        Exit
    }

    event FunctionsPaused(address indexed caller, bytes4[] selectors);
    event FunctionsUnpaused(address indexed caller, bytes4[] selectors);

    /// @notice The guardian paused this function.
    error FunctionPaused(bytes4 selector);
    error FunctionNotPausable(bytes4 selector);

    /// @notice The exit was paused before, and its guaranteed running time has not ended.
    error ExitPausedRecently(bytes4 selector, uint256 pausableAt);

    /// @notice Pauses functions immediately; a paused function stays as it is. Restricted (guardian).
    /// @param selectors The functions.
    function pause(bytes4[] calldata selectors) external;

    /// @notice Unpauses functions. Restricted (unpauser, after a delay).
    /// @param selectors The functions.
    function unpause(bytes4[] calldata selectors) external;

    /// @notice How a function can be paused.
    /// @param selector The function.
    /// @return Not at all, as an entry or as an exit.
    function pausabilityOf(bytes4 selector) external view returns (Pausability);

    /// @notice Whether a function is paused now.
    /// @param selector The function.
    /// @return Whether it is.
    function isPaused(bytes4 selector) external view returns (bool);

    /// @notice The longest time that a pause of an exit lasts, and the shortest time that the exit then runs.
    /// @return Seconds.
    function exitPauseSeconds() external view returns (uint40);
}
