// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IComputeNode} from "../interfaces/IComputeNode.sol";
import {NodeFit} from "../libraries/NodeFit.sol";
import {NodeRecords} from "../libraries/NodeRecords.sol";
import {ResourceMath} from "../libraries/ResourceMath.sol";
import {NodeState} from "./NodeState.sol";

/// @title Reserving and releasing the capacity of nodes
/// @notice Several DockerContracts may coexist: one in use, and the previous ones. A retired one reserves nothing more and
/// releases its reservations.
abstract contract Capacity is NodeState {
    using NodeFit for Demand;
    using ResourceMath for uint88;

    // | - 176 | reservations 64 | isRetired 8 | mayReserve 8 |
    struct Docker {
        bool mayReserve;
        bool isRetired;
        /// @dev Its reservations. The count shares the permission's slot, so counting writes one slot that is read anyway.
        uint64 reservations;
    }

    mapping(address docker => Docker) private _dockers;

    /// @inheritdoc IComputeNode
    function addDocker(address docker) external restricted {
        Docker storage added = _dockers[docker];
        if (added.mayReserve || added.isRetired) revert DockerAlreadyAdded(docker);
        added.mayReserve = true;
        emit DockerAdded(docker);
    }

    /// @inheritdoc IComputeNode
    function retireDocker(address docker) external restricted {
        Docker storage retired = _dockers[docker];
        if (!retired.mayReserve) revert DockerNotReserving(docker);
        (retired.mayReserve, retired.isRetired) = (false, true);
        emit DockerRetired(docker, retired.reservations);
    }

    /// @inheritdoc IComputeNode
    function reserve(uint32 nodeId, Demand calldata demand) external returns (uint64 pricePerSecond) {
        Docker storage docker = _dockers[msg.sender];
        if (!docker.mayReserve) revert CallerNotDocker(msg.sender);
        docker.reservations += 1;
        NodeRecords.Head memory head = _heads[nodeId];
        if (head.status != NodeStatus.Online) revert NodeNotAccepting(nodeId, head.status);
        bytes32 dimension = demand.misfit(_hardware[head.key]);
        if (dimension != 0) revert NodeUnfit(nodeId, dimension);
        pricePerSecond = _terms[nodeId].pricePerSecond;
        if (pricePerSecond > demand.maxPricePerSecond) {
            revert PriceAboveLimit(nodeId, pricePerSecond, demand.maxPricePerSecond);
        }
        if (!head.free.covers(demand.resources)) {
            revert NodeCapacityExceeded(nodeId, demand.resources.unpack(), head.free.unpack());
        }
        _heads[nodeId].free = head.free - demand.resources;
    }

    /// @inheritdoc IComputeNode
    function release(uint32 nodeId, uint88 resources) external {
        Docker storage docker = _dockers[msg.sender];
        uint64 reservations = docker.reservations;
        if (reservations == 0) {
            if (docker.mayReserve || docker.isRetired) revert DockerWithoutReservations(msg.sender);
            revert CallerNotDocker(msg.sender);
        }
        // Compared above.
        unchecked {
            docker.reservations = reservations - 1;
        }
        // A DockerContract releases what it reserved, so the sum stays within the total, lane by lane.
        _heads[nodeId].free += resources;
    }

    /// @inheritdoc IComputeNode
    function dockerOf(address docker)
        external
        view
        returns (bool mayReserve, bool isRetired, uint64 reservations)
    {
        Docker storage known = _dockers[docker];
        return (known.mayReserve, known.isRetired, known.reservations);
    }
}
