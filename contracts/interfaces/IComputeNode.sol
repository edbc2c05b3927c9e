// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {NodeSpec, Resources} from "../libraries/Types.sol";
import {IBatch} from "./IBatch.sol";

/// @title Registry of compute nodes
/// @notice Nodes hold no ETH: each act is an EIP-712 message signed by the node's key and relayed by anyone.
/// Ids are dense from 1, so that a node is one bit of a heartbeat slot.
interface IComputeNode is IBatch {
    enum NodeStatus {
        None,
        Online,
        Offline,
        Maintenance
    }

    /// @notice How the bits of a heartbeat slot are written.
    /// @dev Bitmap: bit `nodeId - 1`, little-endian within the byte, is 1 when the node was present.
    /// Absentees: the ids that were absent, ascending, each as its distance from the one before (the first from 0) in LEB128:
    /// seven bits a byte, the lowest first, the top bit set where more follow. All others up to `nodeCount` were present; an id
    /// beyond it means nothing.
    enum HeartbeatEncoding {
        Bitmap,
        Absentees
    }

    /// @notice Signed by `key`. The key is the node's identity and also its wallet when `wallet` is zero.
    struct Registration {
        address key;
        address wallet;
        NodeSpec spec;
        uint64 pricePerSecond;
        string gpuName;
        bytes32[] gpuUuids;
        uint64 deadline;
    }

    /// @notice Signed by the node's key.
    struct SpecUpdate {
        uint32 nodeId;
        NodeSpec spec;
        uint64 pricePerSecond;
        string gpuName;
        uint256 nonce;
        uint64 deadline;
    }

    /// @notice Signed by the node's key. A node may say Online, Offline (leaving) and Maintenance of itself.
    struct StatusChange {
        uint32 nodeId;
        NodeStatus status;
        uint256 nonce;
        uint64 deadline;
    }

    /// @notice Signed by the wallet bound now, or by the node's key while none is bound.
    struct WalletChange {
        uint32 nodeId;
        address wallet;
        uint256 nonce;
        uint64 deadline;
    }

    /// @notice What an assignment asks of a node; zero fields ask nothing.
    struct Demand {
        /// @dev Packed, see ResourceMath.
        uint88 resources;
        bytes8 gpuModel;
        uint24 minVramMib;
        uint8 minComputeCapability;
        bytes2 region;
        uint64 maxPricePerSecond;
    }

    event NodeRegistered(
        uint32 indexed nodeId,
        address indexed key,
        address indexed wallet,
        NodeSpec spec,
        uint64 pricePerSecond,
        string gpuName,
        bytes32[] gpuUuids
    );
    event NodeSpecUpdated(uint32 indexed nodeId, NodeSpec spec, uint64 pricePerSecond, string gpuName);
    event NodeStatusChanged(uint32 indexed nodeId, NodeStatus status);
    event NodeWalletSet(uint32 indexed nodeId, address indexed wallet);

    /// @notice The presence of nodes 1 to `nodeCount` in a slot. The bits stand in this log only; the contract keeps
    /// a hash of them in a ring of slots.
    event HeartbeatsCommitted(uint64 indexed slot, HeartbeatEncoding encoding, uint32 nodeCount, bytes bits);
    event HeartbeatCommitterSet(address indexed account, bool allowed);
    event DockerSet(address indexed docker);

    error NodeUnknown(uint32 nodeId);
    error NodeKeyTaken(address key, uint32 nodeId);
    error NodeGpuTaken(bytes32 gpuUuid, uint32 nodeId);
    error NodeSpecInvalid();
    error NodeStatusInvalid(uint32 nodeId, NodeStatus from, NodeStatus to);
    error NodeCapacityExceeded(uint32 nodeId, Resources wanted, Resources free);
    error NodeNotAccepting(uint32 nodeId, NodeStatus status);

    /// @param dimension The first one that does not fit, as ASCII.
    error NodeUnfit(uint32 nodeId, bytes32 dimension);
    error PriceAboveLimit(uint32 nodeId, uint64 price, uint64 limit);
    error HeartbeatWindowInvalid(uint64 slotSeconds, uint64 windowSlots, uint64 ringSlots);
    error HeartbeatNodesUnknown(uint32 nodeCount, uint32 registered);
    error HeartbeatSlotOver(uint64 slot, uint64 earliest, uint64 latest);
    error HeartbeatSlotCommitted(uint64 slot);
    error HeartbeatBitsInvalid(uint256 length, uint32 nodeCount);
    error CallerNotCommitter(address caller);
    error CallerNotDocker(address caller);

    /// @notice Lets `account` commit heartbeats and mark nodes offline, or stops it. Restricted.
    function setHeartbeatCommitter(address account, bool allowed) external;

    /// @notice Sets the contract that may reserve and release capacity. Restricted.
    function setDocker(address docker) external;

    /// @notice Registers nodes; a key registers once. `gpuUuids` names as many GPUs as `spec.total.gpus` counts.
    function registerBatch(Registration[] calldata registrations, bytes[] calldata signatures) external;

    /// @notice Changes spec and price. What is reserved stays reserved: a spec smaller than that is refused, and so are
    /// more GPUs than registered.
    function updateSpecBatch(SpecUpdate[] calldata updates, bytes[] calldata signatures) external;

    function setStatusBatch(StatusChange[] calldata changes, bytes[] calldata signatures) external;

    function setWalletBatch(WalletChange[] calldata changes, bytes[] calldata signatures) external;

    /// @notice Marks nodes that stopped answering Offline. Committers only.
    function markOffline(uint32[] calldata nodeIds) external;

    /// @notice Records a whole slot in one transaction. Committers only; each slot once, in a window after it ended.
    function commitHeartbeats(
        uint64 slot,
        HeartbeatEncoding encoding,
        uint32 nodeCount,
        bytes calldata bits
    ) external;

    /// @notice Takes capacity for an assignment. DockerContract only; reverts with the reason when the node's status,
    /// hardware, price or free capacity does not allow it.
    /// @return pricePerSecond The node's price, in token units (1e-18) a second.
    function reserve(uint32 nodeId, Demand calldata demand) external returns (uint64 pricePerSecond);

    /// @notice Gives capacity back, packed as in ResourceMath. DockerContract only.
    function release(uint32 nodeId, uint88 resources) external;

    function isHeartbeatCommitter(address account) external view returns (bool);
    function isNonceUsed(address signer, uint256 nonce) external view returns (bool);
    function nodeCount() external view returns (uint32);
    function nodeIdOf(address key) external view returns (uint32);
    function keyOf(uint32 nodeId) external view returns (address);
    function statusOf(uint32 nodeId) external view returns (NodeStatus);
    function specOf(uint32 nodeId) external view returns (NodeSpec memory spec, uint64 pricePerSecond);
    function freeOf(uint32 nodeId) external view returns (Resources memory);
    function walletOf(uint32 nodeId) external view returns (address);

    /// @notice Where money for a node goes: its bound wallet, or else its own address.
    function payoutOf(uint32 nodeId) external view returns (address);

    /// @notice Length of a heartbeat slot in seconds; slot `s` covers [s × length, (s + 1) × length).
    function slotSeconds() external view returns (uint64);

    /// @notice How many slots back a commitment may reach.
    function heartbeatWindowSlots() external view returns (uint64);

    /// @notice First 192 bits (the rest zero) of keccak256(abi.encode(slot, encoding, nodeCount, keccak256(bits))) of what
    /// was committed for a slot that is still in the ring, or zero.
    function heartbeatHash(uint64 slot) external view returns (bytes32);
}
