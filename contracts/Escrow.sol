// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Deposits} from "./escrow/Deposits.sol";
import {EscrowState} from "./escrow/EscrowState.sol";
import {Payouts} from "./escrow/Payouts.sol";
import {Refunds} from "./escrow/Refunds.sol";
import {IComputeNode} from "./interfaces/IComputeNode.sol";
import {IToken} from "./interfaces/IToken.sol";

/// @notice See IEscrow. Its parts stand in escrow/: deposits, authorizations, the settlement of leases, payouts to nodes and refunds.
contract Escrow is Deposits, Refunds {
    /// @param feeBasisPoints_ What is burned of every payout, in hundredths of a percent.
    /// @param authorizationsBefore The ids that escrows before this one may have given; its own begin after them.
    constructor(
        address authority_,
        IToken token,
        IComputeNode computeNode,
        uint16 feeBasisPoints_,
        uint64 authorizationsBefore
    )
        EscrowState(authority_, token, computeNode, authorizationsBefore)
        Payouts(feeBasisPoints_)
    {}
}
