// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Resources} from "../libraries/Types.sol";
import {IBatch} from "./IBatch.sol";
import {IPauses} from "./IPauses.sol";

/// @title What both parts of DockerContract use: types, events and errors
interface IDockerTypes is IBatch, IPauses {
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
        Replaced,
        /// @dev Its replica did not run in time.
        Late,
        /// @dev Its node did not confirm in time that it was deleted.
        Silent
    }

    struct WorkspaceSpec {
        /// @dev sha256 digest of the image manifest.
        bytes32 image;
        Policy policy;
        /// @dev Seconds without contact to the chain or its market after which a node must stop by itself; at most a day.
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
        /// @dev The node's price when it was chosen: a node that has become dearer is refused.
        uint64 pricePerSecond;
        /// @dev The block whose state decided. With the next two it is logged and stored nowhere: anyone recomputes the choice from logs.
        uint64 decidedAt;
        /// @dev Earlier placements of the workspace that the block does not include: each reserves its capacity first.
        uint16 position;
        /// @dev The nodes that the choice excluded though they fit, 4 bytes each, big-endian, in ascending order.
        bytes excluded;
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

    /// @notice What limits the releases of lost leases, fixed at deployment.
    struct LossTerms {
        /// @dev The part of the live leases that the statements of one witness release in ten minutes, in hundredths of a percent,
        /// rounded up.
        uint16 basisPoints;
        /// @dev The number that they release in any case, until the contract is retired.
        uint32 floor;
        /// @dev Seconds for which a witness must not have heard of a node.
        uint32 silenceSeconds;
    }

    /// @notice A packed `Lost(uint32 nodeId,uint40 lastHeard,uint40 statedAt)`, which a witness signs: it last heard of the node at
    /// `lastHeard`, and says so at `statedAt`.
    struct SignedLoss {
        /// @dev See PackedLosses.
        bytes32 head;
        /// @dev The signature, compact (ERC-2098).
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
    /// @param pricePerSecond The node's price, at most the one that the node was chosen at.
    /// @param decidedAt The block whose state decided.
    /// @param position The number of earlier placements of the workspace that the block does not include.
    /// @param excluded The nodes that the choice excluded, 4 bytes each.
    event Assigned(
        uint64 indexed workspaceId,
        uint32 indexed nodeId,
        uint16 replica,
        uint32 lease,
        bytes8 fence,
        uint64 pricePerSecond,
        bool start,
        uint64 decidedAt,
        uint16 position,
        bytes excluded
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

    /// @notice A lease that had run was taken away: a keeper replaces it at no more than the limit until then, unless the workspace was
    /// updated since the lease was assigned.
    event PriceLimited(
        uint64 indexed workspaceId, uint16 replica, uint32 lease, uint64 pricePerSecond, uint40 until
    );
    event KeeperSet(address indexed account, bool allowed);
    event WitnessSet(address indexed account, bool allowed);

    /// @notice A keeper released leases of the node because a witness has not heard of it since `lastHeard`.
    event LossStated(uint32 indexed nodeId, address indexed witness, uint40 lastHeard, uint40 statedAt);

    /// @notice The witness had not heard of a node that was present in the slot: its statements no longer count.
    event WitnessDisproved(address indexed witness, uint32 indexed nodeId, uint64 slot, uint40 lastHeard);

    error ImageInvalid();
    error ImageTaken(bytes32 digest, address owner);
    error WorkspaceUnknown(uint64 workspaceId);
    error WorkspaceNotOpen(uint64 workspaceId);
    error WorkspaceIsStopped(uint64 workspaceId);
    error WorkspaceNotStopped(uint64 workspaceId);
    error WorkspaceExpired(uint64 workspaceId, uint40 expiresAt);
    error WorkspaceSpecMismatch(uint64 workspaceId, bytes21 expected, bytes21 actual);
    error WorkspaceSpecInvalid();
    /// @notice Policy, grace, expiry and resources stay as published: a node that stops by the old terms must not be replaced by new
    /// ones, an earlier expiry must not end an exclusive lease without its grace, and the resources of its leases must
    /// follow from the spec alone.
    error WorkspaceTermsFixed(uint64 workspaceId);
    error WorkspaceConfigMismatch(bytes32 expected, bytes32 actual);
    error WorkspaceNotExpired(uint64 workspaceId, uint40 expiresAt);
    error CallerNotAuthorized(address caller, uint64 workspaceId);
    error CallerNotKeeper(address caller);

    /// @notice Keepers and witnesses are different accounts: one alone takes no lease away.
    error AccountHasOtherPower(address account);

    /// @notice A keeper deletes a lease only when its workspace is closed, was updated since or has fewer replicas, its node is not
    /// online, its replica does not run although it is ordered to, or anyone may end it.
    error KeeperOrderUnfounded(uint64 workspaceId, uint16 replica, uint32 lease);

    /// @notice Nothing shows that the lease is lost: its replica has not failed, its node is online, no statement names the node,
    /// and its deadlines have not passed.
    error LossUnproven(uint64 workspaceId, uint16 replica, uint32 lease, uint32 nodeId);

    /// @notice The part of the live leases is above all of them, or the floor is zero.
    error LossTermsInvalid();

    /// @notice The statement was not signed by a witness.
    error LossUnsigned(uint32 nodeId, address signer);

    /// @notice The statement is older than 30 seconds, or of a later time than the block's by as much.
    error LossStale(uint32 nodeId, uint40 statedAt, uint256 time);

    /// @notice The witness heard of the node too recently, or after its statement.
    error LossTooRecent(uint32 nodeId, uint40 lastHeard, uint32 silenceSeconds);

    /// @notice The statements of the witness have released as many leases as they may in ten minutes.
    error LossLimitReached(address witness, uint256 limit, uint256 nextAt);

    /// @notice The slot is not within the stated silence: it begins and ends at least a slot from its limits.
    error SlotNotInSilence(uint64 slot, uint40 lastHeard, uint40 statedAt);

    /// @notice Neither the committed heartbeats nor a recorded acknowledgement show the node in the slot.
    error PresenceUnproven(uint64 slot, uint32 nodeId);
    error ReplicaOutOfRange(uint64 workspaceId, uint16 replica, uint16 replicas);
    error ReplicaAssigned(uint64 workspaceId, uint16 replica, uint32 nodeId, uint32 lease);
    error LeaseStale(uint64 workspaceId, uint16 replica, uint32 lease, uint32 current);
    error LeaseEnded(uint64 workspaceId, uint16 replica, uint32 lease);
    error FenceMismatch(bytes8 given, bytes8 current);
    error SequenceStale(uint24 given, uint24 last);
    error TransitionInvalid(AssignmentState from, AssignmentState to);
    error DesiredStateInvalid(Desired from, Desired to);
    error NotReleasable(uint64 workspaceId, uint16 replica, uint32 lease, uint40 releasableAt);
}
