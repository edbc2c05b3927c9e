// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Pauses} from "../Pauses.sol";
import {SignedBatch} from "../SignedBatch.sol";
import {IComputeNode} from "../interfaces/IComputeNode.sol";
import {IEscrow} from "../interfaces/IEscrow.sol";
import {IToken} from "../interfaces/IToken.sol";
import {Accounts} from "../libraries/Accounts.sol";
import {Leases} from "../libraries/Leases.sol";

/// @title The shared state of the escrow's parts
/// @dev The token is this deployment's own: it makes no calls, takes no fee, and returns true or reverts.
abstract contract EscrowState is IEscrow, SignedBatch, Pauses {
    // | grantCount 64 | docker 160 | paused 32 |: see Pauses
    address internal _docker;
    uint64 internal _grantCount;

    // | - 32 | maxRate 64 | owner 160 |
    // | - 96 | delegate 160 |
    // | scoped 8 | revoked 8 | expiry 40 | rateInUse 64 | remaining 128 |
    // | scope 256 |
    struct Grant {
        address owner;
        uint64 maxRate;
        address delegate;
        uint128 remaining;
        uint64 rateInUse;
        uint40 expiry;
        bool revoked;
        bool scoped;
        bytes32 scope;
    }

    IToken internal immutable _token;
    IComputeNode internal immutable _computeNode;
    /// @dev Length of ComputeNode's days, by which earnings are held and downtime is refunded.
    uint64 internal immutable _daySeconds;

    mapping(address account => Accounts.Account) internal _accounts;
    mapping(uint64 authorizationId => Grant) internal _grants;
    mapping(uint256 replicaKey => Leases.Lease) internal _leases;
    /// @dev See Earnings.
    mapping(uint32 nodeId => uint256 lanes) internal _earnings;

    modifier onlyDocker() {
        if (msg.sender != _docker) revert CallerNotDockerContract(msg.sender);
        _;
    }

    constructor(address authority_, IToken token, IComputeNode computeNode, uint64 authorizationsBefore)
        EIP712("ngpu Escrow", "1")
        Pauses(authority_)
    {
        _grantCount = authorizationsBefore;
        _token = token;
        _computeNode = computeNode;
        _daySeconds = computeNode.daySeconds();
    }

    /// @inheritdoc IEscrow
    function setDocker(address docker) external restricted {
        if (_docker != address(0)) revert DockerIsSet(_docker);
        _docker = docker;
        emit DockerSet(docker);
    }

    /// @inheritdoc IEscrow
    function isNonceUsed(address signer, uint256 nonce) external view returns (bool) {
        return _isNonceUsed(signer, nonce);
    }

    /// @inheritdoc Pauses
    function _bitOf(bytes4 selector) internal pure override returns (uint256) {
        if (selector == IEscrow.deposit.selector) return 0;
        if (selector == IEscrow.depositWithPermit.selector) return 1;
        if (selector == IEscrow.authorize.selector) return 2;
        if (selector == IEscrow.withdraw.selector) return FIRST_EXIT;
        if (selector == IEscrow.settle.selector) return FIRST_EXIT + 1;
        if (selector == IEscrow.collect.selector) return FIRST_EXIT + 2;
        if (selector == IEscrow.refundDowntime.selector) return FIRST_EXIT + 3;
        return NONE;
    }
}
