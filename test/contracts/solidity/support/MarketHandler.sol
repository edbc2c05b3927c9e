// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IDockerTypes} from "../../../../contracts/interfaces/IDockerTypes.sol";
import {LeaseRef} from "../../../../contracts/libraries/Types.sol";
import {LeaseEnds} from "./LeaseEnds.sol";
import {ThiefActs} from "./ThiefActs.sol";
import {vm} from "./Vm.sol";

/// @notice The possible acts in the market, by a few actors. No act may revert, since every batch refuses item by item.
contract MarketHandler is LeaseEnds, ThiefActs {
    bool private _started;
    /// @notice Accepted stops of workspaces.
    uint256 public stops;

    /// @notice Creates three nodes, two partners and their workspaces; called once, by the suite.
    function start() external {
        if (_started) return;
        _started = true;
        for (uint256 i; i < 3; ++i) this.register(i, uint256(keccak256(abi.encode("node", i))));
        for (uint256 i; i < OWNERS; ++i) {
            this.deposit(i, 1_500_000);
            this.authorize(i, 500, 1_000_000, 30 days);
        }
        for (uint64 i = 1; i <= WORKSPACES; ++i) _publish(i);
    }

    function pass(uint256 time) external {
        vm.warp(block.timestamp + 1 + time % 2 hours);
        vm.roll(block.number + 1);
    }

    /// @notice Sometimes as long as earnings are held.
    function leap(uint256 seed) external {
        if (mixed(seed) % 2 == 0) vm.warp(block.timestamp + 2 * DAY_SECONDS);
    }

    /// @notice The regular course of a replica: assigned, then running. By chance alone few reach it.
    function serve(uint256 seed) external {
        seed = mixed(seed);
        (uint64 workspaceId, uint16 replica) = (uint64(seed % WORKSPACES + 1), uint16((seed >> 8) % REPLICAS));
        if (!_isLive(docker.assignmentOf(workspaceId, replica).state)) {
            _assignOne(workspaceId, replica, uint32((seed >> 16) % 3 + 1));
        }
        _reportTruly(workspaceId, replica, IDockerTypes.AssignmentState.Running);
    }

    /// @notice The regular end of a replica: stopped, or deleted as ordered.
    function finish(uint256 seed) external {
        seed = mixed(seed);
        LeaseRef memory ref = LeaseRef(uint64(seed % WORKSPACES + 1), uint16((seed >> 8) % REPLICAS), 0);
        ref.lease = docker.assignmentOf(ref.workspaceId, ref.replica).lease;
        bool isStopped = (seed >> 16) % 3 == 0;
        if (!isStopped) _deleteOne(ref);
        _reportTruly(
            ref.workspaceId,
            ref.replica,
            isStopped ? IDockerTypes.AssignmentState.Stopped : IDockerTypes.AssignmentState.Deleted
        );
    }

    /// @notice Two replicas in one call, one of them possibly already assigned, under a spec that may be another's.
    function assign(uint256 seed) external watched(Act.Assign) {
        seed = mixed(seed);
        IDockerTypes.Assign[] memory items = new IDockerTypes.Assign[](2);
        for (uint256 i; i < 2; ++i) {
            uint64 workspaceId = uint64((seed >> (8 * i)) % (WORKSPACES + 1) + 1);
            items[i] = IDockerTypes.Assign({
                workspaceId: workspaceId,
                replica: uint16((seed >> (8 * i + 3)) % (REPLICAS + 1)),
                nodeId: uint32((seed >> (8 * i + 5)) % ((seed >> 60) % 8 == 0 ? 5 : 3) + 1),
                start: (seed >> (i + 40)) % 3 != 0,
                pricePerSecond: 20,
                decidedAt: uint64(block.number),
                position: 0,
                excluded: "",
                spec: specOf[(seed >> (i + 50)) % 16 == 0 ? workspaceId % WORKSPACES + 1 : workspaceId]
            });
        }
        docker.assign(items);
    }

    /// @notice By a keeper, the delegate or a stranger, under the current lease or another.
    function order(uint256 seed, uint8 caller) external watched(Act.Order) {
        seed = mixed(seed);
        LeaseRef[] memory refs = new LeaseRef[](1);
        refs[0] = _refOf(seed);
        if (caller % 4 == 1) vm.prank(delegate());
        if (caller % 4 == 2) vm.prank(STRANGER);
        uint256 desired = (seed >> 32) % 3;
        if (desired == 0) docker.requestStart(refs);
        else if (desired == 1) docker.requestStop(refs);
        else docker.requestDelete(refs);
    }

    /// @notice Stops or starts a workspace with one of its replicas, by its delegate. Refused once that is revoked.
    function stopOrStart(uint256 seed) external watched(Act.Order) {
        seed = mixed(seed);
        LeaseRef[] memory refs = new LeaseRef[](1);
        refs[0] = _refOf(seed);
        uint64 workspaceId = uint64(seed % WORKSPACES + 1);
        vm.prank(delegate());
        if ((seed >> 40) % 3 == 0) try docker.stopWorkspace(workspaceId, refs) { ++stops; } catch {}
        else try docker.startWorkspace(workspaceId, refs) {} catch {}
    }

    /// @notice Two reports of any state; every second one may have a wrong key, lease or sequence.
    function report(uint256 seed) external watched(Act.Report) {
        seed = mixed(seed);
        IDockerTypes.SignedReport[] memory reports = new IDockerTypes.SignedReport[](2);
        // Of different workspaces, so that each replica changes once per act.
        for (uint256 i; i < 2; ++i) {
            reports[i] = _reportOf(uint64((seed % WORKSPACES + i) % WORKSPACES + 1), seed >> (64 * i));
        }
        docker.reportBatch(reports);
        if (refusals == 0) _remember(address(docker), abi.encodeCall(docker.reportBatch, (reports)));
    }

    /// @notice A thief with the keeper's key, and every second time with the witness's too, takes a lease away and moves it.
    function steal(uint256 seed) external {
        seed = mixed(seed);
        LeaseRef memory ref = _refOf(seed);
        if (ref.lease == 0) return;
        IDockerTypes.SignedLoss[] memory losses = _statementsOf(ref, (seed >> 50) % 2 == 0 ? WITNESS_KEY : 0x57a);
        if ((seed >> 51) % 3 == 0) _deleteAsKeeper(ref);
        else _releaseAsKeeper(ref, specOf[ref.workspaceId], losses, (seed >> 50) % 2 == 0);
        _assignOne(ref.workspaceId, ref.replica, uint32((seed >> 16) % 3 + 1));
    }

    function releaseLost(uint256 seed) external watched(Act.Release) {
        seed = mixed(seed);
        (LeaseRef[] memory refs, IDockerTypes.WorkspaceSpec[] memory specs) = _releaseOf(seed);
        docker.releaseLost(refs, specs, _statementsOf(refs[0], WITNESS_KEY));
    }

    function releaseEnded(uint256 seed) external watched(Act.Release) {
        seed = mixed(seed);
        (LeaseRef[] memory refs, IDockerTypes.WorkspaceSpec[] memory specs) = _releaseOf(seed);
        _endAsStranger(refs, specs);
    }

    /// @notice A squatter takes capacity, stops at once and withdraws what it can. A stranger ends the lease when its time is over.
    function squat(uint256 seed) external {
        seed = mixed(seed);
        (uint64 workspaceId, uint16 replica) = (uint64(seed % WORKSPACES + 1), uint16((seed >> 8) % REPLICAS));
        if (!_isLive(docker.assignmentOf(workspaceId, replica).state)) {
            _assignOne(workspaceId, replica, uint32((seed >> 16) % 3 + 1));
        }
        if ((seed >> 24) % 2 == 0) _reportTruly(workspaceId, replica, IDockerTypes.AssignmentState.Running);
        this.stopOrStart((uint256(replica) << 8) | (workspaceId - 1));
        address owner = ownerOf(workspaceId);
        this.withdraw(workspaceId, escrow.withdrawableOf(owner));
        if ((seed >> 32) % 2 == 0) vm.warp(block.timestamp + (seed >> 40) % 7_200);
        this.releaseEnded(seed);
    }

    function _assignOne(uint64 workspaceId, uint16 replica, uint32 nodeId) private watched(Act.Assign) {
        IDockerTypes.Assign[] memory items = new IDockerTypes.Assign[](1);
        items[0] = IDockerTypes.Assign(workspaceId, replica, nodeId, true, 20, 0, 0, "", specOf[workspaceId]);
        docker.assign(items);
    }

    function _deleteOne(LeaseRef memory ref) private watched(Act.Order) {
        LeaseRef[] memory refs = new LeaseRef[](1);
        refs[0] = ref;
        vm.prank(delegate());
        docker.requestDelete(refs);
    }

    function _reportTruly(uint64 workspaceId, uint16 replica, IDockerTypes.AssignmentState state)
        private
        watched(Act.Report)
    {
        IDockerTypes.Assignment memory held = docker.assignmentOf(workspaceId, replica);
        IDockerTypes.Report memory message;
        (message.workspaceId, message.replica, message.lease) = (workspaceId, replica, held.lease);
        (message.fence, message.state) = (held.fence, state);
        (message.sequence, message.deadline) = (held.sequence + 1, LATER);
        IDockerTypes.SignedReport[] memory reports = new IDockerTypes.SignedReport[](1);
        reports[0] = pack(message, sign(_keyOfNode(held.nodeId), digestOf(message)));
        docker.reportBatch(reports);
    }

    /// @dev A statement about the lease's node.
    function _statementsOf(LeaseRef memory ref, uint256 key)
        private
        view
        returns (IDockerTypes.SignedLoss[] memory losses)
    {
        losses = new IDockerTypes.SignedLoss[](1);
        uint32 nodeId = docker.assignmentOf(ref.workspaceId, ref.replica).nodeId;
        losses[0] = stateLoss(key, nodeId, uint40(block.timestamp) - 60);
    }

    function _releaseOf(uint256 seed)
        private
        view
        returns (LeaseRef[] memory refs, IDockerTypes.WorkspaceSpec[] memory specs)
    {
        (refs, specs) = (new LeaseRef[](1), new IDockerTypes.WorkspaceSpec[](1));
        refs[0] = _refOf(seed);
        specs[0] = specOf[refs[0].workspaceId];
    }

    function _reportOf(uint64 workspaceId, uint256 seed)
        private
        returns (IDockerTypes.SignedReport memory signed)
    {
        IDockerTypes.Report memory message;
        message.workspaceId = workspaceId;
        message.replica = uint16((seed >> 8) % REPLICAS);
        IDockerTypes.Assignment memory current = docker.assignmentOf(workspaceId, message.replica);
        bool isTrue = (seed >> 60) % 2 == 0;
        message.lease = isTrue || (seed >> 16) % 8 != 0 || current.lease == 0 ? current.lease : current.lease - 1;
        message.fence = !isTrue && (seed >> 20) % 16 == 0 ? bytes8(uint64(seed)) : current.fence;
        message.state = IDockerTypes.AssignmentState((seed >> 40) % 8 == 0 ? (seed >> 24) % 8 : (seed >> 24) % 5 + 2);
        message.detail = bytes32(seed);
        message.sequence = uint24(current.sequence + (isTrue ? 1 : (seed >> 28) % 3));
        message.deadline = !isTrue && (seed >> 32) % 16 == 0 ? uint64(block.timestamp) - 1 : LATER;
        uint256 key = !isTrue && (seed >> 36) % 8 == 0 ? nodeKeyOf(seed) : _keyOfNode(current.nodeId);
        signed = pack(message, sign(key, digestOf(message)));
        if (key != _keyOfNode(current.nodeId)) _expectIgnored(message, signed);
    }

    function _refOf(uint256 seed) private view returns (LeaseRef memory ref) {
        ref.workspaceId = uint64(seed % WORKSPACES + 1);
        ref.replica = uint16((seed >> 8) % REPLICAS);
        ref.lease = docker.assignmentOf(ref.workspaceId, ref.replica).lease;
        if ((seed >> 12) % 8 == 0 && ref.lease > 0) ref.lease -= 1;
    }

    /// @dev A report that its node did not sign changes nothing, alone and before the batch.
    function _expectIgnored(
        IDockerTypes.Report memory message,
        IDockerTypes.SignedReport memory signed
    ) private {
        IDockerTypes.SignedReport[] memory reports = new IDockerTypes.SignedReport[](1);
        reports[0] = signed;
        bytes32 was = keccak256(abi.encode(docker.assignmentOf(message.workspaceId, message.replica)));
        docker.reportBatch(reports);
        if (keccak256(abi.encode(docker.assignmentOf(message.workspaceId, message.replica))) != was) {
            signatureFault = "a report counted that the node had not signed";
        }
    }
}
