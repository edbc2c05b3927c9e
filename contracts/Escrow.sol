// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignedBatch} from "./SignedBatch.sol";
import {IComputeNode} from "./interfaces/IComputeNode.sol";
import {IEscrow} from "./interfaces/IEscrow.sol";
import {IToken} from "./interfaces/IToken.sol";
import {Accounts} from "./libraries/Accounts.sol";
import {Leases} from "./libraries/Leases.sol";
import {Signatures} from "./libraries/Signatures.sol";
import {LeaseRef} from "./libraries/Types.sol";

/// @notice See IEscrow.
/// @dev The token is ours: it calls back nobody, takes no fee and returns true or reverts.
contract Escrow is IEscrow, SignedBatch, AccessManaged {
    using Accounts for Accounts.Account;
    using Leases for Leases.Lease;
    using SafeERC20 for IToken;

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

    bytes32 private constant AUTHORIZATION_TYPEHASH = keccak256(
        "Authorization(address owner,address delegate,uint64 maxRate,uint128 total,bytes32 scope,uint40 expiry,"
        "uint256 nonce)"
    );

    IToken private immutable _token;
    IComputeNode private immutable _computeNode;

    mapping(address account => Accounts.Account) private _accounts;
    mapping(uint64 authorizationId => Grant) private _grants;
    mapping(uint256 replicaKey => Leases.Lease) private _leases;
    mapping(uint32 nodeId => uint128) private _earned;

    // | - 32 | grantCount 64 | docker 160 |
    address private _docker;
    uint64 private _grantCount;

    modifier onlyDocker() {
        if (msg.sender != _docker) revert CallerNotDockerContract(msg.sender);
        _;
    }

    constructor(address authority_, IToken token, IComputeNode computeNode)
        EIP712("ngpu Escrow", "1")
        AccessManaged(authority_)
    {
        _token = token;
        _computeNode = computeNode;
    }

    /// @inheritdoc IEscrow
    function setDocker(address docker) external restricted {
        _docker = docker;
        emit DockerSet(docker);
    }

    /// @inheritdoc IEscrow
    function deposit(address account, uint128 amount) external {
        _deposit(account, msg.sender, amount);
    }

    /// @inheritdoc IEscrow
    function depositWithPermit(
        address from,
        uint128 amount,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external {
        // Anyone may bring the permit to the token first; that must not hand others the use of the allowance it leaves.
        if (msg.sender != from) {
            _token.permit(from, address(this), amount, deadline, v, r, s);
        } else {
            try _token.permit(from, address(this), amount, deadline, v, r, s) {} catch {}
        }
        _deposit(from, from, amount);
    }

    /// @inheritdoc IEscrow
    function withdraw(uint128 amount, address to) external {
        if (amount == 0) revert EscrowAmountZero();
        Accounts.Account storage account = _accounts[msg.sender];
        uint128 free = account.free(block.timestamp);
        if (amount > free) revert EscrowBalanceTooLow(msg.sender, amount, free);
        account.balance -= amount;
        emit Withdrawn(msg.sender, to, amount);
        _token.safeTransfer(to, amount);
    }

    /// @inheritdoc IEscrow
    function authorize(Authorization calldata authorization, bytes calldata signature)
        external
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
    function open(uint64 authorizationId, LeaseRef calldata ref, uint32 nodeId, uint64 rate, bytes32 image)
        external
        onlyDocker
    {
        Grant storage grant = _grants[authorizationId];
        _checkValid(grant, authorizationId, image);
        _checkFunds(grant, authorizationId, rate);
        Leases.Lease storage lease = _leases[Leases.keyOf(ref.workspaceId, ref.replica)];
        if (lease.isOpen) revert LeaseIsOpen(ref.workspaceId, ref.replica, lease.number);

        grant.rateInUse += rate;
        _leases[Leases.keyOf(ref.workspaceId, ref.replica)] = Leases.Lease({
            authorizationId: authorizationId,
            rate: rate,
            settledAt: uint40(block.timestamp),
            nodeId: nodeId,
            number: ref.lease,
            isOpen: true,
            isRunning: false
        });
        emit LeaseOpened(ref.workspaceId, nodeId, ref.replica, ref.lease, authorizationId, rate);
    }

    /// @inheritdoc IEscrow
    function setClock(LeaseRef calldata ref, bool running) external onlyDocker {
        Leases.Lease memory lease = _leases[Leases.keyOf(ref.workspaceId, ref.replica)];
        if (lease.number != ref.lease || !lease.isOpen || lease.isRunning == running) return;
        uint40 time = uint40(block.timestamp);
        if (running) {
            _accounts[_grants[lease.authorizationId].owner].run(lease.rate, time);
            lease.settledAt = time;
        } else {
            // A lease that this settlement closes rests already.
            if (_settle(ref, lease, time)) return;
            _accounts[_grants[lease.authorizationId].owner].rest(lease.rate, time);
        }
        lease.isRunning = running;
        _leases[Leases.keyOf(ref.workspaceId, ref.replica)] = lease;
        emit LeaseClockSet(ref.workspaceId, lease.nodeId, ref.replica, ref.lease, running, time);
    }

    /// @inheritdoc IEscrow
    function close(LeaseRef calldata ref) external onlyDocker {
        Leases.Lease memory lease = _leases[Leases.keyOf(ref.workspaceId, ref.replica)];
        if (lease.number != ref.lease || !lease.isOpen) return;
        if (!_settle(ref, lease, uint40(block.timestamp))) _close(ref, lease, CloseReason.Ended);
    }

    /// @inheritdoc IEscrow
    function settle(LeaseRef[] calldata leases) external {
        uint256 items = _checkLength(leases.length);
        uint40 time = uint40(block.timestamp);
        for (uint256 i; i < items; ++i) {
            LeaseRef calldata ref = leases[i];
            Leases.Lease memory lease = _leases[Leases.keyOf(ref.workspaceId, ref.replica)];
            if (lease.number != ref.lease || ref.lease == 0) {
                _settleItem(i, abi.encodeWithSelector(LeaseUnknown.selector, ref.workspaceId, ref.replica, ref.lease));
            } else if (!lease.isOpen) {
                _settleItem(i, abi.encodeWithSelector(LeaseNotOpen.selector, ref.workspaceId, ref.replica, ref.lease));
            } else if (!_settle(ref, lease, time)) {
                _leases[Leases.keyOf(ref.workspaceId, ref.replica)] = lease;
            }
        }
    }

    /// @inheritdoc IEscrow
    function collect(uint32[] calldata nodeIds) external {
        uint256 items = _checkLength(nodeIds.length);
        for (uint256 i; i < items; ++i) {
            uint32 nodeId = nodeIds[i];
            uint128 amount = _earned[nodeId];
            if (amount == 0) continue;
            _earned[nodeId] = 0;
            address to = _computeNode.payoutOf(nodeId);
            emit Collected(nodeId, to, amount);
            _token.safeTransfer(to, amount);
        }
    }

    /// @inheritdoc IEscrow
    function balanceOf(address account) external view returns (uint128) {
        // Balances fit in 96 bits.
        return uint128(_accounts[account].balance);
    }

    /// @inheritdoc IEscrow
    function withdrawableOf(address account) external view returns (uint128) {
        return _accounts[account].free(block.timestamp);
    }

    /// @inheritdoc IEscrow
    function isNonceUsed(address signer, uint256 nonce) external view returns (bool) {
        return _isNonceUsed(signer, nonce);
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
    function leaseOf(uint64 workspaceId, uint16 replica)
        external
        view
        returns (
            uint32 lease,
            uint64 authorizationId,
            uint32 nodeId,
            uint64 rate,
            uint40 settledAt,
            bool opened,
            bool running
        )
    {
        Leases.Lease storage last = _leases[Leases.keyOf(workspaceId, replica)];
        (lease, authorizationId, nodeId, rate) = (last.number, last.authorizationId, last.nodeId, last.rate);
        (settledAt, opened, running) = (last.settledAt, last.isOpen, last.isRunning);
    }

    /// @inheritdoc IEscrow
    function earnedBy(uint32 nodeId) external view returns (uint128) {
        return _earned[nodeId];
    }

    /// @inheritdoc IEscrow
    function isOpen(LeaseRef calldata ref) external view returns (bool) {
        Leases.Lease storage lease = _leases[Leases.keyOf(ref.workspaceId, ref.replica)];
        return lease.isOpen && lease.number == ref.lease;
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

    function _deposit(address account, address from, uint128 amount) private {
        if (amount == 0) revert EscrowAmountZero();
        _accounts[account].balance += amount;
        emit Deposited(account, from, amount);
        _token.safeTransferFrom(from, address(this), amount);
    }

    /// @dev Pays what is due, or what there is. Writes the lease only when that closes it; else the caller does.
    /// @return closed Whether the lease was closed for want of funds.
    function _settle(LeaseRef calldata ref, Leases.Lease memory lease, uint40 time) private returns (bool closed) {
        Grant storage grant = _grants[lease.authorizationId];
        Accounts.Account storage account = _accounts[grant.owner];
        uint128 amount = lease.due(time, grant.expiry);
        bool isOver = time > grant.expiry;
        bool isOverdrawn;
        if (amount > grant.remaining) (amount, isOver) = (grant.remaining, true);
        // The cast holds because the balance is below the amount.
        if (amount > account.balance) (amount, isOverdrawn) = (uint128(account.balance), true);

        if (lease.isRunning) {
            account.advance(lease.rate, lease.settledAt, time);
            account.balance -= amount;
            grant.remaining -= amount;
            _earned[lease.nodeId] += amount;
            lease.settledAt = time;
            emit Settled(ref.workspaceId, lease.nodeId, ref.replica, ref.lease, amount, time);
        }
        if (!isOver && !isOverdrawn) return false;
        _close(ref, lease, isOverdrawn ? CloseReason.Overdrawn : CloseReason.AuthorizationOver);
        return true;
    }

    /// @dev Of a lease that is settled up to now.
    function _close(LeaseRef calldata ref, Leases.Lease memory lease, CloseReason reason) private {
        Grant storage grant = _grants[lease.authorizationId];
        if (lease.isRunning) _accounts[grant.owner].rest(lease.rate, lease.settledAt);
        grant.rateInUse -= lease.rate;
        (lease.isOpen, lease.isRunning) = (false, false);
        _leases[Leases.keyOf(ref.workspaceId, ref.replica)] = lease;
        emit LeaseClosed(ref.workspaceId, lease.nodeId, ref.replica, ref.lease, reason);
    }

    function _checkValid(Grant storage grant, uint64 authorizationId, bytes32 image) private view {
        if (grant.owner == address(0)) revert AuthorizationUnknown(authorizationId);
        if (grant.revoked) revert AuthorizationIsRevoked(authorizationId);
        if (block.timestamp > grant.expiry) revert AuthorizationExpired(authorizationId, grant.expiry);
        if (grant.scoped && image != 0 && grant.scope != image) {
            revert AuthorizationScopeMismatch(authorizationId, grant.scope, image);
        }
    }

    function _checkFunds(Grant storage grant, uint64 authorizationId, uint64 rate) private view {
        uint64 available = grant.maxRate - grant.rateInUse;
        if (rate > available) revert AuthorizationRateExceeded(authorizationId, rate, available);
        if (rate > grant.remaining) revert AuthorizationSpent(authorizationId, rate, grant.remaining);
        uint128 free = _accounts[grant.owner].free(block.timestamp);
        if (rate > free) revert EscrowBalanceTooLow(grant.owner, rate, free);
    }
}
