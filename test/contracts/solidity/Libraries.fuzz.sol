// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IComputeNode} from "../../../contracts/interfaces/IComputeNode.sol";
import {IDockerTypes} from "../../../contracts/interfaces/IDockerTypes.sol";
import {IMeasure} from "../../../contracts/interfaces/IMeasure.sol";
import {IProgress} from "../../../contracts/interfaces/IProgress.sol";
import {Accounts} from "../../../contracts/libraries/Accounts.sol";
import {Assignments} from "../../../contracts/libraries/Assignments.sol";
import {HeartbeatBits} from "../../../contracts/libraries/HeartbeatBits.sol";
import {HeartbeatRing} from "../../../contracts/libraries/HeartbeatRing.sol";
import {HeartbeatWords} from "../../../contracts/libraries/HeartbeatWords.sol";
import {LeaseHeads} from "../../../contracts/libraries/LeaseHeads.sol";
import {Leases} from "../../../contracts/libraries/Leases.sol";
import {Measurements} from "../../../contracts/libraries/Measurements.sol";
import {PackedLosses} from "../../../contracts/libraries/PackedLosses.sol";
import {PackedProgress} from "../../../contracts/libraries/PackedProgress.sol";
import {PackedReports} from "../../../contracts/libraries/PackedReports.sol";
import {ProgressLanes} from "../../../contracts/libraries/ProgressLanes.sol";
import {ResourceMath} from "../../../contracts/libraries/ResourceMath.sol";
import {LeaseRef, Resources} from "../../../contracts/libraries/Types.sol";

/// @notice Packed values unpack unchanged, whatever they are.
contract LibrariesFuzz {
    using Accounts for Accounts.Account;
    using HeartbeatRing for HeartbeatRing.Ring;
    using ProgressLanes for *;

    Accounts.Account private _account;
    HeartbeatRing.Ring private _ring;
    mapping(uint256 => ProgressLanes.Lanes) private _lanes;

    function pack(Resources calldata amount) external pure returns (uint88) {
        return ResourceMath.pack(amount);
    }

    function packMeasurement(IMeasure.Measurement calldata result) external pure returns (uint184) {
        return Measurements.pack(result);
    }

    function test_resourcesComeBack(Resources calldata amount) external view {
        require(_same(ResourceMath.unpack(this.pack(amount)), amount));
    }

    /// @notice Lane by lane, equal lanes included; a covered difference borrows from no other lane.
    /// @param equal A bit for each lane that is made equal, since two are hardly equal by chance.
    function test_resourcesCoverLaneByLane(Resources calldata a, Resources memory b, uint8 equal) external view {
        if (equal & 1 != 0) b.gpus = a.gpus;
        if (equal & 2 != 0) b.cpuMilli = a.cpuMilli;
        if (equal & 4 != 0) b.memoryMib = a.memoryMib;
        if (equal & 8 != 0) b.diskGib = a.diskGib;
        if (equal & 16 != 0) b.ports = a.ports;
        bool covers = a.gpus >= b.gpus && a.cpuMilli >= b.cpuMilli && a.memoryMib >= b.memoryMib
            && a.diskGib >= b.diskGib && a.ports >= b.ports;
        (uint88 packedA, uint88 packedB) = (this.pack(a), this.pack(b));
        require(ResourceMath.covers(packedA, packedB) == covers);
        if (!covers) return;
        Resources memory rest = ResourceMath.unpack(packedA - packedB);
        require(rest.gpus == a.gpus - b.gpus && rest.cpuMilli == a.cpuMilli - b.cpuMilli);
        require(rest.memoryMib == a.memoryMib - b.memoryMib && rest.diskGib == a.diskGib - b.diskGib);
        require(rest.ports == a.ports - b.ports);
    }

    function test_assignmentsComeBack(uint64 fence, uint32 nodeId, uint32 lease, uint88 resources, uint24 sequence, uint8 version, uint8 states)
        external
        pure
    {
        Assignments.Assignment memory assignment = Assignments.Assignment({
            fence: bytes8(fence),
            nodeId: nodeId,
            lease: lease,
            resources: resources,
            sequence: sequence,
            version: version,
            state: IDockerTypes.AssignmentState(states % 8),
            desired: IDockerTypes.Desired((states / 8) % 4)
        });
        uint256 packed = Assignments.pack(assignment);
        require(keccak256(abi.encode(Assignments.unpack(packed))) == keccak256(abi.encode(assignment)));
    }

    function test_lossesComeBack(uint32 nodeId, uint40 lastHeard, uint40 statedAt, uint144 rest) external pure {
        bytes32 head = bytes32(abi.encodePacked(nodeId, lastHeard, statedAt, rest));
        require(PackedLosses.nodeId(head) == nodeId && PackedLosses.lastHeard(head) == lastHeard);
        require(PackedLosses.statedAt(head) == statedAt);
        bytes32 bare = bytes32(abi.encodePacked(nodeId, lastHeard, statedAt));
        require(PackedLosses.hash(head) == PackedLosses.hash(bare), "the rest is signed");
    }

    /// @notice Both encodings of one set of nodes say the same of each, and nothing of a node beyond them.
    function test_presenceIsRead(uint256 present, uint8 count) external view {
        uint32 nodeCount = uint32(count) + 1;
        bytes memory bitmap = new bytes((uint256(nodeCount) + 7) / 8);
        bytes memory absent;
        uint256 last;
        for (uint256 id = 1; id <= nodeCount; ++id) {
            if (present >> (id - 1) & 1 == 1) {
                bitmap[(id - 1) / 8] |= bytes1(uint8(1 << ((id - 1) % 8)));
                continue;
            }
            uint256 distance = id - last;
            last = id;
            absent = distance < 128
                ? abi.encodePacked(absent, uint8(distance))
                : abi.encodePacked(absent, uint8(distance & 0x7f | 0x80), uint8(distance >> 7));
        }
        for (uint32 id; id <= nodeCount + 1; ++id) {
            bool expected = id > 0 && id <= nodeCount && present >> (id - 1) & 1 == 1;
            require(this.isPresent(bitmap, IComputeNode.HeartbeatEncoding.Bitmap, nodeCount, id) == expected);
            require(this.isPresent(absent, IComputeNode.HeartbeatEncoding.Absentees, nodeCount, id) == expected);
        }
    }

    function isPresent(
        bytes calldata bits,
        IComputeNode.HeartbeatEncoding encoding,
        uint32 nodeCount,
        uint32 nodeId
    ) external pure returns (bool) {
        return HeartbeatBits.has(bits, encoding, nodeCount, nodeId);
    }

    function test_measurementsComeBack(IMeasure.Measurement calldata result) external view {
        IMeasure.Measurement memory back = Measurements.unpack(this.packMeasurement(result));
        require(keccak256(abi.encode(back)) == keccak256(abi.encode(result)));
    }

    /// @notice The median is one of the values, with at least half on each side of it.
    function test_medianIsInTheMiddle(uint32[5] memory values, uint8 count) external pure {
        uint256 length = uint256(count) % 5 + 1;
        uint184[] memory results = new uint184[](length);
        for (uint256 i; i < length; ++i) results[i] = uint184(values[i]) << 144;
        uint32 median = uint32(Measurements.median(results) >> 144);
        (uint256 below, uint256 above, uint256 same) = (0, 0, 0);
        for (uint256 i; i < length; ++i) {
            if (values[i] < median) ++below;
            else if (values[i] > median) ++above;
            else ++same;
        }
        require(same > 0 && below <= (length - 1) / 2 && above <= length / 2);
    }

    /// @notice A round ends only with what enough results say, and then with no figure that one of them alone could set.
    function test_roundsEndWithWhatEnoughResultsSay(uint8[8] memory kinds, uint8 count, uint8 more) external pure {
        uint256 length = uint256(count) % 8 + 1;
        uint256 needed = length / 2 + 1 + uint256(more) % (length - length / 2);
        uint256[3] memory said;
        uint184[] memory results = new uint184[](length);
        for (uint256 i; i < length; ++i) {
            uint256 kind = kinds[i] % 3;
            ++said[kind];
            results[i] = kind == 0 ? uint184(1) << 176 : uint184(i + 1) << 144 | uint184(kind - 1) << 64;
        }
        (bool isAgreed, uint184 verdict) = Measurements.agreed(results, needed);
        require(isAgreed == (said[0] >= needed || said[1] >= needed || said[2] >= needed));
        if (!isAgreed) return;
        require(Measurements.isAbsent(verdict) == (said[0] >= needed));
        require((uint16(verdict >> 64) != 0) == (said[2] >= needed));
    }

    /// @notice Packed messages are hashed as they were signed, whatever the adjacent fields are.
    function test_packedReportsAreHashedAsSigned(
        LeaseRef calldata ref,
        bytes8 fence,
        uint8 state,
        bytes32 detail,
        uint24 sequence,
        uint48 deadline
    ) external pure {
        bytes32 head = bytes32(
            abi.encodePacked(ref.workspaceId, ref.replica, ref.lease, fence, state, sequence, deadline)
        );
        bytes32 typeHash = keccak256(
            "Report(uint64 workspaceId,uint16 replica,uint32 lease,bytes8 fence,uint8 state,bytes32 detail,"
            "uint24 sequence,uint64 deadline)"
        );
        bytes memory signed = abi.encode(typeHash, ref, fence, state, detail, sequence, deadline);
        require(PackedReports.hash(head, detail) == keccak256(signed));
        require(LeaseHeads.replicaKey(head) == Leases.keyOf(ref.workspaceId, ref.replica));
        require(LeaseHeads.lease(head) == ref.lease && LeaseHeads.fence(head) == fence);
        require(PackedReports.state(head) == state && PackedReports.sequence(head) == sequence);
        require(PackedReports.deadline(head) == deadline);
    }

    function test_packedProgressIsHashedAsSigned(LeaseRef calldata ref, bytes8 fence, uint8 milestone, uint64 deadline)
        external
        pure
    {
        bytes32 head = bytes32(
            abi.encodePacked(ref.workspaceId, ref.replica, ref.lease, fence, uint16(milestone), deadline)
        );
        bytes32 typeHash = keccak256(
            "ProgressReport(uint64 workspaceId,uint16 replica,uint32 lease,bytes8 fence,uint8 milestone,uint64 deadline)"
        );
        require(PackedProgress.hash(head) == keccak256(abi.encode(typeHash, ref, fence, milestone, deadline)));
        require(PackedProgress.milestone(head) == milestone && PackedProgress.deadline(head) == deadline);
    }

    /// @notice Includes neighbours, which share a word.
    function test_lanesKeepToThemselves(uint64 a, uint64 b, uint16 replica, uint32 lease, uint8 milestone, bool near)
        external
    {
        if (near) b = a ^ (1 + b % 7);
        if (a == b) return;
        _lanes.lanesOf(a, replica).write(a, 7, IProgress.Milestone.Verified);
        _lanes.lanesOf(b, replica).write(b, lease, IProgress.Milestone(milestone % 5));
        (uint32 leaseA, IProgress.Milestone milestoneA) = _lanes.lanesOf(a, replica).read(a);
        (uint32 leaseB, IProgress.Milestone milestoneB) = _lanes.lanesOf(b, replica).read(b);
        require(leaseA == 7 && milestoneA == IProgress.Milestone.Verified);
        require(leaseB == lease && uint8(milestoneB) == milestone % 5);
    }

    /// @notice Includes slots that share an entry. The largest number is that of an entry without a slot.
    function test_ringTellsItsSlots(uint64 slot, bytes32 digest, uint64 other, bool shared) external {
        if (shared) other = slot ^ uint64(256 << (other % 56));
        if (slot == type(uint64).max) return;
        _ring.fill();
        require(_ring.digestOf(slot) == 0, "nothing yet");
        require(_ring.record(slot, digest), "new");
        require(_ring.digestOf(slot) == (digest >> 64) << 64, "its hash");
        require(!_ring.record(slot, ~digest), "recorded once");
        require(_ring.digestOf(slot) == (digest >> 64) << 64, "still its hash");
        if (other != slot) require(_ring.digestOf(other) == 0, "another");
    }

    /// @notice A node's bit of a word is where the slot's bitmap has it, and a word has the bits of registered nodes alone.
    function test_wordsHoldTheirNodes(uint32 nodeId, uint16 more, uint8 word) external pure {
        if (nodeId == 0) return;
        (uint32 index, uint256 bit) = HeartbeatWords.placeOf(nodeId);
        uint256 place = uint256(nodeId) - 1;
        require(index == place / 256, "its word");
        require(bit == 1 << (8 * (31 - place % 256 / 8) + place % 8), "its bit");
        uint32 registered = uint32(word) * 256 + more % 513;
        uint256 mask = HeartbeatWords.maskOf(word, registered);
        for (uint32 id = uint32(word) * 256 + 1; id <= uint32(word) * 256 + 256; ++id) {
            (, uint256 own) = HeartbeatWords.placeOf(id);
            require((mask & own != 0) == (id <= registered), "registered nodes");
        }
    }

    /// @notice The debt of an account's two leases is their sum, to the unit, also after a settlement of one.
    function test_debtsAddUp(uint64 rateA, uint64 rateB, uint32 since, uint32 between, uint32 later) external {
        uint40 start = uint40(since);
        uint40 middle = start + between;
        uint40 end = middle + later;
        _account.run(rateA, start);
        _account.run(rateB, middle);
        require(_account.owed(end) == uint256(rateA) * (end - start) + uint256(rateB) * (end - middle));
        _account.advance(rateA, start, middle);
        require(_account.owed(end) == (uint256(rateA) + rateB) * (end - middle));
        _account.rest(rateA, middle);
        require(_account.owed(end) == uint256(rateB) * (end - middle));
    }

    function _same(Resources memory a, Resources memory b) private pure returns (bool) {
        return keccak256(abi.encode(a)) == keccak256(abi.encode(b));
    }
}
