// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IComputeNode} from "../interfaces/IComputeNode.sol";
import {IDismissals} from "../interfaces/IDismissals.sol";
import {UptimeTree} from "../libraries/UptimeTree.sol";
import {Heartbeats} from "./Heartbeats.sol";

/// @title One root per day over every node's proven uptime
abstract contract Uptime is Heartbeats {
    using UptimeTree for UptimeTree.NodeUptime;
    using UptimeTree for bytes32;

    // | root 256 |
    // | - 216 | activeAt 40 |
    struct Day {
        bytes32 root;
        uint40 activeAt;
    }

    uint64 private immutable _daySeconds;
    uint40 private immutable _uptimeDelay;

    mapping(uint64 day => Day) private _days;
    mapping(address account => bool) private _posters;

    constructor(uint64 daySeconds_, uint40 uptimeDelay_) {
        if (daySeconds_ == 0 || daySeconds_ % slotSeconds() != 0) revert UptimeDayInvalid(daySeconds_, slotSeconds());
        _daySeconds = daySeconds_;
        _uptimeDelay = uptimeDelay_;
    }

    /// @inheritdoc IComputeNode
    function setUptimePoster(address account, bool allowed) external restricted {
        _posters[account] = allowed;
        emit UptimePosterSet(account, allowed);
    }

    /// @inheritdoc IDismissals
    /// @dev Here, since this part knows the posters.
    function dismiss(address account) external restricted {
        Power power = _powers[account];
        if (power != Power.None) _setPower(account, power, false);
        if (_posters[account]) {
            _posters[account] = false;
            emit UptimePosterSet(account, false);
        }
    }

    /// @inheritdoc IComputeNode
    function commitUptime(uint64 day, bytes32 root) external pausable {
        if (!_posters[msg.sender]) revert CallerNotUptimePoster(msg.sender);
        if (root == 0) revert UptimeRootZero(day);
        // Day numbers above 2^64 have not ended; the sum stays far below 256 bits.
        uint256 settledAt =
            (uint256(day) + 1) * _daySeconds + uint256(heartbeatWindowSlots()) * slotSeconds();
        if (block.timestamp < settledAt) revert UptimeDayOpen(day, settledAt);
        if (_days[day].root != 0) revert UptimeAlreadyCommitted(day, _days[day].root);
        uint40 activeAt = uint40(block.timestamp) + _uptimeDelay;
        _days[day] = Day({root: root, activeAt: activeAt});
        emit UptimeCommitted(day, root, activeAt);
    }

    /// @inheritdoc IComputeNode
    function disableUptime(uint64 day) external restricted {
        Day memory committed = _days[day];
        if (committed.root == 0) revert UptimeUnknown(day);
        if (block.timestamp >= committed.activeAt) revert UptimeActive(day, committed.activeAt);
        delete _days[day];
        emit UptimeDisabled(day, committed.root);
    }

    /// @inheritdoc IComputeNode
    function isUptimePoster(address account) external view returns (bool) {
        return _posters[account];
    }

    /// @inheritdoc IComputeNode
    function daySeconds() external view returns (uint64) {
        return _daySeconds;
    }

    /// @inheritdoc IComputeNode
    function uptimeDelay() external view returns (uint40) {
        return _uptimeDelay;
    }

    /// @inheritdoc IComputeNode
    function uptimeOf(uint64 day) external view returns (bytes32 root, uint40 activeAt) {
        return (_days[day].root, _days[day].activeAt);
    }

    /// @inheritdoc IComputeNode
    function uptimeRootOf(uint64 day) external view returns (bytes32) {
        return _activeRootOf(day);
    }

    /// @inheritdoc IComputeNode
    function isUptimeProven(UptimeTree.NodeUptime calldata uptime, bytes32[] calldata proof)
        external
        view
        returns (bool)
    {
        return uptime.leafOf().isUnder(_activeRootOf(uptime.day), proof);
    }

    function _activeRootOf(uint64 day) private view returns (bytes32) {
        Day storage committed = _days[day];
        return block.timestamp >= committed.activeAt ? committed.root : bytes32(0);
    }
}
