// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice Common to all batch calls: a refused item never fails the batch.
interface IBatch {
    /// @notice Item `index` of the batch was refused and had no effect.
    /// @param index Position in the batch, from 0.
    /// @param reason The ABI-encoded custom error of the item.
    event ItemRefused(uint256 indexed index, bytes reason);

    /// @notice The lists of a batch differ in length.
    error BatchLengthMismatch(uint256 items, uint256 signatures);

    /// @notice The batch has more items than one call accepts.
    error BatchTooLong(uint256 items, uint256 limit);

    /// @notice The signature is not that of `signer`.
    error SignatureInvalid(address signer);

    /// @notice The wallet of an item is a contract, and the call to it needs more gas. Reverts the whole call,
    /// so that nobody can make an item be refused for lack of gas.
    error SignatureGasTooLow(uint256 gas, uint256 needed);

    /// @notice The message's deadline has passed.
    error SignatureExpired(uint256 deadline, uint256 time);

    /// @notice The message was accepted before.
    error NonceUsed(address signer, uint256 nonce);

    /// @notice A field with an enum value has an unknown value.
    error ValueUnknown(uint256 value, uint256 highest);
}
