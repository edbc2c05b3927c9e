// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IComputeNode} from "../interfaces/IComputeNode.sol";
import {NodeFit} from "../libraries/NodeFit.sol";
import {NodeRecords} from "../libraries/NodeRecords.sol";
import {ResourceMath} from "../libraries/ResourceMath.sol";
import {NodeState} from "./NodeState.sol";

/// @title What assignments take of nodes and give back
abstract contract Capacity is NodeState {
    using NodeFit for Demand;
    using ResourceMath for uint88;

    modifier onlyDocker() {
        if (msg.sender != _docker) revert CallerNotDocker(msg.sender);
        _;
    }

    /// @inheritdoc IComputeNode
    function setDocker(address docker) external restricted {
        _docker = docker;
        emit DockerSet(docker);
    }

    /// @inheritdoc IComputeNode
    function reserve(uint32 nodeId, Demand calldata demand) external onlyDocker returns (uint64 pricePerSecond) {
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
    function release(uint32 nodeId, uint88 resources) external onlyDocker {
        // DockerContract releases what it reserved, so the sum stays within the total, lane by lane.
        _heads[nodeId].free += resources;
    }
}
