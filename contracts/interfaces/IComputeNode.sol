// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {NodeSpec, Resources} from "../libraries/Types.sol";
import {UptimeTree} from "../libraries/UptimeTree.sol";
import {IBatch} from "./IBatch.sol";
import {IDismissals} from "./IDismissals.sol";
import {IPauses} from "./IPauses.sol";

/// @title Registry of compute nodes
/// @notice Nodes hold no ETH: each act is an EIP-712 message signed by the node's key and relayed by anyone.
/// Ids are dense from 1, so that a node is one bit of a heartbeat slot.
interface IComputeNode is IBatch, IDismissals, IPauses {
    enum NodeStatus {
        None,
        Online,
        Offline,
        Maintenance
    }

    /// @notice The encoding of the bits of a heartbeat slot.
    /// @dev Bitmap: bit `nodeId - 1`, little-endian within the byte, is 1 when the node was present.
    /// Absentees: the ids of absent nodes, ascending, each as its distance from the previous one (the first from 0) in LEB128:
    /// seven bits a byte, the lowest first, the top bit set when more follow. All others up to `nodeCount` were present; a higher
    /// id is ignored.
    enum HeartbeatEncoding {
        Bitmap,
        Absentees
    }

    /// @notice Fixed at deployment; durations are seconds.
    struct Settings {
        uint64 slotSeconds;
        /// @dev The number of past slots that may be committed and corrected; at most the ring's length.
        uint64 windowSlots;
        /// @dev Length of the days that uptime roots are committed for; a multiple of a slot's.
        uint64 daySeconds;
        /// @dev The delay of a committed uptime root, in which it can be disabled.
        uint40 uptimeDelay;
        /// @dev The number of nodes that a wallet accepts in a period.
        uint32 registrationLimit;
        uint40 registrationSeconds;
        /// @dev The part of the registered nodes that a committer may leave out of a slot alone, in hundredths of a percent.
        uint16 absenceBasisPoints;
    }

    /// @notice Signed by `key`, except its consent. The key is also the node's payee until a wallet is bound.
    struct Registration {
        address key;
        /// @dev The wallet that the node asks for; zero for none. It is bound with its consent, otherwise nominated.
        address wallet;
        NodeSpec spec;
        uint64 pricePerSecond;
        string gpuName;
        /// @dev Labels: they give no right, and several nodes may name the same one.
        bytes32[] gpuUuids;
        uint64 deadline;
        /// @dev The wallet's signature of `WalletConsent(address key,address wallet,uint16 sequence)` with sequence 0, or
        /// nothing.
        bytes consent;
    }

    /// @notice Signed by the node's key.
    struct SpecUpdate {
        uint32 nodeId;
        NodeSpec spec;
        uint64 pricePerSecond;
        string gpuName;
        /// @dev Higher than that of the last accepted SpecUpdate or StatusChange of the key.
        uint24 sequence;
        uint64 deadline;
    }

    /// @notice Signed by the node's key. A node may set itself Online, Offline (leaving) and Maintenance.
    struct StatusChange {
        uint32 nodeId;
        NodeStatus status;
        /// @dev As that of a SpecUpdate.
        uint24 sequence;
        uint64 deadline;
    }

    /// @notice Signed by the currently bound wallet, which may be a contract (ERC-1271), or by the node's key while none is bound;
    /// except its consent.
    struct WalletChange {
        uint32 nodeId;
        address wallet;
        /// @dev Higher than that of the node's last accepted WalletChange or KeyChange.
        uint16 sequence;
        uint64 deadline;
        /// @dev The new wallet's signature of `WalletConsent(address key,address wallet,uint16 sequence)`, or nothing.
        bytes consent;
    }

    /// @notice Signed by the bound wallet, which may be a contract (ERC-1271); except its consent.
    struct KeyChange {
        uint32 nodeId;
        /// @dev Zero revokes the node's key.
        address key;
        /// @dev As that of a WalletChange.
        uint16 sequence;
        uint64 deadline;
        /// @dev The new key's signature of the same message; empty when the key is revoked.
        bytes consent;
    }

    /// @notice The presence of nodes 256 * index + 1 to 256 * index + 256: 32 bytes of the Bitmap of a slot.
    struct HeartbeatWord {
        uint32 index;
        bytes32 bits;
    }

    /// @notice Acknowledged heartbeats: an acknowledger signed `HeartbeatAck(uint64 slot,bytes32 root)`, and the root's tree
    /// contains the words. With all of its words it restores the slot, with one it restores a node and its neighbours.
    struct HeartbeatDispute {
        uint64 slot;
        /// @dev Each is the leaf keccak256(keccak256(abi.encode(index, bits))).
        HeartbeatWord[] words;
        /// @dev With `proofFlags`, what OpenZeppelin's MerkleProof proves several leaves with; pairs are sorted.
        bytes32[] proof;
        bool[] proofFlags;
        /// @dev 65 bytes.
        bytes signature;
    }

    /// @notice A cosigner's statement `NodeOffline(uint32 nodeId,uint64 deadline)`.
    struct OfflineStatement {
        uint32 nodeId;
        uint64 deadline;
        /// @dev 65 bytes.
        bytes signature;
    }

    /// @notice The demand of an assignment; a zero field demands nothing.
    struct Demand {
        /// @dev Packed, see ResourceMath.
        uint88 resources;
        bytes8 gpuModel;
        uint24 minVramMib;
        uint8 minComputeCapability;
        bytes2 region;
        uint64 maxPricePerSecond;
    }

    /// @param wallet The wallet that the node asks for.
    /// @param isBound Whether the wallet consented.
    event NodeRegistered(
        uint32 indexed nodeId,
        address indexed key,
        address indexed wallet,
        bool isBound,
        NodeSpec spec,
        uint64 pricePerSecond,
        string gpuName,
        bytes32[] gpuUuids
    );
    event NodeSpecUpdated(uint32 indexed nodeId, NodeSpec spec, uint64 pricePerSecond, string gpuName);
    event NodeStatusChanged(uint32 indexed nodeId, NodeStatus status);
    /// @notice The wallet is bound to the node; none when it is zero.
    event NodeWalletSet(uint32 indexed nodeId, address indexed wallet);

    /// @notice The node asks for the wallet, which has not consented.
    event NodeWalletNominated(uint32 indexed nodeId, address indexed wallet);

    /// @notice The node has another key. When it is zero, no key speaks for the node.
    event NodeKeySet(uint32 indexed nodeId, address indexed key);

    /// @notice The presence of nodes 1 to `nodeCount` in a slot. The bits are in this log only; the contract stores
    /// a hash of them in a ring of slots.
    event HeartbeatsCommitted(uint64 indexed slot, HeartbeatEncoding encoding, uint32 nodeCount, bytes bits);
    event HeartbeatCommitterSet(address indexed account, bool allowed);
    event HeartbeatAcknowledgerSet(address indexed account, bool allowed);
    event HeartbeatCosignerSet(address indexed account, bool allowed);
    event DockerAdded(address indexed docker);

    /// @param reservations The number of reservations that it has not released.
    event DockerRetired(address indexed docker, uint64 reservations);
    event MeasureSet(address indexed measure, bool allowed);

    /// @notice Nodes were acknowledged in the slot: their bits are set, whatever is committed.
    /// @param word The index of the word.
    /// @param bits The bits that no dispute had set before: see HeartbeatWord.
    event HeartbeatsDisputed(uint64 indexed slot, uint32 indexed word, bytes32 bits);

    /// @notice Measurers found the node absent: its bits from `firstSlot` to `lastSlot` are clear, whatever is committed
    /// or disputed.
    event PresenceChallenged(uint32 indexed nodeId, uint64 firstSlot, uint64 lastSlot);
    event UptimeCommitted(uint64 indexed day, bytes32 root, uint40 activeAt);
    event UptimeDisabled(uint64 indexed day, bytes32 root);
    event UptimePosterSet(address indexed account, bool allowed);

    error NodeUnknown(uint32 nodeId);
    error NodeKeyTaken(address key, uint32 nodeId);

    /// @notice The node has a wallet, or asks for none.
    error NodeNotNominating(uint32 nodeId);

    /// @notice Only a bound wallet gives a node another key.
    error NodeWalletUnbound(uint32 nodeId);

    /// @notice A later message was accepted.
    error SequenceStale(uint24 given, uint24 last);
    error NodeSpecInvalid();
    error NodeStatusInvalid(uint32 nodeId, NodeStatus from, NodeStatus to);
    error NodeCapacityExceeded(uint32 nodeId, Resources wanted, Resources free);
    error NodeNotAccepting(uint32 nodeId, NodeStatus status);

    /// @param dimension The first insufficient dimension, as ASCII.
    error NodeUnfit(uint32 nodeId, bytes32 dimension);
    error PriceAboveLimit(uint32 nodeId, uint64 price, uint64 limit);
    error HeartbeatWindowInvalid(uint64 slotSeconds, uint64 windowSlots, uint64 ringSlots);
    error HeartbeatNodesUnknown(uint32 nodeCount, uint32 registered);
    error HeartbeatSlotOutsideWindow(uint64 slot, uint64 earliest, uint64 latest);
    error HeartbeatSlotCommitted(uint64 slot);
    error HeartbeatBitsInvalid(uint256 length, uint32 nodeCount);
    error AbsenceShareInvalid(uint16 basisPoints);

    /// @notice The slot leaves out more nodes than a committer may alone.
    /// @param omitted The most nodes that it may leave out.
    error HeartbeatsUncosigned(uint256 omitted, uint32 registered);

    /// @notice The slot or the statement was not signed by a cosigner.
    error CosignerUnknown(address signer);

    /// @notice Disputes have set all of these bits, or no registered node has one.
    error HeartbeatsAlreadyDisputed(uint64 slot);

    /// @notice The proof is none for these words.
    error HeartbeatProofInvalid(uint256 words, uint256 proof, uint256 flags);

    /// @notice The words and their proof lead to no root that an acknowledger signed for the slot.
    error HeartbeatAckUnsigned(address signer);

    /// @notice The wallet has reached its limit of nodes for the current period.
    error OperatorRateExceeded(address operator, uint32 limit, uint256 nextAt);
    error RegistrationRateInvalid(uint32 limit, uint40 period);
    error UptimeDayInvalid(uint64 daySeconds, uint64 slotSeconds);
    error UptimeRootZero(uint64 day);
    error UptimeDayOpen(uint64 day, uint256 settledAt);
    error UptimeAlreadyCommitted(uint64 day, bytes32 root);
    error UptimeUnknown(uint64 day);
    error UptimeActive(uint64 day, uint40 activeAt);
    error CallerNotUptimePoster(address caller);
    error CallerNotMeasure(address caller);
    error CallerNotCommitter(address caller);

    /// @notice The account commits, acknowledges or cosigns heartbeats, and may do one of them only.
    error AccountHasOtherPower(address account);
    error CallerNotDocker(address caller);
    error DockerAlreadyAdded(address docker);
    error DockerNotReserving(address docker);
    error DockerWithoutReservations(address docker);

    /// @notice Lets `account` commit heartbeats and mark nodes offline, or stops it. Restricted. It must not sign anything else.
    /// @param account The committer.
    /// @param allowed Whether it may.
    function setHeartbeatCommitter(address account, bool allowed) external;

    /// @notice Lets `account` acknowledge heartbeats, or stops it. Restricted. It must not commit them.
    /// @param account The signer of acknowledgements.
    /// @param allowed Whether its acknowledgements count.
    function setHeartbeatAcknowledger(address account, bool allowed) external;

    /// @notice Lets `account` cosign what takes presence from many nodes, or stops it. Restricted. It must neither commit nor
    /// acknowledge heartbeats.
    /// @param account The cosigner.
    /// @param allowed Whether its signatures count.
    function setHeartbeatCosigner(address account, bool allowed) external;

    /// @notice Lets another DockerContract reserve capacity. Restricted.
    /// @param docker The DockerContract.
    function addDocker(address docker) external;

    /// @notice Permanently stops a DockerContract from reserving; it still releases its reservations. Restricted.
    /// @param docker The DockerContract.
    function retireDocker(address docker) external;

    /// @notice Lets a contract challenge presence, or stops it. Restricted.
    /// @param measure The Measure contract.
    /// @param allowed Whether it may.
    function setMeasure(address measure, bool allowed) external;

    /// @notice Lets `account` commit uptime roots, or stops it. Restricted.
    /// @param account The poster.
    /// @param allowed Whether it may.
    function setUptimePoster(address account, bool allowed) external;

    /// @notice Registers nodes; a key registers once. `gpuUuids` has as many GPUs as `spec.total.gpus`. A wallet is bound
    /// where it consents or is the caller; it accepts a limited number of nodes in a period.
    /// @param registrations The messages.
    /// @param signatures The signature of each message's key, 65 bytes.
    function registerBatch(Registration[] calldata registrations, bytes[] calldata signatures) external;

    /// @notice Changes spec and price. Reservations stay: a spec smaller than them is refused, and so are
    /// more GPUs than registered.
    /// @param updates The messages.
    /// @param signatures The signature of each node's key, 65 bytes.
    function updateSpecBatch(SpecUpdate[] calldata updates, bytes[] calldata signatures) external;

    /// @notice Changes the status of nodes, as in NodeStatuses.
    /// @param changes The messages.
    /// @param signatures The signature of each node's key, 65 bytes.
    function setStatusBatch(StatusChange[] calldata changes, bytes[] calldata signatures) external;

    /// @notice Binds nodes to other wallets that consent or call, which counts as a registration there; the zero address unbinds
    /// them. A node that has no wallet nominates one when there is no consent.
    /// @param changes The messages.
    /// @param signatures The signature of each node's bound wallet, or else of its key; empty where that wallet calls.
    function setWalletBatch(WalletChange[] calldata changes, bytes[] calldata signatures) external;

    /// @notice Replaces the keys of nodes, or revokes them: a revoked key speaks for no node. Messages of the old key no longer
    /// count; it registers no other node. Leases continue, and a node without a key is offline.
    /// @param changes The messages.
    /// @param signatures The signature of each node's bound wallet; empty where the wallet calls.
    function setKeyBatch(KeyChange[] calldata changes, bytes[] calldata signatures) external;

    /// @notice Binds nodes to the wallets that they nominated, which counts as a registration there.
    /// @param nodeIds The nodes.
    /// @param consents For each, the wallet's signature of `WalletConsent(address key,address wallet,uint16 sequence)` with the
    /// node's ownership sequence; empty where the wallet calls.
    function acceptNodes(uint32[] calldata nodeIds, bytes[] calldata consents) external;

    /// @notice Marks nodes that stopped responding Offline. Committers only, with a cosigner's statement about each.
    /// @param statements The statements; those about nodes that are not online are refused.
    function markOffline(OfflineStatement[] calldata statements) external;

    /// @notice Records a slot of all nodes in one transaction. Committers only; each slot once, in a window after it ended. It may
    /// leave out `absenceBasisPoints` of the registered nodes: those that it lists as absent, as many as `bits` has bytes, and
    /// those above `nodeCount`. A bitmap counts as leaving out all.
    /// @param slot The slot.
    /// @param encoding The encoding of `bits`.
    /// @param nodeCount The nodes that the slot is about: 1 to this number.
    /// @param bits The presence of these nodes.
    function commitHeartbeats(
        uint64 slot,
        HeartbeatEncoding encoding,
        uint32 nodeCount,
        bytes calldata bits
    ) external;

    /// @notice Records a slot that leaves out any number of nodes. Committers only, with the signature of a cosigner.
    /// @param slot The slot.
    /// @param encoding The encoding of `bits`.
    /// @param nodeCount The nodes that the slot is about: 1 to this number.
    /// @param bits The presence of these nodes.
    /// @param cosignature A cosigner's signature of `HeartbeatSlot(uint64 slot,uint8 encoding,uint32 nodeCount,bytes bits)`.
    function commitCosignedHeartbeats(
        uint64 slot,
        HeartbeatEncoding encoding,
        uint32 nodeCount,
        bytes calldata bits,
        bytes calldata cosignature
    ) external;

    /// @notice Sets bits of nodes whose heartbeats were acknowledged. Anyone, while the slot can still be committed. Measurers'
    /// challenges override them.
    /// @param disputes The acknowledged heartbeats.
    function disputeHeartbeats(HeartbeatDispute[] calldata disputes) external;

    /// @notice Permanently clears the bits of a node that measurers found absent. Measure only; slots that can no longer be
    /// committed are not changed.
    /// @param nodeId The node.
    /// @param firstSlot The first slot to clear.
    /// @param lastSlot The last slot to clear.
    /// @return isCleared Whether any slot could be changed.
    function challengePresence(uint32 nodeId, uint64 firstSlot, uint64 lastSlot) external returns (bool isCleared);

    /// @notice Commits the root over the uptime of a day (UptimeTree) once the day can no longer change. Uptime posters
    /// only; each day once, unless it is disabled.
    /// @param day The day.
    /// @param root The root over its uptime.
    function commitUptime(uint64 day, bytes32 root) external;

    /// @notice Disables a root that is not active yet. Restricted.
    /// @param day The day.
    function disableUptime(uint64 day) external;

    /// @notice Reserves capacity for an assignment. DockerContract only; reverts with the reason when the node's status,
    /// hardware, price or free capacity does not allow it.
    /// @param nodeId The node.
    /// @param demand What it must have and offer.
    /// @return pricePerSecond The node's price, in token units (1e-18) a second.
    function reserve(uint32 nodeId, Demand calldata demand) external returns (uint64 pricePerSecond);

    /// @notice Releases capacity, packed as in ResourceMath. Only a DockerContract that holds a reservation, retired or not.
    /// @param nodeId The node.
    /// @param resources What becomes free.
    function release(uint32 nodeId, uint88 resources) external;

    /// @notice All false and zero for an account that was never added; `reservations` is its current number.
    /// @param docker The account.
    /// @return mayReserve Whether it may reserve capacity.
    /// @return isRetired Whether it was retired.
    /// @return reservations The number of reservations that it holds.
    function dockerOf(address docker)
        external
        view
        returns (bool mayReserve, bool isRetired, uint64 reservations);

    /// @notice Whether an account may challenge presence.
    /// @param measure The account.
    /// @return Whether it may.
    function isMeasure(address measure) external view returns (bool);

    /// @notice Whether an account may cosign heartbeats.
    /// @param account The account.
    /// @return Whether it may.
    function isHeartbeatCosigner(address account) external view returns (bool);

    /// @notice Whether acknowledgements that the account signed count.
    /// @param account The account.
    /// @return Whether they do.
    function isHeartbeatAcknowledger(address account) external view returns (bool);

    /// @notice Whether an account may commit heartbeats.
    /// @param account The account.
    /// @return Whether it may.
    function isHeartbeatCommitter(address account) external view returns (bool);

    /// @notice The number of nodes.
    /// @return The number of registered nodes, which is the highest id.
    function nodeCount() external view returns (uint32);

    /// @notice The node that the key signs for; zero for an unknown, replaced or revoked key.
    /// @param key The key.
    /// @return The node.
    function nodeIdOf(address key) external view returns (uint32);

    /// @notice The key that signs for the node; zero for an unknown node and one whose key is revoked. Called for each signed
    /// report: its selector is among the lowest, which are compared first.
    /// @param nodeId The node.
    /// @return The key.
    function nodeKeyOf(uint32 nodeId) external view returns (address);

    /// @notice A node's status.
    /// @param nodeId The node.
    /// @return Its status; None for an unknown node.
    function statusOf(uint32 nodeId) external view returns (NodeStatus);

    /// @notice A node's declared hardware and price.
    /// @param nodeId The node.
    /// @return spec Its hardware and location.
    /// @return pricePerSecond Its price, token units (1e-18) a second.
    function specOf(uint32 nodeId) external view returns (NodeSpec memory spec, uint64 pricePerSecond);

    /// @notice A node's capacity that no assignment reserves.
    /// @param nodeId The node.
    /// @return The free capacity.
    function freeOf(uint32 nodeId) external view returns (Resources memory);

    /// @notice The bound wallet; zero while none is bound.
    /// @param nodeId The node.
    /// @return The wallet.
    function walletOf(uint32 nodeId) external view returns (address);

    /// @notice The wallet that the node asks for and that has not consented; zero when there is none.
    /// @param nodeId The node.
    /// @return The wallet.
    function nominatedWalletOf(uint32 nodeId) external view returns (address);

    /// @notice The sequences of the last accepted messages.
    /// @param nodeId The node.
    /// @return sequence Of the node's key.
    /// @return ownership Of changes of wallet and key.
    function sequencesOf(uint32 nodeId) external view returns (uint24 sequence, uint16 ownership);

    /// @notice The payee of a node: its bound wallet, or else its own address.
    /// @param nodeId The node.
    /// @return The account that it is paid to.
    function payoutOf(uint32 nodeId) external view returns (address);

    /// @notice The operator of an account: the wallet bound to its node where it is or was a node's key, else the account itself.
    /// @param account The account.
    /// @return The operator.
    function operatorOf(address account) external view returns (address);

    /// @notice The number of nodes that a wallet accepts in a period of seconds.
    /// @return limit The number of nodes.
    /// @return period Seconds.
    function registrationRate() external view returns (uint32 limit, uint40 period);

    /// @notice The corrections of a node's bit.
    /// @param slot The slot.
    /// @param nodeId The node.
    /// @return isDisputed Whether an acknowledgement set it.
    /// @return isChallenged Whether measurers cleared it.
    function correctionOf(uint64 slot, uint32 nodeId) external view returns (bool isDisputed, bool isChallenged);

    /// @notice Whether an account may commit uptime roots.
    /// @param account The account.
    /// @return Whether it may.
    function isUptimePoster(address account) external view returns (bool);

    /// @notice Length of a day in seconds; day `d` covers [d × length, (d + 1) × length).
    /// @return Seconds.
    function daySeconds() external view returns (uint64);

    /// @notice The delay of a committed root until it is active, in seconds.
    /// @return Seconds.
    function uptimeDelay() external view returns (uint40);

    /// @notice The commitment of a day, active or not; zero when there is none or it was disabled.
    /// @param day The day.
    /// @return root The committed root.
    /// @return activeAt When it becomes active, Unix seconds.
    function uptimeOf(uint64 day) external view returns (bytes32 root, uint40 activeAt);

    /// @notice The root of a day, or zero while it is not active.
    /// @param day The day.
    /// @return The root.
    function uptimeRootOf(uint64 day) external view returns (bytes32);

    /// @notice Whether an active root contains this uptime of a node.
    /// @param uptime A node's uptime of a day.
    /// @param proof The leaf's siblings, from the lowest.
    /// @return Whether it does.
    function isUptimeProven(UptimeTree.NodeUptime calldata uptime, bytes32[] calldata proof)
        external
        view
        returns (bool);

    /// @notice Length of a heartbeat slot in seconds; slot `s` covers [s × length, (s + 1) × length).
    /// @return Seconds.
    function slotSeconds() external view returns (uint64);

    /// @notice The number of past slots that a commitment may reach.
    /// @return The number of slots.
    function heartbeatWindowSlots() external view returns (uint64);

    /// @notice The part of the registered nodes that a committer may leave out of a slot alone.
    /// @return Hundredths of a percent.
    function absenceBasisPoints() external view returns (uint16);

    /// @notice First 192 bits (the rest zero) of keccak256(abi.encode(slot, encoding, nodeCount, keccak256(bits))) of the
    /// commitment of a slot that is still in the ring, or zero.
    /// @param slot The slot.
    /// @return The hash.
    function heartbeatHash(uint64 slot) external view returns (bytes32);
}
