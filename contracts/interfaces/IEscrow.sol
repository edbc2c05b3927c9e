// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {LeaseRef} from "../libraries/Types.sol";
import {UptimeTree} from "../libraries/UptimeTree.sol";
import {IBatch} from "./IBatch.sol";
import {IPauses} from "./IPauses.sol";

/// @title Partners' deposits and per-second leases
/// @notice Settled lazily: owed = rate × (now − settledAt). Anyone may settle; a settlement that the account or the
/// authorization cannot cover closes the lease. A node's earnings of a day are held until its downtime can no longer be refunded.
interface IEscrow is IBatch, IPauses {
    enum CloseReason {
        Ended,
        Overdrawn,
        AuthorizationEnded
    }

    /// @notice Signed by `owner`: `delegate` may publish for the owner and spend up to `total`, at up to `maxRate` a second
    /// over all its open leases, until `expiry`.
    struct Authorization {
        address owner;
        address delegate;
        uint64 maxRate;
        uint128 total;
        /// @dev Zero: any image; otherwise the only image digest that may run.
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

    /// @notice The lease's clock runs, or is stopped, from `since` on; the same call's Settled event has the earlier debt.
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

    /// @param amount The amount paid to `to`.
    /// @param fee The amount burned in addition.
    event Collected(uint32 indexed nodeId, address indexed to, uint128 amount, uint128 fee);

    /// @notice `owner` got back the price of `downSeconds` of a day, or the available part of it.
    event Refunded(
        uint64 indexed workspaceId,
        uint32 indexed nodeId,
        uint16 replica,
        uint32 lease,
        address indexed owner,
        uint64 day,
        uint32 downSeconds,
        uint128 amount
    );
    event DockerSet(address indexed docker);

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
    error LeaseIsOpen(uint64 workspaceId, uint16 replica, uint32 lease);
    error AuthorizationSpent(uint64 authorizationId, uint64 wanted, uint128 remaining);
    error CallerNotSpender(address caller, uint64 authorizationId);
    error CallerNotDockerContract(address caller);
    error DockerIsSet(address docker);
    error CallerNotOwner(address caller, address owner);
    error FeeInvalid(uint16 basisPoints, uint16 limit);
    error RefundNotYesterday(uint64 day, uint256 today);
    error UptimeRootUnknown(uint64 day);
    error DowntimeProofInvalid(uint64 day, uint64 workspaceId, uint16 replica, uint32 lease);
    error DowntimeRefunded(uint64 day, uint64 workspaceId, uint16 replica, uint32 lease);
    error RefundUnfunded(uint32 nodeId, uint64 day);

    /// @notice Sets the contract that may open, run and close leases, once: no other ever acts on these deposits. Restricted.
    function setDocker(address docker) external;

    /// @notice Transfers `amount` tokens from the caller and credits them to `account`.
    function deposit(address account, uint128 amount) external;

    /// @notice Transfers `amount` tokens from `from` and credits them to `from`, with an ERC-2612 permit relayed by anyone. Where
    /// the permit was used already, only `from` itself may continue with the allowance it left.
    function depositWithPermit(
        address from,
        uint128 amount,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external;

    /// @notice Pays out `amount` of the caller's balance, as far as it exceeds the debt of its running leases.
    function withdraw(uint128 amount, address to) external;

    /// @notice Records a signed authorization, relayed by anyone.
    function authorize(Authorization calldata authorization, bytes calldata signature)
        external
        returns (uint64 authorizationId);

    /// @notice Owner only. Open leases continue until they are closed or unfunded, at most to the signed total.
    function revoke(uint64 authorizationId) external;

    /// @notice DockerContract only, as the next two. Reserves `rate` in the authorization; the clock is initially stopped.
    /// The account's free balance and the authorization's remaining total must each cover at least one second.
    function open(uint64 authorizationId, LeaseRef calldata ref, uint32 nodeId, uint64 rate, bytes32 image) external;

    /// @notice Starts or stops the lease's clock; settles before it stops. Does nothing where the lease is closed.
    function setClock(LeaseRef calldata ref, bool running) external;

    /// @notice Settles and closes. Does nothing where the lease is closed.
    function close(LeaseRef calldata ref) external;

    /// @notice Settles leases up to now. Anyone.
    function settle(LeaseRef[] calldata leases) external;

    /// @notice Pays each node's matured earnings, less the fee, to its bound wallet, or else to its own address. A day's
    /// earnings mature when the next day ends, since until then its downtime is refunded. The fee is burned. Anyone.
    function collect(uint32[] calldata nodeIds) external;

    /// @notice Pays rate × downSeconds of yesterday back to the owner of the authorization, from the node's earnings of that day,
    /// once per lease and day. Pays the available amount when that is less, at most the day at the lease's rate. Anyone.
    /// @param items Leaves of yesterday's uptime tree (ComputeNode.uptimeRootOf).
    /// @param proofs Each leaf's siblings, from the lowest.
    function refundDowntime(UptimeTree.LeaseDowntime[] calldata items, bytes32[][] calldata proofs) external;

    /// @notice The account's balance, including the unsettled debt of its running leases.
    function balanceOf(address account) external view returns (uint128);

    /// @notice The account's balance less the debt of its running leases up to now.
    function withdrawableOf(address account) external view returns (uint128);
    function isNonceUsed(address signer, uint256 nonce) external view returns (bool);

    /// @notice An authorization; its owner is zero when it does not exist. `remaining` is the rest of its total,
    /// `rateInUse` the sum of the rates of its open leases.
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
        );

    /// @notice The latest lease of a replica.
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
        );

    /// @notice A node's uncollected earnings, including held amounts and the fee.
    function earnedBy(uint32 nodeId) external view returns (uint128);

    /// @notice The amounts that `collect` would pay and burn now.
    function collectableBy(uint32 nodeId) external view returns (uint128 amount, uint128 fee);

    /// @notice Everything a node ever earned, and an account ever paid, less refunds.
    function totalEarnedBy(uint32 nodeId) external view returns (uint256);
    function totalSpentBy(address account) external view returns (uint256);
    function isRefunded(uint64 day, LeaseRef calldata ref) external view returns (bool);
    function feeBasisPoints() external view returns (uint16);
    function isOpen(LeaseRef calldata ref) external view returns (bool);

    /// @notice Reverts unless `caller` is the owner, or the delegate of an authorization of the owner valid now for the image.
    function requireSpender(uint64 authorizationId, address owner, address caller, bytes32 image) external view;

    /// @notice Whether `caller` owns the authorization, or is its delegate while it is valid, whatever its scope.
    function maySpend(uint64 authorizationId, address caller) external view returns (bool);
}
