// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Deposits} from "./escrow/Deposits.sol";
import {EscrowState} from "./escrow/EscrowState.sol";
import {Payouts} from "./escrow/Payouts.sol";
import {Refunds} from "./escrow/Refunds.sol";
import {IComputeNode} from "./interfaces/IComputeNode.sol";
import {IToken} from "./interfaces/IToken.sol";

/// @notice See IEscrow. The parts are in escrow/: deposits, authorizations, the settlement of leases, payouts to nodes, refunds.
contract Escrow is Deposits, Refunds {
    /// @param feeBasisPoints_ The burned part of every payout, in hundredths of a percent.
    /// @param authorizationsBefore The highest id that previous escrows may use; this contract's ids begin after it.
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
