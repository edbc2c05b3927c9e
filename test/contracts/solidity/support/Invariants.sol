// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice The functions that the runner calls on a suite of invariants.
abstract contract Invariants {
    address[] private _targets;

    function target(address handler) internal {
        _targets.push(handler);
    }

    /// @notice The contracts whose functions are called, in any order and with any arguments.
    function targetContracts() external view returns (address[] memory) {
        return _targets;
    }

    function holds(bool condition, string memory what) internal pure {
        require(condition, what);
    }

    function none(string memory fault) internal pure {
        require(bytes(fault).length == 0, fault);
    }
}
