// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IDismissals} from "../interfaces/IDismissals.sol";
import {IPowers} from "../interfaces/IPowers.sol";
import {Assignments} from "../libraries/Assignments.sol";
import {Leases} from "../libraries/Leases.sol";
import {DockerState} from "./DockerState.sol";

/// @title Keepers and witnesses
abstract contract Powers is IPowers, DockerState {
    using Assignments for Assignments.LostMark;

    /// @inheritdoc IPowers
    function setKeeper(address account, bool allowed) external restricted {
        if (allowed && _witnesses[account].allowed) revert AccountHasOtherPower(account);
        _keepers[account] = allowed;
        emit KeeperSet(account, allowed);
    }

    /// @inheritdoc IPowers
    function setWitness(address account, bool allowed) external restricted {
        if (allowed && _keepers[account]) revert AccountHasOtherPower(account);
        _witnesses[account].allowed = allowed;
        emit WitnessSet(account, allowed);
    }

    /// @inheritdoc IDismissals
    function dismiss(address account) external restricted {
        if (_keepers[account]) {
            _keepers[account] = false;
            emit KeeperSet(account, false);
        }
        if (_witnesses[account].allowed) {
            _witnesses[account].allowed = false;
            emit WitnessSet(account, false);
        }
    }

    /// @inheritdoc IPowers
    function isKeeper(address account) external view returns (bool) {
        return _keepers[account];
    }

    /// @inheritdoc IPowers
    function priceLimitOf(uint64 workspaceId, uint16 replica) external view returns (uint64 limit, uint40 until) {
        uint256 key = Leases.keyOf(workspaceId, replica);
        Assignments.LostMark memory mark = _lostMarks[key];
        if (!mark.isLimited(_workspaces[workspaceId].version)) return (type(uint64).max, 0);
        return (mark.priceLimit, mark.limitedUntil);
    }

    /// @inheritdoc IPowers
    function witnessOf(address account) external view returns (bool allowed, uint40 windowAt, uint32 released) {
        Witness storage witness = _witnesses[account];
        return (witness.allowed, witness.windowAt, witness.released);
    }
}
