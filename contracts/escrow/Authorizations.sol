// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IEscrow} from "../interfaces/IEscrow.sol";
import {Signatures} from "../libraries/Signatures.sol";
import {EscrowState} from "./EscrowState.sol";

/// @title Owners' signed authorizations to spend their deposits
abstract contract Authorizations is EscrowState {
    bytes32 private constant AUTHORIZATION_TYPEHASH = keccak256(
        "Authorization(address owner,address delegate,uint64 maxRate,uint128 total,bytes32 scope,uint40 expiry,"
        "uint256 nonce)"
    );

    /// @inheritdoc IEscrow
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
            authorization.total,
            authorization.scope,
            expiry
        );
    }

    /// @inheritdoc IEscrow
    function revoke(uint64 authorizationId) external {
        Grant storage grant = _grants[authorizationId];
        if (grant.owner != msg.sender) revert CallerNotOwner(msg.sender, grant.owner);
        if (grant.revoked) revert AuthorizationIsRevoked(authorizationId);
        grant.revoked = true;
        emit AuthorizationRevoked(authorizationId);
    }

    /// @inheritdoc IEscrow
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

    /// @inheritdoc IEscrow
    function requireSpender(uint64 authorizationId, address owner, address caller, bytes32 image) external view {
        Grant storage grant = _grants[authorizationId];
        if (grant.owner == address(0)) revert AuthorizationUnknown(authorizationId);
        if (grant.owner != owner) revert AuthorizationOwnerMismatch(authorizationId, owner);
        if (caller == owner) return;
        if (caller != grant.delegate) revert CallerNotSpender(caller, authorizationId);
        _checkValid(grant, authorizationId, image);
    }

    /// @inheritdoc IEscrow
    function maySpend(uint64 authorizationId, address caller) external view returns (bool) {
        Grant storage grant = _grants[authorizationId];
        if (caller == grant.owner) return true;
        return caller == grant.delegate && !grant.revoked && block.timestamp <= grant.expiry;
    }

    function _checkValid(Grant storage grant, uint64 authorizationId, bytes32 image) internal view {
        if (grant.owner == address(0)) revert AuthorizationUnknown(authorizationId);
        if (grant.revoked) revert AuthorizationIsRevoked(authorizationId);
        if (block.timestamp > grant.expiry) revert AuthorizationExpired(authorizationId, grant.expiry);
        if (grant.scoped && image != 0 && grant.scope != image) {
            revert AuthorizationScopeMismatch(authorizationId, grant.scope, image);
        }
    }
}
