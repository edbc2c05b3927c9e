// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {LeaseRef} from "../libraries/Types.sol";
import {IBatch} from "./IBatch.sol";

/// @title Partners' deposits and per-second leases
/// @notice Settled lazily: owed = rate × (now − settledAt). Anyone may settle; a settlement that the account or the
/// authorization cannot cover closes the lease.
interface IEscrow is IBatch {
    enum CloseReason {
        Ended,
        Overdrawn,
        AuthorizationOver
    }

    /// @notice Signed by `owner`: `delegate` may publish for the owner and spend up to `total`, at up to `maxRate` a second
    /// over all its open leases, until `expiry`.
    struct Authorization {
        address owner;
        address delegate;
        uint64 maxRate;
        uint128 total;
        /// @dev Zero: any image; else the one image digest that may be run.
        bytes32 scope;
        uint40 expiry;
        uint256 nonce;
    }

    event Deposited(address indexed account, address indexed from, uint128 amount);
    event Withdrawn(address indexed account, address indexed to, uint128 amount);
    event Authorized(
        uint64 indexed authorizationId,
        address indexed owner,
        address indexed delegate,
        uint64 maxRate,
        uint128 total,
        bytes32 scope,
        uint40 expiry
    );
    event AuthorizationRevoked(uint64 indexed authorizationId);
    event LeaseOpened(
        uint64 indexed workspaceId,
        uint32 indexed nodeId,
        uint16 replica,
        uint32 lease,
        uint64 authorizationId,
        uint64 rate
    );

    /// @notice The lease's clock runs, or rests, from `since` on; what was owed before is in the Settled beside it.
    event LeaseClockSet(
        uint64 indexed workspaceId, uint32 indexed nodeId, uint16 replica, uint32 lease, bool running, uint40 since
    );
    event Settled(
        uint64 indexed workspaceId,
        uint32 indexed nodeId,
        uint16 replica,
        uint32 lease,
        uint128 amount,
        uint40 settledAt
    );
    event LeaseClosed(
        uint64 indexed workspaceId, uint32 indexed nodeId, uint16 replica, uint32 lease, CloseReason reason
    );
    event Collected(uint32 indexed nodeId, address indexed to, uint128 amount);

    error EscrowAmountZero();
    error EscrowBalanceTooLow(address account, uint128 wanted, uint128 available);
    error AuthorizationUnknown(uint64 authorizationId);
    error AuthorizationExpired(uint64 authorizationId, uint40 expiry);
    error AuthorizationIsRevoked(uint64 authorizationId);
    error AuthorizationScopeMismatch(uint64 authorizationId, bytes32 scope, bytes32 image);
    error AuthorizationRateExceeded(uint64 authorizationId, uint64 wanted, uint64 available);
    error AuthorizationOwnerMismatch(uint64 authorizationId, address owner);
    error LeaseUnknown(uint64 workspaceId, uint16 replica, uint32 lease);
    error LeaseNotOpen(uint64 workspaceId, uint16 replica, uint32 lease);
    error CallerNotDockerContract(address caller);
    error CallerNotOwner(address caller, address owner);

    /// @notice Takes `amount` tokens from the caller for `account`.
    function deposit(address account, uint128 amount) external;

    /// @notice The same with an ERC-2612 permit of `from`, relayed by anyone; the tokens come from `from`.
    function depositWithPermit(
        address from,
        uint128 amount,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external;

    /// @notice Pays out what the caller's account has free of running leases' debts.
    function withdraw(uint128 amount, address to) external;

    /// @notice Records a signed authorization, relayed by anyone.
    function authorize(Authorization calldata authorization, bytes calldata signature)
        external
        returns (uint64 authorizationId);

    /// @notice Owner only. Leases already open go on until closed or overdrawn, at most to the total signed for.
    function revoke(uint64 authorizationId) external;

    /// @notice DockerContract only, as the next two. Reserves `rate` in the authorization; the clock rests until started.
    function open(uint64 authorizationId, LeaseRef calldata ref, uint32 nodeId, uint64 rate, bytes32 image) external;
    function setClock(LeaseRef calldata ref, bool running) external;
    function close(LeaseRef calldata ref) external;

    /// @notice Settles leases up to now. Anyone.
    function settle(LeaseRef[] calldata leases) external;

    /// @notice Pays each node's earnings to its bound wallet, or else its own address. Anyone.
    function collect(uint32[] calldata nodeIds) external;

    function balanceOf(address account) external view returns (uint128);
    function earnedBy(uint32 nodeId) external view returns (uint128);
    function isOpen(LeaseRef calldata ref) external view returns (bool);

    /// @notice Reverts unless `caller` is the owner, or the delegate of an authorization of the owner valid now for the image.
    function requireSpender(uint64 authorizationId, address owner, address caller, bytes32 image) external view;
}
