// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Authorizations} from "./escrow/Authorizations.sol";
import {Deposits} from "./escrow/Deposits.sol";
import {EscrowState} from "./escrow/EscrowState.sol";
import {Refunds} from "./escrow/Refunds.sol";
import {IComputeNode} from "./interfaces/IComputeNode.sol";
import {IEscrowTypes} from "./interfaces/IEscrowTypes.sol";
import {IToken} from "./interfaces/IToken.sol";

/// @notice The part of Escrow that owners call: deposits, authorizations and refunds. See IEscrowAccounts.
/// @dev It has no authority of its own, and its own entries are paused: it runs only on Escrow's state.
contract EscrowExtension is Deposits, Authorizations, Refunds {
    /// @param token The token of all amounts.
    /// @param computeNode The registry of nodes and their uptime.
    /// @param terms_ The terms of all leases.
    constructor(IToken token, IComputeNode computeNode, IEscrowTypes.Terms memory terms_)
        EscrowState(address(0), token, computeNode, terms_, 0)
    {
        _pauseEntries();
    }
}
