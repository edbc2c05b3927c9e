// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IBatch} from "../../../contracts/interfaces/IBatch.sol";
import {IComputeNode} from "../../../contracts/interfaces/IComputeNode.sol";
import {IDockerTypes} from "../../../contracts/interfaces/IDockerTypes.sol";
import {IEscrowTypes} from "../../../contracts/interfaces/IEscrowTypes.sol";
import {IProgress} from "../../../contracts/interfaces/IProgress.sol";
import {LeaseRef, Resources} from "../../../contracts/libraries/Types.sol";
import {Signing} from "./support/Signing.sol";
import {Vm, vm} from "./support/Vm.sol";

/// @notice One item never fails a batch: valid items are accepted, and each invalid one is refused with its reason.
contract BatchesFuzz is Signing {
    uint256 private constant KEY = 0x1000;

    struct RawStatus {
        uint32 nodeId;
        uint256 status;
        uint24 sequence;
        uint64 deadline;
    }

    /// @dev A WorkspaceSpec whose policy is any word.
    struct RawSpec {
        bytes32 image;
        uint256 policy;
        uint24 graceSeconds;
        uint64 maxPricePerSecond;
        bytes8 gpuModel;
        uint24 minVramMib;
        uint8 minComputeCapability;
        bytes2 region;
        Resources resources;
        uint40 expiresAt;
        bytes32 configHash;
    }

    struct RawAssign {
        uint64 workspaceId;
        uint16 replica;
        uint32 nodeId;
        bool start;
        uint64 pricePerSecond;
        uint64 decidedAt;
        uint16 position;
        bytes excluded;
        RawSpec spec;
    }

    struct RawPublication {
        address owner;
        uint64 authorizationId;
        uint16 replicas;
        RawSpec spec;
        string config;
    }

    function setUp() external {
        IEscrowTypes.Authorization memory grant;
        (grant.owner, grant.delegate, grant.maxRate) = (vm.addr(KEY), address(this), 100);
        (grant.total, grant.expiry, grant.daily) = (1_000, type(uint40).max, type(uint96).max);
        escrow.authorize(grant, sign(KEY, digestOf(grant)));
        token.approve(address(escrow), 1_000);
        escrow.deposit(vm.addr(KEY), 1_000);
        docker.publish(vm.addr(KEY), 1, 1, _spec(), "{}");
        (IComputeNode.Registration[] memory messages, bytes[] memory signatures) = _registrations(1, KEY);
        computeNode.registerBatch(messages, signatures);
    }

    /// @notice A valid registration at any position among three arbitrary ones.
    function test_registrations(IComputeNode.Registration[3] memory junk, bytes[3] memory junkSigned, uint8 place)
        external
    {
        (IComputeNode.Registration[] memory messages, bytes[] memory signatures) = _registrations(4, KEY + 1);
        uint256 good = place % 4;
        for (uint256 i; i < 3; ++i) {
            uint256 slot = i < good ? i : i + 1;
            (messages[slot], signatures[slot]) = (junk[i], junkSigned[i]);
        }
        uint256 refused = _send(address(computeNode), abi.encodeCall(computeNode.registerBatch, (messages, signatures)));
        require(refused == 3, "each of the others is refused");
        require(computeNode.nodeIdOf(vm.addr(KEY + 1)) == 2, "the good one counts");
    }

    /// @notice Raw words in place of an enum do not revert the batch when it is decoded.
    function test_statuses(RawStatus[3] memory junk, bytes[3] memory junkSigned, uint8 place) external {
        RawStatus[] memory messages = new RawStatus[](4);
        bytes[] memory signatures = new bytes[](4);
        uint256 good = place % 4;
        for (uint256 i; i < 3; ++i) {
            uint256 slot = i < good ? i : i + 1;
            (messages[slot], signatures[slot]) = (junk[i], junkSigned[i]);
            if (i % 2 == 0) messages[slot].nodeId = 1;
        }
        messages[good] = RawStatus({nodeId: 1, status: 3, sequence: 5, deadline: LATER});
        signatures[good] = sign(
            KEY,
            digestOf(
                IComputeNode.StatusChange({
                    nodeId: 1, status: IComputeNode.NodeStatus.Maintenance, sequence: 5, deadline: LATER
                })
            )
        );
        bytes memory data =
            abi.encodePacked(computeNode.setStatusBatch.selector, abi.encode(messages, signatures));
        require(_send(address(computeNode), data) == 3, "each of the others is refused");
        require(computeNode.statusOf(1) == IComputeNode.NodeStatus.Maintenance, "the good one counts");
    }

    /// @notice Packed items are refused individually too.
    function test_reports(
        IDockerTypes.SignedReport[4] memory junk,
        IProgress.SignedProgress[4] memory junkProgress
    ) external {
        IDockerTypes.SignedReport[] memory reports = new IDockerTypes.SignedReport[](4);
        IProgress.SignedProgress[] memory steps = new IProgress.SignedProgress[](4);
        for (uint256 i; i < 4; ++i) (reports[i], steps[i]) = (junk[i], junkProgress[i]);
        require(_send(address(docker), abi.encodeCall(docker.reportBatch, (reports))) == 4);
        require(_send(address(progress), abi.encodeCall(progress.reportBatch, (steps))) == 4);
    }

    /// @notice Includes a live replica with another lease.
    function test_orders(LeaseRef[4] memory junk) external {
        IDockerTypes.Assign[] memory items = new IDockerTypes.Assign[](1);
        (items[0].workspaceId, items[0].nodeId, items[0].pricePerSecond, items[0].spec) = (1, 1, 1, _spec());
        require(_send(address(docker), abi.encodeCall(docker.assign, (items))) == 0, "the replica lives");
        (junk[0].workspaceId, junk[0].replica) = (1, 0);
        for (uint256 i; i < 4; ++i) {
            if (junk[i].lease == 1) ++junk[i].lease;
        }
        LeaseRef[] memory refs = new LeaseRef[](4);
        for (uint256 i; i < 4; ++i) refs[i] = junk[i];
        require(_send(address(docker), abi.encodeCall(docker.requestStart, (refs))) == 4);
        require(_send(address(docker), abi.encodeCall(docker.requestDelete, (refs))) == 4);
        require(_send(address(escrow), abi.encodeCall(escrow.settle, (refs))) == 4);
    }

    /// @notice A spec's policy may be an invalid value too.
    function test_assignments(RawAssign[3] memory junk) external {
        RawAssign[] memory items = new RawAssign[](3);
        for (uint256 i; i < 3; ++i) items[i] = junk[i];
        items[0].workspaceId = 1;
        require(_send(address(docker), abi.encodePacked(docker.assign.selector, abi.encode(items))) == 3);
    }

    function test_publications(RawPublication[2] memory junk, bool bare) external {
        RawPublication[] memory items = new RawPublication[](2);
        for (uint256 i; i < 2; ++i) items[i] = junk[i];
        if (bare) {
            (items[0].owner, items[0].authorizationId, items[0].replicas) = (vm.addr(KEY), 1, 1);
            (items[0].spec.configHash, items[0].spec.expiresAt) = (keccak256(bytes(items[0].config)), 0);
            items[0].spec.policy = 2 + items[0].spec.policy % 200;
        }
        require(_send(address(docker), abi.encodePacked(docker.publishBatch.selector, abi.encode(items))) == 2);
    }

    /// @notice Statements are refused individually too: only the item that needs one is.
    function test_releases(
        LeaseRef[2] memory junk,
        RawSpec[2] memory junkSpecs,
        IDockerTypes.SignedLoss[2] memory junkLosses
    ) external {
        (LeaseRef[] memory refs, RawSpec[] memory specs) = (new LeaseRef[](2), new RawSpec[](2));
        for (uint256 i; i < 2; ++i) (refs[i], specs[i]) = (junk[i], junkSpecs[i]);
        IDockerTypes.SignedLoss[] memory losses = new IDockerTypes.SignedLoss[](2);
        (losses[0], losses[1]) = (junkLosses[0], junkLosses[1]);
        bytes memory lost = abi.encode(refs, specs, losses);
        require(_send(address(docker), abi.encodePacked(docker.releaseLost.selector, lost)) == 2);
        bytes memory ended = abi.encode(refs, specs);
        require(_send(address(docker), abi.encodePacked(docker.releaseEnded.selector, ended)) == 2);
        // The live lease of node 1, on statements of strangers.
        (refs[0], losses[0].head) = (LeaseRef(1, 0, 1), bytes32(uint256(1) << 224));
        IDockerTypes.WorkspaceSpec[] memory own = new IDockerTypes.WorkspaceSpec[](1);
        LeaseRef[] memory one = new LeaseRef[](1);
        (one[0], own[0]) = (refs[0], _spec());
        require(_send(address(docker), abi.encodeCall(docker.releaseLost, (one, own, losses))) == 1, "it lives");
    }

    /// @notice Loops are limited: 512 items are accepted, one more reverts the call, and so do lists of different lengths.
    /// @param near Whether their number is near the limit.
    function test_lengths(uint16 items, uint16 others, bool near, bool same) external {
        (uint256 first, uint256 second) = (uint256(items) % 600, uint256(others) % 600);
        if (near) first = 510 + uint256(items) % 6;
        if (same) second = first;
        (bool ok, bytes memory answer) = address(computeNode).call(
            abi.encodeCall(computeNode.setStatusBatch, (new IComputeNode.StatusChange[](first), new bytes[](second)))
        );
        require(ok == (first == second && first <= 512), "a batch of another length");
        (bool packedOk,) = address(progress).call(
            abi.encodeCall(progress.reportBatch, (new IProgress.SignedProgress[](first)))
        );
        require(packedOk == (first <= 512), "a packed batch of another length");
        if (ok) return;
        bytes4 reason = first != second ? IBatch.BatchLengthMismatch.selector : IBatch.BatchTooLong.selector;
        require(bytes4(answer) == reason, "another reason");
    }

    function _spec() private pure returns (IDockerTypes.WorkspaceSpec memory spec) {
        (spec.image, spec.configHash, spec.maxPricePerSecond) = ("image", keccak256("{}"), 1);
    }

    function _send(address target, bytes memory data) private returns (uint256 refused) {
        vm.recordLogs();
        (bool ok,) = target.call(data);
        require(ok, "the batch reverted");
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i; i < logs.length; ++i) {
            if (logs[i].topics[0] == IBatch.ItemRefused.selector) ++refused;
        }
    }

    function _registrations(uint256 count, uint256 key)
        private
        view
        returns (IComputeNode.Registration[] memory messages, bytes[] memory signatures)
    {
        (messages, signatures) = (new IComputeNode.Registration[](count), new bytes[](count));
        for (uint256 i; i < count; ++i) {
            messages[i].key = vm.addr(key);
            messages[i].spec.total.cpuMilli = 1_000;
            messages[i].pricePerSecond = 1;
            messages[i].deadline = LATER;
            signatures[i] = sign(key, digestOf(messages[i]));
        }
    }
}
