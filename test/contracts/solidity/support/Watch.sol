// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IBatch} from "../../../../contracts/interfaces/IBatch.sol";
import {IDockerTypes} from "../../../../contracts/interfaces/IDockerTypes.sol";
import {IEscrowTypes} from "../../../../contracts/interfaces/IEscrowTypes.sol";
import {LeaseBooks} from "./LeaseBooks.sol";
import {Vm, vm} from "./Vm.sol";

/// @notice Compares every replica before and after each act with its own table, and keeps its own accounts.
abstract contract Watch is LeaseBooks {
    enum Act {
        Other,
        Assign,
        Order,
        Report,
        Release
    }

    uint64 public constant WORKSPACES = 3;
    uint16 public constant REPLICAS = 2;

    // Rows: from Assigned, Ready, Running, Stopped, Failed; columns: to Ready, Running, Stopped, Failed, Deleted.
    // r: only while Run is ordered; d: only while Delete is ordered.
    bytes private constant MAY_REPORT = "yryyd" "yryyd" "-ryyd" "yryyd" "yryyd";

    /// @notice The first error; empty while there is none.
    string public leaseFault;
    string public transitionFault;
    string public signatureFault;
    string public stopFault;
    string public moneyFault;
    string public priceFault;

    /// @notice Accounts derived from events and the acts themselves.
    uint256 public deposited;
    uint256 public withdrawn;
    uint256 public collected;
    mapping(uint64 authorizationId => uint256) public spentBy;
    mapping(uint64 authorizationId => uint256) public signedFor;

    /// @notice The number of effective acts of each kind: a suite without effects proves nothing.
    mapping(Act kind => uint256) public done;

    IDockerTypes.Assignment[6] private _before;
    /// @dev The highest price of the next lease of a replica whose lease was taken away, and until when.
    uint256[6] private _limitedUntil;
    uint256[6] private _priceLimit;
    /// @dev By the act itself: how long the limit holds; zero unless it was lost, replaced or late.
    uint256[6] private _limitSeconds;
    bool[6] private _hadRun;
    uint256 internal refusals;

    modifier watched(Act kind) {
        for (uint256 i; i < 6; ++i) {
            _before[i] = docker.assignmentOf(uint64(i / 2 + 1), uint16(i % 2));
            (,,,,,, IEscrowTypes.Clock clock) = escrow.leaseOf(uint64(i / 2 + 1), uint16(i % 2));
            _hadRun[i] = clock != IEscrowTypes.Clock.New;
        }
        vm.recordLogs();
        _;
        _readLogs(vm.getRecordedLogs());
        for (uint256 i; i < 6; ++i) {
            uint64 workspaceId = uint64(i / 2 + 1);
            IDockerTypes.Assignment memory held = docker.assignmentOf(workspaceId, uint16(i % 2));
            _compareStops(workspaceId, _before[i], held);
            _comparePrices(i, _before[i], held);
            _compare(kind, _before[i], held);
        }
    }

    function _compareStops(
        uint64 workspaceId,
        IDockerTypes.Assignment memory was,
        IDockerTypes.Assignment memory now_
    ) private {
        (,, IDockerTypes.WorkspaceState state,) = docker.workspaceOf(workspaceId);
        bool isStopped = state == IDockerTypes.WorkspaceState.Stopped;
        if (isStopped && now_.lease != was.lease) stopFault = "a stopped workspace got a lease";
        if (now_.lease != was.lease || now_.desired == was.desired) return;
        if (isStopped && now_.desired == IDockerTypes.Desired.Run) stopFault = "a stopped workspace was started";
        if (!isStopped && now_.desired == IDockerTypes.Desired.Stop) stopFault = "an open workspace was stopped";
    }

    /// @dev Only this contract, a keeper, assigns.
    function _comparePrices(
        uint256 i,
        IDockerTypes.Assignment memory was,
        IDockerTypes.Assignment memory now_
    ) private {
        (,,, uint64 rate,,,) = escrow.leaseOf(uint64(i / 2 + 1), uint16(i % 2));
        bool isLimited = block.timestamp < _limitedUntil[i];
        if (now_.lease != was.lease) {
            if (isLimited && rate > _priceLimit[i]) priceFault = "a lease that was taken away was replaced at more";
            return;
        }
        if (now_.state == was.state || now_.state != IDockerTypes.AssignmentState.Released) return;
        if (_limitSeconds[i] == 0 || !_hadRun[i] || was.desired == IDockerTypes.Desired.Delete) return;
        uint256 limit = uint256(rate) + rate / 10;
        _priceLimit[i] = isLimited && _priceLimit[i] < limit ? _priceLimit[i] : limit;
        uint256 until = block.timestamp + _limitSeconds[i];
        if (until > _limitedUntil[i]) _limitedUntil[i] = until;
    }

    function _compare(Act kind, IDockerTypes.Assignment memory was, IDockerTypes.Assignment memory now_) private {
        if (now_.lease != was.lease) return _compareLeases(kind, was, now_);
        if (now_.fence != was.fence || now_.nodeId != was.nodeId) leaseFault = "a lease moved to another node or fence";
        if (now_.sequence < was.sequence) leaseFault = "a sequence fell";
        if (now_.sequence != was.sequence && kind != Act.Report) leaseFault = "a sequence rose without a report";
        if (now_.desired != was.desired) {
            if (kind != Act.Order) transitionFault = "an order without a request";
            if (was.desired == IDockerTypes.Desired.Delete) transitionFault = "an order after delete";
            if (now_.desired == IDockerTypes.Desired.Hold) transitionFault = "back to hold";
            if (was.desired == IDockerTypes.Desired.Hold && now_.desired == IDockerTypes.Desired.Stop) {
                transitionFault = "stopped what never ran";
            }
            ++done[kind];
        }
        if (now_.state == was.state) return;
        if (kind == Act.Report) {
            if (!_mayReport(was, now_.state)) transitionFault = "a report of an illegal state";
        } else if (kind != Act.Release || !_isLive(was.state) || now_.state != IDockerTypes.AssignmentState.Released) {
            transitionFault = "a state changed by something else";
        }
        ++done[kind];
    }

    function _compareLeases(Act kind, IDockerTypes.Assignment memory was, IDockerTypes.Assignment memory now_)
        private
    {
        if (now_.lease != was.lease + 1) leaseFault = "a lease did not rise by one";
        if (kind != Act.Assign) leaseFault = "a lease began without an assignment";
        if (_isLive(was.state)) transitionFault = "a live replica was assigned again";
        if (now_.state != IDockerTypes.AssignmentState.Assigned) transitionFault = "a lease began in another state";
        if (now_.sequence != 0 || now_.lostAt != 0) leaseFault = "a lease began with the past of another";
        ++done[kind];
    }

    function _mayReport(IDockerTypes.Assignment memory was, IDockerTypes.AssignmentState to)
        private
        pure
        returns (bool)
    {
        if (!_isLive(was.state) || uint8(to) < 2 || uint8(to) > 6) return false;
        bytes1 rule = MAY_REPORT[(uint8(was.state) - 1) * 5 + uint8(to) - 2];
        if (rule == "r") return was.desired == IDockerTypes.Desired.Run;
        if (rule == "d") return was.desired == IDockerTypes.Desired.Delete;
        return rule == "y";
    }

    function _isLive(IDockerTypes.AssignmentState state) internal pure returns (bool) {
        return uint8(state) >= 1 && uint8(state) <= 5;
    }

    function _readLogs(Vm.Log[] memory logs) private {
        refusals = 0;
        delete _limitSeconds;
        for (uint256 i; i < logs.length; ++i) {
            if (logs[i].topics[0] == IBatch.ItemRefused.selector) ++refusals;
            bool isSpending = logs[i].topics[0] == IEscrowTypes.Settled.selector
                || logs[i].topics[0] == IEscrowTypes.WaitCharged.selector;
            if (isSpending) _bookSpent(logs[i]);
            if (logs[i].topics[0] == IDockerTypes.Released.selector) _noteRelease(logs[i]);
            _bookLease(logs[i]);
        }
    }

    function _noteRelease(Vm.Log memory log) private {
        (uint16 replica,, IDockerTypes.ReleaseReason reason) =
            abi.decode(log.data, (uint16, uint32, IDockerTypes.ReleaseReason));
        uint256 limitSeconds;
        if (reason == IDockerTypes.ReleaseReason.Lost) limitSeconds = 1 days;
        if (reason == IDockerTypes.ReleaseReason.Replaced || reason == IDockerTypes.ReleaseReason.Late) {
            limitSeconds = 1 hours;
        }
        _limitSeconds[(uint256(log.topics[1]) - 1) * 2 + replica] = limitSeconds;
    }

    /// @dev What was paid or burned comes after replica and lease.
    function _bookSpent(Vm.Log memory log) private {
        (uint16 replica,, uint128 amount) = abi.decode(log.data, (uint16, uint32, uint128));
        (, uint64 authorizationId,,,,,) = escrow.leaseOf(uint64(uint256(log.topics[1])), replica);
        spentBy[authorizationId] += amount;
        if (spentBy[authorizationId] > signedFor[authorizationId]) moneyFault = "an authorization moved more than signed for";
    }
}
