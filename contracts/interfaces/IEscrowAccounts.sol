// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {LeaseRef} from "../libraries/Types.sol";
import {UptimeTree} from "../libraries/UptimeTree.sol";
import {IEscrowTypes} from "./IEscrowTypes.sol";

/// @title Deposits, authorizations and refunds: the part of Escrow that owners call
interface IEscrowAccounts is IEscrowTypes {
    /// @notice Transfers `amount` tokens from the caller and credits them to `account`.
    /// @param account The account.
    /// @param amount The amount.
    function deposit(address account, uint128 amount) external;

    /// @notice Transfers `amount` tokens from `from` and credits them to `from`, with an ERC-2612 permit relayed by anyone. Where
    /// the permit was used already, only `from` itself may continue with the allowance it left.
    /// @param from The account.
    /// @param amount The amount.
    /// @param deadline The permit's deadline.
    /// @param v Of the permit's signature, as the next two.
    /// @param r See `v`.
    /// @param s See `v`.
    function depositWithPermit(
        address from,
        uint128 amount,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external;

    /// @notice Pays out `amount` of the caller's balance, as far as it exceeds the locks and the debt of its leases.
    /// @param amount The amount.
    /// @param to The payee.
    function withdraw(uint128 amount, address to) external;

    /// @notice Records a signed authorization, relayed by anyone.
    /// @param authorization The authorization.
    /// @param signature Its owner's signature.
    /// @return authorizationId Its number.
    function authorize(Authorization calldata authorization, bytes calldata signature)
        external
        returns (uint64 authorizationId);

    /// @notice Ends an authorization. Owner only. An authorization that was revoked without its leases can be revoked again with them.
    /// @param authorizationId The authorization.
    /// @param endLeases Whether its open leases end now: nothing is due after this block, and anyone may release them.
    /// Otherwise they continue until they are closed or unfunded, at most to the signed total.
    function revoke(uint64 authorizationId, bool endLeases) external;

    /// @notice Uses the nonce of an authorization that the caller signed and nobody has relayed yet.
    /// @param nonce The nonce.
    function cancelAuthorization(uint256 nonce) external;

    /// @notice Pays rate × downSeconds of a day back to the owner of the authorization, from the node's earnings of that time, once
    /// per lease and day: at most what this lease paid this node on that day. Possible for `refundDays` after the
    /// day. Anyone.
    /// @param items Leaves of the days' uptime trees (ComputeNode.uptimeRootOf).
    /// @param proofs Each leaf's siblings, from the lowest.
    function refundDowntime(UptimeTree.LeaseDowntime[] calldata items, bytes32[][] calldata proofs) external;

    /// @notice The account's balance, including its locks and the unsettled debt of its leases.
    /// @param account The account.
    /// @return The amount.
    function balanceOf(address account) external view returns (uint128);

    /// @notice The account's balance less its locks and the debt of its leases up to now.
    /// @param account The account.
    /// @return The amount.
    function withdrawableOf(address account) external view returns (uint128);

    /// @notice The locks of the account's open leases.
    /// @param account The account.
    /// @return The amount.
    function lockedOf(address account) external view returns (uint128);

    /// @notice Everything an account ever paid, less refunds.
    /// @param account The account.
    /// @return The amount.
    function totalSpentBy(address account) external view returns (uint256);

    /// @notice Whether a nonce was used or cancelled.
    /// @param signer The signer.
    /// @param nonce The nonce.
    /// @return Whether it was.
    function isNonceUsed(address signer, uint256 nonce) external view returns (bool);

    /// @notice An authorization.
    /// @param authorizationId Its number.
    /// @return owner Its owner; zero where it does not exist.
    /// @return delegate Its delegate.
    /// @return maxRate The highest sum of the rates of its open leases.
    /// @return remaining The rest of its total, without the locks of its open leases.
    /// @return rateInUse The sum of the rates of its open leases.
    /// @return scope The only image it allows; zero for any.
    /// @return expiry Its expiry.
    /// @return revoked Whether it was revoked.
    function authorizationOf(uint64 authorizationId)
        external
        view
        returns (
            address owner,
            address delegate,
            uint64 maxRate,
            uint128 remaining,
            uint64 rateInUse,
            bytes32 scope,
            uint40 expiry,
            bool revoked
        );

    /// @notice What a lease can still be refunded of a day.
    /// @param day The day.
    /// @param ref The lease.
    /// @param nodeId Its node.
    /// @param authorizationId Its authorization.
    /// @return paid What it paid this node on that day, as far as it is settled; zero where the day is no longer kept.
    /// @return refunded Whether it was refunded.
    function paidOn(uint64 day, LeaseRef calldata ref, uint32 nodeId, uint64 authorizationId)
        external
        view
        returns (uint128 paid, bool refunded);
}
