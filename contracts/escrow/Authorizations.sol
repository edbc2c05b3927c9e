// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IEscrowAccounts} from "../interfaces/IEscrowAccounts.sol";
import {Signatures} from "../libraries/Signatures.sol";
import {EscrowState} from "./EscrowState.sol";

/// @title Owners' signed authorizations to spend their deposits
abstract contract Authorizations is IEscrowAccounts, EscrowState {
    bytes32 private constant AUTHORIZATION_TYPEHASH = keccak256(
        "Authorization(address owner,address delegate,uint64 maxRate,uint96 daily,uint128 total,bytes32 scope,"
        "uint40 expiry,uint256 nonce)"
    );

    /// @inheritdoc IEscrowAccounts
    function authorize(Authorization calldata authorization, bytes calldata signature)
        external
        pausable
        returns (uint64 authorizationId)
    {
        (address owner, uint256 nonce, uint40 expiry) =
            (authorization.owner, authorization.nonce, authorization.expiry);
        if (_isNonceUsed(owner, nonce)) revert NonceUsed(owner, nonce);
        if (block.timestamp > expiry) revert SignatureExpired(expiry, block.timestamp);
        bytes32 digest = _hashTypedDataV4(keccak256(abi.encode(AUTHORIZATION_TYPEHASH, authorization)));
        if (!Signatures.isSignedBy(digest, owner, signature)) revert SignatureInvalid(owner);

        _useNonce(owner, nonce);
        authorizationId = ++_grantCount;
        _grants[authorizationId] = Grant({
            owner: owner,
            maxRate: authorization.maxRate,
            delegate: authorization.delegate,
            daily: authorization.daily,
            remaining: authorization.total,
            rateInUse: 0,
            expiry: expiry,
            revoked: false,
            scoped: authorization.scope != 0,
            scope: authorization.scope
        });
        emit Authorized(
            authorizationId,
            owner,
            authorization.delegate,
            authorization.maxRate,
            authorization.daily,
            authorization.total,
            authorization.scope,
            expiry
        );
    }

    /// @inheritdoc IEscrowAccounts
    function revoke(uint64 authorizationId, bool endLeases) external {
        Grant storage grant = _grants[authorizationId];
        if (grant.owner != msg.sender) revert CallerNotOwner(msg.sender, grant.owner);
        bool isEnding = endLeases && block.timestamp < grant.expiry;
        if (grant.revoked && !isEnding) revert AuthorizationIsRevoked(authorizationId);
        grant.revoked = true;
        if (isEnding) grant.expiry = uint40(block.timestamp);
        emit AuthorizationRevoked(authorizationId, grant.expiry);
    }

    /// @inheritdoc IEscrowAccounts
    function cancelAuthorization(uint256 nonce) external {
        if (_isNonceUsed(msg.sender, nonce)) revert NonceUsed(msg.sender, nonce);
        _useNonce(msg.sender, nonce);
        emit AuthorizationCancelled(msg.sender, nonce);
    }

    /// @inheritdoc IEscrowAccounts
    function isNonceUsed(address signer, uint256 nonce) external view returns (bool) {
        return _isNonceUsed(signer, nonce);
    }

    /// @inheritdoc IEscrowAccounts
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
        )
    {
        Grant storage grant = _grants[authorizationId];
        (owner, delegate, maxRate, remaining) = (grant.owner, grant.delegate, grant.maxRate, grant.remaining);
        (rateInUse, scope, expiry, revoked) = (grant.rateInUse, grant.scope, grant.expiry, grant.revoked);
    }
}
