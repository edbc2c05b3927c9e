// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IComputeNode} from "../interfaces/IComputeNode.sol";
import {NodeMessages} from "../libraries/NodeMessages.sol";
import {NodeRecords} from "../libraries/NodeRecords.sol";
import {ResourceMath} from "../libraries/ResourceMath.sol";
import {Resources} from "../libraries/Types.sol";
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
        (address key, address wallet) = (message.key, message.wallet);
        NodeRecords.Hardware storage hardware = _hardware[key];
        uint32 taken = hardware.nodeId;
        if (taken != 0) return abi.encodeWithSelector(NodeKeyTaken.selector, key, taken);
        uint88 total = message.spec.total.pack();
        uint8 gpus = uint8(total >> 80);
        if (gpus != message.gpuUuids.length) return abi.encodeWithSelector(NodeSpecInvalid.selector);
        refusal = _checkSigned(key, message.deadline, message.hash(), signature);
        if (refusal.length != 0) return refusal;
        bytes calldata consent = message.consent;
        bool isBound = wallet != address(0) && (consent.length != 0 || msg.sender == wallet);
        if (isBound) refusal = _join(key, wallet, 0, consent);
        if (refusal.length != 0) return refusal;

        _heads[nodeId].set(key, NodeStatus.Online, total);
        _terms[nodeId].set(wallet, message.pricePerSecond, 0, isBound);
        hardware.set(nodeId, total, message.spec, gpus, 0);
        _logRegistered(nodeId, key, wallet, isBound, message);
    }

    /// @dev Logs NodeRegistered from memory that is not kept. The spec and the price are ten neighbouring words of the message, and
    /// of the log; what is stored of them was checked to fit its types.
    function _logRegistered(
        uint32 nodeId,
        address key,
        address wallet,
        bool isBound,
        Registration calldata message
    ) private {
        bytes32 topic = NodeRegistered.selector;
        (string calldata name, bytes32[] calldata uuids) = (message.gpuName, message.gpuUuids);
        assembly ("memory-safe") {
            let data := mload(0x40)
            mstore(data, isBound)
            calldatacopy(add(data, 0x20), add(message, 0x40), 0x140)
            // The name begins after these 13 words, and the UUIDs after the name's whole words.
            let padded := and(add(name.length, 0x1f), not(0x1f))
            mstore(add(data, 0x160), 0x1a0)
            mstore(add(data, 0x180), add(0x1c0, padded))
            mstore(add(data, 0x1a0), name.length)
            let end := add(data, 0x1c0)
            calldatacopy(end, name.offset, name.length)
            mstore(add(end, name.length), 0)
            end := add(end, padded)
            mstore(end, uuids.length)
            calldatacopy(add(end, 0x20), uuids.offset, shl(5, uuids.length))
            end := add(end, add(0x20, shl(5, uuids.length)))
            log4(data, sub(end, data), topic, nodeId, key, wallet)
        }
    }
}
