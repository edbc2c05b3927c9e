// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IComputeNode} from "../interfaces/IComputeNode.sol";
import {NodeMessages} from "../libraries/NodeMessages.sol";
import {NodeRecords} from "../libraries/NodeRecords.sol";
import {ResourceMath} from "../libraries/ResourceMath.sol";
import {NodeSpec, Resources} from "../libraries/Types.sol";
import {Operators} from "./Operators.sol";

/// @title Registration of nodes
abstract contract Registration is Operators {
    using NodeMessages for *;
    using ResourceMath for Resources;

    mapping(bytes32 gpuUuid => uint32 nodeId) private _gpuNodes;

    /// @inheritdoc IComputeNode
    function registerBatch(Registration[] calldata registrations, bytes[] calldata signatures) external pausable {
        uint256 items = _checkLengths(registrations.length, signatures.length);
        for (uint256 i; i < items; ++i) {
            _settleItem(i, _register(registrations[i], signatures[i]));
        }
    }

    function _register(Registration calldata message, bytes calldata signature)
        private
        returns (bytes memory refusal)
    {
        uint32 nodeId = _hardware[message.key].nodeId;
        if (nodeId != 0) return abi.encodeWithSelector(NodeKeyTaken.selector, message.key, nodeId);
        if (message.spec.total.gpus != message.gpuUuids.length) {
            return abi.encodeWithSelector(NodeSpecInvalid.selector);
        }
        refusal = _checkSigned(message.key, message.deadline, message.hash(), signature);
        if (refusal.length != 0) return refusal;
        uint256 rate;
        (refusal, rate) = _rateWithOneMore(message.wallet);
        if (refusal.length != 0) return refusal;
        nodeId = _nodeCount + 1;
        refusal = _claimGpus(nodeId, message.gpuUuids);
        if (refusal.length != 0) return refusal;

        _setRate(message.wallet, rate);
        _nodeCount = nodeId;
        uint88 total = message.spec.total.pack();
        _heads[nodeId] = NodeRecords.Head({key: message.key, status: NodeStatus.Online, free: total});
        _terms[nodeId] = NodeRecords.Terms({wallet: message.wallet, pricePerSecond: message.pricePerSecond});
        _setHardware(message.key, nodeId, message.spec, total, message.spec.total.gpus);
        emit NodeRegistered(
            nodeId,
            message.key,
            message.wallet,
            message.spec,
            message.pricePerSecond,
            message.gpuName,
            message.gpuUuids
        );
    }

    /// @dev Claims all GPUs for the node or none: one may belong to another node, or be listed twice.
    function _claimGpus(uint32 nodeId, bytes32[] calldata gpuUuids) private returns (bytes memory refusal) {
        for (uint256 i; i < gpuUuids.length; ++i) {
            uint32 holder = _gpuNodes[gpuUuids[i]];
            if (holder != 0) {
                for (uint256 j; j < i; ++j) {
                    delete _gpuNodes[gpuUuids[j]];
                }
                return abi.encodeWithSelector(NodeGpuTaken.selector, gpuUuids[i], holder);
            }
            _gpuNodes[gpuUuids[i]] = nodeId;
        }
    }

    function _setHardware(address key, uint32 nodeId, NodeSpec calldata spec, uint88 total, uint8 gpusRegistered)
        internal
    {
        _hardware[key] = NodeRecords.Hardware({
            nodeId: nodeId,
            total: total,
            gpuModel: spec.gpuModel,
            vramMib: spec.vramMib,
            computeCapability: spec.computeCapability,
            region: spec.region,
            gpusRegistered: gpusRegistered
        });
    }
}
