// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title A contract whose code is in two contracts, since one holds at most 24,576 bytes
/// @notice Callers use this contract's address for all functions. A call of a function that this contract does not have itself runs the
/// extension's code on this contract's state, with the same caller.
/// @dev The frequent functions belong here: a call through the extension costs about 2,900 gas more, once a transaction. Both contracts
/// inherit one state contract, and only it declares state variables, so both have one storage layout. The constructor
/// creates the extension, so nobody can choose or replace it.
abstract contract Extended {
    address private immutable _extension;

    constructor(address extension_) {
        _extension = extension_;
    }

    // solhint-disable-next-line no-complex-fallback
    fallback() external {
        address target = _extension;
        assembly ("memory-safe") {
            // Beyond the free memory: nothing in this contract runs after this block.
            let start := mload(0x40)
            calldatacopy(start, 0, calldatasize())
            let isDone := delegatecall(gas(), target, start, calldatasize(), 0, 0)
            returndatacopy(start, 0, returndatasize())
            switch isDone
            case 0 { revert(start, returndatasize()) }
            default { return(start, returndatasize()) }
        }
    }

    /// @notice The contract with the code of the other functions. Its own state is unused.
    /// @return The extension's address.
    function extension() external view returns (address) {
        return _extension;
    }
}
