// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {LeaseRef, Resources} from "../libraries/Types.sol";
import {IBatch} from "./IBatch.sol";
import {IPauses} from "./IPauses.sol";

/// @title Images, workspaces and their assignments to nodes
/// @notice A workspace's spec is published in an event and stored as a hash: calls that need it pass it again.
/// Each (workspace, replica) has a lease number that only grows; a report under an older lease is refused.
interface IDockerContract is IBatch, IPauses {
    /// @notice The effect of losing a node: Available may overlap for a while, Exclusive never runs twice.
    enum Policy {
        Available,
        Exclusive
    }

    /// @notice The owner's order for a workspace. Stopped: no replica is assigned or started until it is open again.
    enum WorkspaceState {
        Closed,
        Open,
        Stopped
    }

    enum AssignmentState {
        None,
        Assigned,
        Ready,
        Running,
        Stopped,
        Failed,
        Deleted,
        Released
    }

    /// @notice The order for an assignment. Run and Stop follow the state of its workspace.
    enum Desired {
        Hold,
        Run,
        Stop,
        Delete
    }

    enum ReleaseReason {
        Deleted,
        Lost,
        Unfunded,
        Expired,
        Replaced
    }

    struct WorkspaceSpec {
        /// @dev sha256 digest of the image manifest.
        bytes32 image;
        Policy policy;
        /// @dev Seconds without contact to the chain or its market after which a node must stop by itself.
        uint24 graceSeconds;
        /// @dev Highest price of one replica, token units (1e-18) a second.
        uint64 maxPricePerSecond;
        /// @dev Zero: any.
        bytes8 gpuModel;
        uint24 minVramMib;
        uint8 minComputeCapability;
        /// @dev Zero: any.
        bytes2 region;
        /// @dev The reservation of one replica.
        Resources resources;
        /// @dev Unix time after which anyone may release it; zero: never.
        uint40 expiresAt;
        /// @dev keccak256 of the configuration document that is published with the spec.
        bytes32 configHash;
    }

    /// @notice The input of `publish`.
    struct Publication {
        address owner;
        uint64 authorizationId;
        uint16 replicas;
        WorkspaceSpec spec;
        string config;
    }

    struct Assign {
        uint64 workspaceId;
        uint16 replica;
        uint32 nodeId;
        /// @dev Order the start immediately: the node starts as soon as it has the image.
        bool start;
        WorkspaceSpec spec;
    }

    /// @notice Signed by the node's key; its deadline has at most 48 bits.
    struct Report {
        uint64 workspaceId;
        uint16 replica;
        uint32 lease;
        bytes8 fence;
        AssignmentState state;
        /// @dev Running: up to 16 mapped ports, big-endian uint16 each, in the order of the spec. Failed: an ASCII reason.
        bytes32 detail;
        /// @dev Grows with each report of a lease.
        uint24 sequence;
        uint64 deadline;
    }

    /// @notice A packed Report.
    struct SignedReport {
        /// @dev All fields but its detail: see PackedReports.
        bytes32 head;
        bytes32 detail;
        /// @dev The signature of the Report, compact (ERC-2098).
        bytes32 r;
        bytes32 vs;
    }

    struct Assignment {
        uint32 nodeId;
        uint32 lease;
        bytes8 fence;
        AssignmentState state;
        Desired desired;
        uint24 sequence;
        /// @dev When an exclusive lease was marked lost; zero when it is not.
        uint40 lostAt;
    }

    event ImageRegistered(
        bytes32 indexed digest, address indexed owner, uint64 sizeBytes, bytes32 chunkRoot, string ref
    );
    event WorkspacePublished(
        uint64 indexed workspaceId,
        address indexed owner,
        bytes32 indexed image,
        uint64 authorizationId,
        uint16 replicas,
        WorkspaceSpec spec,
        string config
    );
    /// @notice Later assignments use this spec; existing ones keep the one they were made with.
    event WorkspaceUpdated(uint64 indexed workspaceId, bytes32 indexed image, WorkspaceSpec spec, string config);
    event ReplicasSet(uint64 indexed workspaceId, uint16 replicas);
    event StoppedSet(uint64 indexed workspaceId, bool stopped);
    event WorkspaceClosed(uint64 indexed workspaceId);

    /// @param fence First 8 bytes of a hash over the parent block, the spec, the workspace, the replica, the lease and
    /// the node: a lease number reissued on another fork has another fence.
    event Assigned(
        uint64 indexed workspaceId,
        uint32 indexed nodeId,
        uint16 replica,
        uint32 lease,
        bytes8 fence,
        uint64 pricePerSecond,
        bool start
    );
    event StartRequested(uint64 indexed workspaceId, uint32 indexed nodeId, uint16 replica, uint32 lease);
    event StopRequested(uint64 indexed workspaceId, uint32 indexed nodeId, uint16 replica, uint32 lease);
    event DeleteRequested(uint64 indexed workspaceId, uint32 indexed nodeId, uint16 replica, uint32 lease);
    event StateChanged(
        uint64 indexed workspaceId,
        uint32 indexed nodeId,
        uint16 replica,
        uint32 lease,
        AssignmentState state,
        uint24 sequence,
        bytes32 detail
    );

    /// @notice An exclusive lease whose node is lost; it can be released from `releasableAt` on.
    event LeaseLost(
        uint64 indexed workspaceId, uint32 indexed nodeId, uint16 replica, uint32 lease, uint40 releasableAt
    );

    /// @notice The lease has ended and its capacity is free.
    event Released(
        uint64 indexed workspaceId, uint32 indexed nodeId, uint16 replica, uint32 lease, ReleaseReason reason
    );
    event KeeperSet(address indexed account, bool allowed);

    error ImageInvalid();
    error ImageTaken(bytes32 digest, address owner);
    error WorkspaceUnknown(uint64 workspaceId);
    error WorkspaceNotOpen(uint64 workspaceId);
    error WorkspaceIsStopped(uint64 workspaceId);
    error WorkspaceNotStopped(uint64 workspaceId);
    error WorkspaceExpired(uint64 workspaceId, uint40 expiresAt);
    error WorkspaceSpecMismatch(uint64 workspaceId, bytes21 expected, bytes21 actual);
    error WorkspaceSpecInvalid();
    /// @notice Policy, grace and resources stay as published: a node that stops by the old terms must not be replaced by new ones,
    /// and the resources of its leases must follow from the spec alone.
    error WorkspaceTermsFixed(uint64 workspaceId);
    error WorkspaceConfigMismatch(bytes32 expected, bytes32 actual);
    error WorkspaceNotExpired(uint64 workspaceId, uint40 expiresAt);
    error CallerNotAuthorized(address caller, uint64 workspaceId);
    error CallerNotKeeper(address caller);
    error ReplicaOutOfRange(uint64 workspaceId, uint16 replica, uint16 replicas);
    error ReplicaAssigned(uint64 workspaceId, uint16 replica, uint32 nodeId, uint32 lease);
    error LeaseStale(uint64 workspaceId, uint16 replica, uint32 lease, uint32 current);
    error LeaseEnded(uint64 workspaceId, uint16 replica, uint32 lease);
    error FenceMismatch(bytes8 given, bytes8 current);
    error SequenceStale(uint24 given, uint24 last);
    error TransitionInvalid(AssignmentState from, AssignmentState to);
    error DesiredStateInvalid(Desired from, Desired to);
    error NotReleasable(uint64 workspaceId, uint16 replica, uint32 lease, uint40 releasableAt);

    /// @notice Lets `account` assign, order and release for any workspace within its owner's authorization, or stops it.
    /// Restricted.
    function setKeeper(address account, bool allowed) external;

    /// @notice Records an image once. The chain stores who did; the rest is in the log only.
    function registerImage(bytes32 digest, uint64 sizeBytes, bytes32 chunkRoot, string calldata ref) external;

    /// @notice Publishes a workspace of `owner`, called by the owner or the delegate of `authorizationId`.
    /// @param config The configuration document (JSON): image reference, command, environment, ports, health path.
    function publish(
        address owner,
        uint64 authorizationId,
        uint16 replicas,
        WorkspaceSpec calldata spec,
        string calldata config
    ) external returns (uint64 workspaceId);

    /// @notice Publishes several workspaces; a refused one does not affect the others.
    function publishBatch(Publication[] calldata publications) external;

    /// @notice Makes later assignments use another spec, for example with another image. Running replicas continue until they are
    /// deleted and assigned again. Policy, grace and resources stay. Owner or delegate.
    /// @param current The current spec.
    function updateWorkspace(
        uint64 workspaceId,
        WorkspaceSpec calldata current,
        WorkspaceSpec calldata next,
        string calldata config
    ) external;

    /// @notice Owner or delegate.
    function setReplicas(uint64 workspaceId, uint16 replicas) external;

    /// @notice Stops a workspace until `startWorkspace`: assignments and starts of its replicas are refused. Also orders the given
    /// leases to stop, as `requestStop` does for the others. Stopping a stopped workspace is no change. Owner or delegate.
    function stopWorkspace(uint64 workspaceId, LeaseRef[] calldata leases) external;

    /// @notice Reopens a stopped workspace and orders the given leases to start. Owner or delegate.
    function startWorkspace(uint64 workspaceId, LeaseRef[] calldata leases) external;

    /// @notice Ends further assignments. Owner or delegate.
    function closeWorkspace(uint64 workspaceId) external;

    /// @notice The same once the workspace has expired. Anyone.
    function closeExpired(uint64 workspaceId, WorkspaceSpec calldata spec) external;

    /// @notice Assigns replicas to nodes: checks the spec's hash, the node's status, hardware, free capacity and price,
    /// reserves the capacity and opens the escrow lease. Owner, delegate or keeper.
    function assign(Assign[] calldata items) external;

    /// @notice Refused while the workspace is stopped. Owner, delegate or keeper, like the next two.
    function requestStart(LeaseRef[] calldata leases) external;

    /// @notice Refused while the workspace is open.
    function requestStop(LeaseRef[] calldata leases) external;
    function requestDelete(LeaseRef[] calldata leases) external;

    /// @notice Nodes' signed reports, relayed by anyone. Deleted frees the capacity and closes the escrow lease.
    function reportBatch(SignedReport[] calldata reports) external;

    /// @notice Ends leases of lost nodes (reason Lost) and of replicas that failed (reason Replaced). Keepers only.
    /// Available: immediately. Exclusive: the first call marks the lease lost, and a call after grace and clock margin
    /// releases it; a report of the node in between clears the mark.
    function releaseLost(LeaseRef[] calldata leases, WorkspaceSpec[] calldata specs) external;

    /// @notice Ends leases whose escrow lease is closed for lack of funds, or whose workspace expired. Anyone. An unfunded
    /// exclusive lease is marked lost first and released after grace and clock margin, as by `releaseLost`.
    function releaseEnded(LeaseRef[] calldata leases, WorkspaceSpec[] calldata specs) external;

    function isKeeper(address account) external view returns (bool);

    /// @notice The account that registered an image; zero when it is not registered.
    function imageOwnerOf(bytes32 digest) external view returns (address);

    /// @notice Id of the last workspace; before the first one, the highest id that previous contracts may use.
    function workspaceCount() external view returns (uint64);

    /// @notice The owner is that of the authorization. `specHash` is the first 168 bits of keccak256(abi.encode(spec)).
    function workspaceOf(uint64 workspaceId)
        external
        view
        returns (uint64 authorizationId, uint16 replicas, WorkspaceState state, bytes21 specHash);
    function assignmentOf(uint64 workspaceId, uint16 replica) external view returns (Assignment memory);

    /// @notice The holder of a replica, for contracts that check a node's report about its lease.
    function tenancyOf(uint64 workspaceId, uint16 replica)
        external
        view
        returns (uint32 nodeId, uint32 lease, bytes8 fence, bool isLive);

    /// @notice Seconds added to an exclusive workspace's grace before its lease can be released.
    function clockMarginSeconds() external view returns (uint40);
}
