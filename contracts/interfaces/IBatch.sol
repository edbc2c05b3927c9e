// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice What every batch call has in common: an item that is refused never takes the batch with it.
interface IBatch {
    /// @notice Item `index` of the batch was refused and nothing of it was done.
    /// @param index Place in the batch, from 0.
    /// @param reason The ABI-encoded custom error that the item would have reverted with.
    event ItemRefused(uint256 indexed index, bytes reason);

    /// @notice The lists of a batch differ in length.
    error BatchLengthMismatch(uint256 items, uint256 signatures);

    /// @notice More items than one call takes.
    error BatchTooLong(uint256 items, uint256 limit);

    /// @notice The signature is not that of `signer`.
    error SignatureInvalid(address signer);

    /// @notice The wallet of an item is a contract and must be asked; the call needs more gas for that. Reverts the whole call,
    /// so that nobody can make an item be refused for want of gas.
    error SignatureGasTooLow(uint256 gas, uint256 needed);

    /// @notice The message was signed for an earlier time.
    error SignatureExpired(uint256 deadline, uint256 time);

    /// @notice The message was accepted before.
    error NonceUsed(address signer, uint256 nonce);

    /// @notice A field that names one of a few values names none of them.
    error ValueUnknown(uint256 value, uint256 highest);
}
