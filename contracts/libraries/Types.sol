// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice The resources of a node or a replica, 88 bits in all.
struct Resources {
    /// @dev Whole GPUs.
    uint8 gpus;
    /// @dev Thousandths of a CPU core.
    uint24 cpuMilli;
    /// @dev Memory in MiB.
    uint24 memoryMib;
    /// @dev Disk in GiB.
    uint16 diskGib;
    /// @dev Ports that can be mapped from the outside.
    uint16 ports;
}

/// @notice The hardware of a node, as its key declares it; measurement proves or refutes it.
struct NodeSpec {
    /// @dev First 8 bytes of keccak256 of the GPU's name as its driver prints it; zero when there is none.
    bytes8 gpuModel;
    /// @dev Memory of one GPU in MiB.
    uint24 vramMib;
    /// @dev CUDA compute capability times ten: 90 is 9.0.
    uint8 computeCapability;
    /// @dev Two ASCII letters, ISO 3166-1 alpha-2; zero when unknown.
    bytes2 region;
    /// @dev Everything that can be reserved.
    Resources total;
}

/// @notice One replica's tenancy of a node: the number only grows for a (workspace, replica).
struct LeaseRef {
    uint64 workspaceId;
    uint16 replica;
    uint32 lease;
}
