// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Pauses} from "../Pauses.sol";
import {SignedBatch} from "../SignedBatch.sol";
import {IComputeNode} from "../interfaces/IComputeNode.sol";
import {IEscrowAccounts} from "../interfaces/IEscrowAccounts.sol";
import {IEscrowLeases} from "../interfaces/IEscrowLeases.sol";
import {IEscrowTypes} from "../interfaces/IEscrowTypes.sol";
import {IToken} from "../interfaces/IToken.sol";
import {Accounts} from "../libraries/Accounts.sol";
import {DayBooks} from "../libraries/DayBooks.sol";

/// @title The shared state and terms of the escrow's parts
/// @dev All state variables are declared here: the extension has the same layout (see Extended). The token is this deployment's own: it
/// makes no calls, takes no fee, and returns true or reverts.
abstract contract EscrowState is IEscrowTypes, SignedBatch, Pauses {
    // | - 8 | grantCount 56 | docker 160 | paused 32 |: see Pauses
    address internal _docker;
    /// @dev 56 bits, as in a lease.
    uint56 internal _grantCount;

    // | - 32 | maxRate 64 | owner 160 |
    // | daily 96 | delegate 160 |
    // | scoped 8 | revoked 8 | expiry 40 | rateInUse 64 | remaining 128 |
    // | scope 256 |
    struct Grant {
        address owner;
        uint64 maxRate;
        address delegate;
        uint96 daily;
        /// @dev Of the total, without the locks of open leases.
        uint128 remaining;
        uint64 rateInUse;
        uint40 expiry;
        bool revoked;
        bool scoped;
        bytes32 scope;
    }

    IToken internal immutable _token;
    IComputeNode internal immutable _computeNode;
    /// @dev Length of ComputeNode's days, by which downtime is refunded.
    uint64 internal immutable _daySeconds;
    uint32 internal immutable _minSeconds;
    uint96 internal immutable _lockFloor;
    uint64 internal immutable _rateFloor;
    uint32 internal immutable _startSeconds;
    uint32 internal immutable _restSeconds;
    uint8 internal immutable _refundDays;

    mapping(address account => Accounts.Account) internal _accounts;
    mapping(uint64 authorizationId => Grant) internal _grants;
    /// @dev See Leases.
    mapping(uint256 replicaKey => uint256 packed) internal _leases;
    /// @dev See DayBooks.
    mapping(uint256 bookKey => uint256 book) internal _books;
    /// @dev See Earnings.
    mapping(uint32 nodeId => uint256 lanes) internal _earnings;
    /// @dev Modulo 2^96, like the matured amount (see Earnings).
    mapping(uint32 nodeId => uint96) internal _collected;

    constructor(
        address authority_,
        IToken token,
        IComputeNode computeNode,
        Terms memory terms_,
        uint56 authorizationsBefore
    ) EIP712("ngpu Escrow", "1") Pauses(authority_) {
        uint8 limit = uint8(DayBooks.DAYS - 1);
        if (terms_.refundDays == 0 || terms_.refundDays > limit) revert RefundDaysInvalid(terms_.refundDays, limit);
        _grantCount = authorizationsBefore;
        _token = token;
        _computeNode = computeNode;
        _daySeconds = computeNode.daySeconds();
        _minSeconds = terms_.minSeconds;
        _lockFloor = terms_.lockFloor;
        _rateFloor = terms_.rateFloor;
        _startSeconds = terms_.startSeconds;
        _restSeconds = terms_.restSeconds;
        _refundDays = terms_.refundDays;
    }

    /// @inheritdoc Pauses
    function _bitOf(bytes4 selector) internal pure override returns (uint256) {
        if (selector == IEscrowAccounts.deposit.selector) return 0;
        if (selector == IEscrowAccounts.depositWithPermit.selector) return 1;
        if (selector == IEscrowAccounts.authorize.selector) return 2;
        if (selector == IEscrowAccounts.withdraw.selector) return FIRST_EXIT;
        if (selector == IEscrowLeases.settle.selector) return FIRST_EXIT + 1;
        if (selector == IEscrowLeases.collect.selector) return FIRST_EXIT + 2;
        if (selector == IEscrowAccounts.refundDowntime.selector) return FIRST_EXIT + 3;
        return NONE;
    }

    function _checkValid(Grant storage grant, uint64 authorizationId, bytes32 image) internal view {
        if (grant.owner == address(0)) revert AuthorizationUnknown(authorizationId);
        if (grant.revoked) revert AuthorizationIsRevoked(authorizationId);
        if (block.timestamp > grant.expiry) revert AuthorizationExpired(authorizationId, grant.expiry);
        if (grant.scoped && image != 0 && grant.scope != image) {
            revert AuthorizationScopeMismatch(authorizationId, grant.scope, image);
        }
    }

    /// @dev A node's earnings are held by periods of this length, so a day's for at least `refundDays` after it.
    function _holdSeconds() internal view returns (uint256) {
        return uint256(_daySeconds) * _refundDays;
    }

    function _atMost(uint256 value, uint256 limit) internal pure returns (uint256) {
        return value < limit ? value : limit;
    }
}
