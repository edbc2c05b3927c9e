// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IComputeNode} from "../../../../contracts/interfaces/IComputeNode.sol";
import {IDockerTypes} from "../../../../contracts/interfaces/IDockerTypes.sol";
import {LeaseRef} from "../../../../contracts/libraries/Types.sol";
import {Generations} from "./Generations.sol";
import {vm} from "./Vm.sol";

/// @notice Acts on nodes and on the leases of either generation, and the emptying of a retired one.
abstract contract GenerationLeases is Generations {
    /// @notice The first error; empty while there is none.
    string public retiredFault;

    /// @notice Live leases at the replacement of their contracts, and how often a retired contract released some.
    uint64 public carried;
    uint256 public emptied;
    uint256[2] public assigned;

    uint24 private _sequence;

    /// @notice Two replicas of a generation in one call, one of them possibly already assigned.
    function assign(uint256 seed) external {
        seed = mixed(seed);
        uint256 generation = _pick(seed);
        uint256 before = _leasesOf(generation);
        (,, uint64 reserved) = computeNode.dockerOf(address(docker));
        IDockerTypes.Assign[] memory items = new IDockerTypes.Assign[](2);
        for (uint256 i; i < 2; ++i) {
            uint64 number = uint64((seed >> (8 * i + 1)) % WORKSPACES + 1);
            items[i] = IDockerTypes.Assign({
                workspaceId: workspaceOf(generation, number),
                replica: uint16((seed >> (8 * i + 3)) % REPLICAS),
                nodeId: uint32((seed >> (8 * i + 5)) % NODES + 1),
                start: (seed >> (i + 40)) % 4 != 0,
                pricePerSecond: 20,
                decidedAt: 0,
                position: 0,
                excluded: "",
                spec: _workspaceSpec(number)
            });
        }
        // A paused entry reverts.
        try docker.assign(items) {} catch {}
        uint256 rose = _leasesOf(generation) - before;
        assigned[generation] += rose;
        if (generation == 1 || !isRetired) return;
        (,, uint64 reserves) = computeNode.dockerOf(address(docker));
        if (rose != 0 || reserves > reserved) retiredFault = "a retired contract reserved";
    }

    function order(uint256 seed) external {
        seed = mixed(seed);
        LeaseRef[] memory refs = new LeaseRef[](1);
        (refs[0],) = _heldBy(_pick(seed), seed);
        uint64 workspaceId = refs[0].workspaceId;
        uint256 desired = (seed >> 32) % 4;
        if (desired == 0) docker.requestStart(refs);
        else if (desired == 1) try docker.stopWorkspace(workspaceId, refs) {} catch {}
        else if (desired == 2) try docker.startWorkspace(workspaceId, refs) {} catch {}
        else docker.requestDelete(refs);
    }

    /// @notice Any reportable state, mostly Running.
    function report(uint256 seed) external {
        seed = mixed(seed);
        (LeaseRef memory ref, IDockerTypes.Assignment memory held) = _heldBy(_pick(seed), seed);
        _report(ref, held, (seed >> 50) % 2 == 0 ? 3 : (seed >> 24) % 5 + 2);
    }

    function release(uint256 seed) external {
        seed = mixed(seed);
        LeaseRef[] memory refs = new LeaseRef[](1);
        (refs[0],) = _heldBy(_pick(seed), seed);
        IDockerTypes.WorkspaceSpec[] memory specs = new IDockerTypes.WorkspaceSpec[](1);
        specs[0] = _workspaceSpec(refs[0].workspaceId % WIDE_IDS);
        if ((seed >> 40) % 2 == 0) docker.releaseLost(refs, specs, new IDockerTypes.SignedLoss[](0));
        else docker.releaseEnded(refs, specs);
    }

    /// @notice A node offers more or less; never less than its reservations.
    function updateSpec(uint256 seed) external {
        seed = mixed(seed);
        IComputeNode.SpecUpdate[] memory messages = new IComputeNode.SpecUpdate[](1);
        bytes[] memory signatures = new bytes[](1);
        messages[0].nodeId = uint32((seed >> 100) % NODES + 1);
        messages[0].spec = _specOf(seed);
        messages[0].pricePerSecond = uint64(seed % 17);
        (messages[0].sequence, messages[0].deadline) = (++_sequence, LATER);
        signatures[0] = sign(0x1000 + messages[0].nodeId - 1, digestOf(messages[0]));
        _relay(address(computeNode), abi.encodeCall(computeNode.updateSpecBatch, (messages, signatures)));
    }

    /// @notice Ends everything in a retired contract: it releases all capacity and returns its owners' deposits.
    function emptyRetired() external {
        if (!isRetired) return;
        use(0);
        (,, uint64 before) = computeNode.dockerOf(address(docker));
        for (uint256 i; i < WORKSPACES * REPLICAS; ++i) _end(i << 8);
        (,, uint64 reservations) = computeNode.dockerOf(address(docker));
        if (reservations != 0) retiredFault = "a retired contract kept a reservation";
        if (before != 0) ++emptied;
        for (uint256 i; i < OWNERS; ++i) {
            uint128 balance = escrow.balanceOf(ownerOf(i));
            if (balance == 0) continue;
            vm.prank(ownerOf(i));
            try escrow.withdraw(balance, ownerOf(i)) {}
            catch {
                retiredFault = "a retired escrow kept a deposit";
            }
        }
    }

    function _end(uint256 seed) private {
        LeaseRef[] memory refs = new LeaseRef[](1);
        IDockerTypes.Assignment memory held;
        (refs[0], held) = _heldBy(0, seed);
        if (!isLive(held)) return;
        docker.requestDelete(refs);
        _report(refs[0], held, uint256(IDockerTypes.AssignmentState.Deleted));
    }

    function isLive(IDockerTypes.Assignment memory held) public pure returns (bool) {
        return uint8(held.state) >= 1 && uint8(held.state) <= 5;
    }

    function _isInUse() internal override returns (bool) {
        (,, carried) = computeNode.dockerOf(address(docker));
        return carried != 0;
    }

    function _heldBy(uint256 generation, uint256 seed)
        internal
        view
        returns (LeaseRef memory ref, IDockerTypes.Assignment memory held)
    {
        ref.workspaceId = workspaceOf(generation, uint64((seed >> 9) % WORKSPACES + 1));
        ref.replica = uint16((seed >> 8) % REPLICAS);
        held = docker.assignmentOf(ref.workspaceId, ref.replica);
        ref.lease = held.lease;
    }

    function _report(LeaseRef memory ref, IDockerTypes.Assignment memory held, uint256 state) private {
        if (held.nodeId == 0) return;
        IDockerTypes.SignedReport[] memory reports = new IDockerTypes.SignedReport[](1);
        reports[0] = _signedReport(ref, held, state);
        docker.reportBatch(reports);
    }

    function _signedReport(LeaseRef memory ref, IDockerTypes.Assignment memory held, uint256 state)
        private
        view
        returns (IDockerTypes.SignedReport memory)
    {
        IDockerTypes.Report memory message;
        (message.workspaceId, message.replica, message.lease) = (ref.workspaceId, ref.replica, ref.lease);
        (message.fence, message.state) = (held.fence, IDockerTypes.AssignmentState(state));
        (message.sequence, message.deadline) = (held.sequence + 1, LATER);
        return pack(message, sign(0x1000 + held.nodeId - 1, digestOf(message)));
    }

    function _leasesOf(uint256 generation) private view returns (uint256 sum) {
        for (uint256 i; i < WORKSPACES * REPLICAS; ++i) {
            (LeaseRef memory ref,) = _heldBy(generation, i << 8);
            sum += ref.lease;
        }
    }
}
