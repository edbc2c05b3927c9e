// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {EscrowExtension} from "./EscrowExtension.sol";
import {Extended} from "./Extended.sol";
import {EscrowState} from "./escrow/EscrowState.sol";
import {Payouts} from "./escrow/Payouts.sol";
import {IComputeNode} from "./interfaces/IComputeNode.sol";
import {IEscrowTypes} from "./interfaces/IEscrowTypes.sol";
import {IToken} from "./interfaces/IToken.sol";

/// @notice See IEscrow. The parts are in escrow/: the settlement of leases, their clocks, payouts to nodes. Deposits, authorizations
/// and refunds are in the extension (see Extended).
contract Escrow is Extended, Payouts {
    /// @param authority_ The AccessManager.
    /// @param token The token of all amounts.
    /// @param computeNode The registry of nodes, their payees and their uptime.
    /// @param terms_ The terms of all leases.
    /// @param authorizationsBefore The highest id that previous escrows may use; this contract's ids begin after it.
    constructor(
        address authority_,
        IToken token,
        IComputeNode computeNode,
        IEscrowTypes.Terms memory terms_,
        uint56 authorizationsBefore
    )
        Extended(address(new EscrowExtension(token, computeNode, terms_)))
        EscrowState(authority_, token, computeNode, terms_, authorizationsBefore)
        Payouts(terms_.feeBasisPoints)
    {}
}
