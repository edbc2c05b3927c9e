// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice What the runner asks a suite of invariants for.
abstract contract Invariants {
    address[] private _targets;

    function target(address handler) internal {
        _targets.push(handler);
    }

    /// @notice Whose functions are called, in any order and with any arguments.
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
