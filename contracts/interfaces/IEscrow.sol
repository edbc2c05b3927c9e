// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IEscrowAccounts} from "./IEscrowAccounts.sol";
import {IEscrowLeases} from "./IEscrowLeases.sol";

/// @title Partners' deposits and per-second leases
/// @notice Settled lazily: owed = rate × (now − since). Anyone may settle; a settlement that the account, the authorization or the lock
/// cannot cover closes the lease. A node's earnings of a day are held until its downtime can no longer be refunded.
/// @dev The functions of IEscrowAccounts are in Escrow's extension (see Extended); callers use one address.
interface IEscrow is IEscrowLeases, IEscrowAccounts {}
