// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {IBatch} from "../interfaces/IBatch.sol";

/// @title Verification of signatures
/// @dev A wallet that is a contract is called (ERC-1271) with a fixed amount of gas, and at most one word of its result is read,
/// so a wallet can neither stop a batch nor cost it more than that amount. A relayer cannot make the call fail by giving too
/// little gas either: then the whole call reverts.
library Signatures {
    /// @dev The gas of a wallet for checking a signature: enough for a multisig of several owners.
    uint256 internal constant WALLET_GAS = 100_000;

    /// @dev A call passes on at most 63 of 64 parts of the gas that is left after the call's own cost.
    uint256 internal constant WALLET_GAS_LEFT = (WALLET_GAS * 64) / 63 + 3_000;

    /// @notice Whether the key of `signer` made `signature`. Malleable and compact forms are refused, and the zero address
    /// signs nothing.
    function isSignedByKey(bytes32 digest, address signer, bytes calldata signature) internal pure returns (bool) {
        (address recovered, ECDSA.RecoverError fault,) = ECDSA.tryRecoverCalldata(digest, signature);
        return fault == ECDSA.RecoverError.NoError && recovered == signer;
    }

    /// @notice The same for a compact signature (ERC-2098), which has no other form either.
    function isSignedByKey(bytes32 digest, address signer, bytes32 r, bytes32 vs) internal pure returns (bool) {
        (address recovered, ECDSA.RecoverError fault,) = ECDSA.tryRecover(digest, r, vs);
        return fault == ECDSA.RecoverError.NoError && recovered == signer;
    }

    /// @notice As the first, or, where `signer` is a contract, whether the contract accepts the signature.
    /// @dev Reverts with SignatureGasTooLow when the contract could not get its gas.
    function isSignedBy(bytes32 digest, address signer, bytes calldata signature) internal view returns (bool) {
        if (isSignedByKey(digest, signer, signature)) return true;
        return signer.code.length != 0 && _isSignedByWallet(digest, signer, signature);
    }

    function _isSignedByWallet(bytes32 digest, address wallet, bytes calldata signature)
        private
        view
        returns (bool isValid)
    {
        bytes memory question = abi.encodeCall(IERC1271.isValidSignature, (digest, signature));
        if (gasleft() < WALLET_GAS_LEFT) revert IBatch.SignatureGasTooLow(gasleft(), WALLET_GAS_LEFT);
        bytes4 yes = IERC1271.isValidSignature.selector;
        assembly ("memory-safe") {
            let hasAnswered := staticcall(WALLET_GAS, wallet, add(question, 0x20), mload(question), 0, 0x20)
            // The result is a whole word: the selector and zeros.
            isValid := and(and(hasAnswered, gt(returndatasize(), 0x1f)), eq(mload(0), yes))
        }
    }
}
