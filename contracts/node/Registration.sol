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
    using NodeRecords for *;
    using ResourceMath for Resources;

    /// @inheritdoc IComputeNode
    function registerBatch(Registration[] calldata registrations, bytes[] calldata signatures) external pausable {
        uint256 items = _checkLengths(registrations.length, signatures.length);
        uint32 count = _nodeCount;
        for (uint256 i; i < items; ++i) {
            bytes memory refusal = _register(registrations[i], signatures[i], count + 1);
            if (refusal.length == 0) ++count;
            else emit ItemRefused(i, refusal);
        }
        _nodeCount = count;
    }

    /// @param nodeId The id of the node, if it is accepted.
    function _register(Registration calldata message, bytes calldata signature, uint32 nodeId)
        private
        returns (bytes memory refusal)
    {
        uint32 taken = _hardware[message.key].nodeId;
        if (taken != 0) return abi.encodeWithSelector(NodeKeyTaken.selector, message.key, taken);
        if (message.spec.total.gpus != message.gpuUuids.length) {
            return abi.encodeWithSelector(NodeSpecInvalid.selector);
        }
        refusal = _checkSigned(message.key, message.deadline, message.hash(), signature);
        if (refusal.length != 0) return refusal;
        address wallet = message.wallet;
        bool isBound = wallet != address(0) && (message.consent.length != 0 || msg.sender == wallet);
        if (isBound) refusal = _join(message.key, wallet, 0, message.consent);
        if (refusal.length != 0) return refusal;

        uint88 total = message.spec.total.pack();
        _heads[nodeId].set(message.key, NodeStatus.Online, total);
        _terms[nodeId].set(wallet, message.pricePerSecond, 0, isBound);
        _setHardware(message.key, nodeId, message.spec, total, message.spec.total.gpus, 0);
        emit NodeRegistered(
            nodeId,
            message.key,
            wallet,
            isBound,
            message.spec,
            message.pricePerSecond,
            message.gpuName,
            message.gpuUuids
        );
    }

    function _setHardware(
        address key,
        uint32 nodeId,
        NodeSpec calldata spec,
        uint88 total,
        uint8 gpusRegistered,
        uint16 ownership
    ) internal {
        _hardware[key].set(nodeId, total, spec, gpusRegistered, ownership);
    }
}
