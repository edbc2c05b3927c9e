// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IDockerTypes} from "./IDockerTypes.sol";

/// @title Images and workspaces: the part of DockerContract that partners call
interface IWorkspaces is IDockerTypes {
    /// @notice Records an image once. The chain stores who did; the rest is in the log only.
    /// @param digest The sha256 digest of the image's manifest.
    /// @param sizeBytes Its size as its owner states it.
    /// @param chunkRoot The root over its chunks; zero for none.
    /// @param ref A name for it.
    function registerImage(bytes32 digest, uint64 sizeBytes, bytes32 chunkRoot, string calldata ref) external;

    /// @notice Publishes a workspace of `owner`, called by the owner or the delegate of `authorizationId`.
    /// @param owner The owner.
    /// @param authorizationId The authorization that pays.
    /// @param replicas The number of replicas.
    /// @param spec Its terms.
    /// @param config The configuration document (JSON): image reference, command, environment, ports, health path.
    /// @return workspaceId The workspace.
    function publish(
        address owner,
        uint64 authorizationId,
        uint16 replicas,
        WorkspaceSpec calldata spec,
        string calldata config
    ) external returns (uint64 workspaceId);

    /// @notice Publishes several workspaces; a refused one does not affect the others.
    /// @param publications The workspaces.
    function publishBatch(Publication[] calldata publications) external;

    /// @notice Makes later assignments use another spec, for example with another image. Running replicas continue until they are
    /// deleted and assigned again. Policy, grace, expiry and resources stay. Owner or delegate.
    /// @param workspaceId The workspace.
    /// @param current The current spec.
    /// @param next The new spec.
    /// @param config The new configuration document.
    function updateWorkspace(
        uint64 workspaceId,
        WorkspaceSpec calldata current,
        WorkspaceSpec calldata next,
        string calldata config
    ) external;

    /// @notice Owner or delegate.
    /// @param workspaceId The workspace.
    /// @param replicas The number of replicas.
    function setReplicas(uint64 workspaceId, uint16 replicas) external;

    /// @notice Ends further assignments. Owner or delegate.
    /// @param workspaceId The workspace.
    function closeWorkspace(uint64 workspaceId) external;

    /// @notice The same once the workspace has expired. Anyone.
    /// @param workspaceId The workspace.
    /// @param spec Its spec.
    function closeExpired(uint64 workspaceId, WorkspaceSpec calldata spec) external;

    /// @notice The account that registered an image; zero when it is not registered.
    /// @param digest The digest.
    /// @return The account.
    function imageOwnerOf(bytes32 digest) external view returns (address);

    /// @notice Id of the last workspace; before the first one, the highest id that previous contracts may use.
    /// @return The id.
    function workspaceCount() external view returns (uint64);

    /// @notice The latest assignment of a replica; its lease is zero when there was none.
    /// @param workspaceId The workspace.
    /// @param replica The replica.
    /// @return The assignment.
    function assignmentOf(uint64 workspaceId, uint16 replica) external view returns (Assignment memory);

    /// @notice The owner is that of the authorization. `specHash` is the first 168 bits of keccak256(abi.encode(spec)).
    /// @param workspaceId The workspace.
    /// @return authorizationId The authorization that pays.
    /// @return replicas The number of replicas.
    /// @return state Its state.
    /// @return specHash The hash of its spec.
    function workspaceOf(uint64 workspaceId)
        external
        view
        returns (uint64 authorizationId, uint16 replicas, WorkspaceState state, bytes21 specHash);
}
