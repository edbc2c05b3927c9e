// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {IBatch} from "./interfaces/IBatch.sol";
import {Signatures} from "./libraries/Signatures.sol";

/// @title Batches of signed messages
/// @notice An item is a private function that returns the encoded custom error when the item is refused, or nothing.
abstract contract SignedBatch is IBatch, EIP712 {
    /// @dev Items in one call: the limit of every loop over a batch.
    uint256 internal constant MAX_ITEMS = 512;

    /// @dev Used nonces of a signer, 256 to a word: several relayers submit in any order.
    mapping(address signer => mapping(uint256 word => uint256 bits)) private _nonces;

    function _checkLength(uint256 items) internal pure returns (uint256) {
        if (items > MAX_ITEMS) revert BatchTooLong(items, MAX_ITEMS);
        return items;
    }

    function _checkLengths(uint256 items, uint256 others) internal pure returns (uint256) {
        if (items != others) revert BatchLengthMismatch(items, others);
        return _checkLength(items);
    }

    function _settleItem(uint256 index, bytes memory refusal) internal {
        if (refusal.length != 0) emit ItemRefused(index, refusal);
    }

    /// @dev For a message signed by the key of a node or measurer.
    function _checkSigned(address key, uint256 deadline, bytes32 structHash, bytes calldata signature)
        internal
        view
        returns (bytes memory refusal)
    {
        if (block.timestamp > deadline) {
            return abi.encodeWithSelector(SignatureExpired.selector, deadline, block.timestamp);
        }
        if (!Signatures.isSignedByKey(_hashTypedDataV4(structHash), key, signature)) {
            return abi.encodeWithSelector(SignatureInvalid.selector, key);
        }
    }

    /// @dev The same with a compact signature.
    function _checkSigned(address key, uint256 deadline, bytes32 structHash, bytes32 r, bytes32 vs)
        internal
        view
        returns (bytes memory refusal)
    {
        if (block.timestamp > deadline) {
            return abi.encodeWithSelector(SignatureExpired.selector, deadline, block.timestamp);
        }
        if (!Signatures.isSignedByKey(_hashTypedDataV4(structHash), key, r, vs)) {
            return abi.encodeWithSelector(SignatureInvalid.selector, key);
        }
    }

    /// @dev For a message of a wallet, which may be a contract. A wallet that is the caller needs no signature.
    function _checkSignedByWallet(
        address wallet,
        uint256 deadline,
        bytes32 structHash,
        bytes calldata signature
    ) internal view returns (bytes memory refusal) {
        if (block.timestamp > deadline) {
            return abi.encodeWithSelector(SignatureExpired.selector, deadline, block.timestamp);
        }
        if (msg.sender == wallet) return refusal;
        if (!Signatures.isSignedBy(_hashTypedDataV4(structHash), wallet, signature)) {
            return abi.encodeWithSelector(SignatureInvalid.selector, wallet);
        }
    }

    function _useNonce(address signer, uint256 nonce) internal {
        _nonces[signer][nonce >> 8] |= 1 << (nonce & 0xff);
    }

    function _isNonceUsed(address signer, uint256 nonce) internal view returns (bool) {
        return _nonces[signer][nonce >> 8] & (1 << (nonce & 0xff)) != 0;
    }

    /// @dev A value outside its enum would revert the whole batch when it is decoded, so raw words are checked first.
    function _checkEnum(uint256 value, uint256 highest) internal pure returns (bytes memory refusal) {
        if (value > highest) return abi.encodeWithSelector(ValueUnknown.selector, value, highest);
    }
}
