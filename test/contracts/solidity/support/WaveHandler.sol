// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IProofWaves} from "../../../../contracts/interfaces/IProofWaves.sol";
import {vm} from "./Vm.sol";

/// @notice Waves with four measurers of which some sign for each other, post early, late and twice, and reveal what they did
/// not commit to. It is the market that ProofWaves asks for keys.
contract WaveHandler {
    uint256 private constant FILL = 4;
    uint256 private constant CHASE = 4;
    uint256 private constant WORK = 4;
    uint256 private constant COMMIT = 5;
    uint256 private constant REVEAL = 5;

    struct Posted {
        uint8 stages;
        bytes32 root;
        bool isRevealed;
    }

    IProofWaves public waves;
    uint32 public last;
    uint256 public reveals;
    uint256 public refusals;
    string public fault;

    mapping(uint32 waveId => uint256 fillBlock) private _fills;
    mapping(uint32 waveId => mapping(uint32 measurerId => Posted)) private _posted;

    constructor() {
        vm.roll(1_000);
        bytes memory settings = abi.encode(1, 1, FILL, CHASE, WORK, COMMIT, REVEAL, 0);
        bytes memory code = abi.encodePacked(
            vm.getCode("ProofWaves.sol:ProofWaves"), abi.encode(address(this), address(this), address(this)), settings
        );
        address deployed;
        assembly ("memory-safe") {
            deployed := create(0, add(code, 0x20), mload(code))
        }
        require(deployed != address(0), "ProofWaves was not deployed");
        waves = IProofWaves(deployed);
    }

    /// @notice Asked by ProofWaves: measurers 1 to 4 exist, and 4 is not admitted.
    function measurerOf(uint32 measurerId) external pure returns (address key, address wallet, bytes2 region, bool) {
        if (measurerId == 0 || measurerId > 4) return (address(0), address(0), 0, false);
        return (vm.addr(0xbeef + measurerId), wallet, region, measurerId != 4);
    }

    function pass(uint256 blocks) external {
        vm.roll(block.number + 1 + blocks % 4);
    }

    function open() external {
        try waves.open() returns (uint32 waveId) {
            uint256 fill = waves.fillBlockOf(waveId);
            if (waveId != last + 1) fault = "waves are not numbered one after the other";
            if (fill >= block.number || fill + FILL < block.number) fault = "a wave was opened beside its fill";
            if (last != 0 && fill <= _fills[last] + FILL + CHASE + WORK + 1) fault = "a wave began before the last audit";
            (last, _fills[waveId]) = (waveId, fill);
        } catch {}
    }

    /// @notice Of a recent wave, by any measurer, in any stage, signed by it or by another.
    function post(uint256 seed) external {
        seed = uint256(keccak256(abi.encode(seed)));
        if (last == 0) return;
        uint32 waveId = _recent(seed % 6);
        uint32 measurerId = 1 + uint32((seed >> 8) % 4);
        Posted storage posted = _posted[waveId][measurerId];
        uint8 stage = (seed >> 16) % 4 == 0 ? uint8((seed >> 24) % 5) : posted.stages;
        bytes32 root = stage == 2 ? _hashOf(_revealOf(waveId, measurerId)) : keccak256(abi.encode(seed));
        bool isOwn = (seed >> 32) % 4 != 0;
        _send(IProofWaves.WavePost(waveId, measurerId, stage, root), isOwn);
        _check(waveId, measurerId, stage, root, isOwn);
    }

    /// @notice Of a recent wave, as it was committed or otherwise.
    function reveal(uint256 seed) external {
        seed = uint256(keccak256(abi.encode(seed)));
        if (last == 0) return;
        uint32 waveId = _recent(seed % 6);
        uint32 measurerId = 1 + uint32((seed >> 8) % 4);
        Posted storage posted = _posted[waveId][measurerId];
        IProofWaves.WaveReveal[] memory all = new IProofWaves.WaveReveal[](1);
        all[0] = _revealOf(waveId, measurerId);
        bool isChanged = (seed >> 16) % 4 == 0;
        if (isChanged) all[0].results = bytes32(seed);
        (uint8 before,) = waves.progressOf(waveId, measurerId);
        waves.revealBatch(waveId, all, new bytes[](0));
        (uint8 stages,) = waves.progressOf(waveId, measurerId);
        if (stages == before) return;
        if (stages != 4 || posted.stages != 3) fault = "a verdict was accepted without a commitment";
        if (isChanged || posted.root != _hashOf(all[0])) fault = "another result was revealed than committed";
        if (posted.isRevealed) fault = "a result was revealed twice";
        uint256 committed = _fills[waveId] + FILL + CHASE + WORK + 1 + COMMIT;
        if (block.number <= committed) fault = "a result was revealed before the last commitment";
        if (block.number > committed + REVEAL) fault = "a result was revealed after the deadline";
        posted.isRevealed = true;
        ++reveals;
    }

    /// @notice A whole wave of measurer 1, which chance alone rarely completes.
    function serve() external {
        try this.open() {} catch {}
        if (last == 0) return;
        uint32 waveId = last;
        uint256 chase = _fills[waveId] + FILL;
        uint256[3] memory times = [chase + 1, chase + CHASE + 1, chase + CHASE + WORK + 2];
        for (uint8 stage; stage < 3; ++stage) {
            if (block.number > times[stage]) return;
            vm.roll(times[stage]);
            bytes32 root = stage == 2 ? _hashOf(_revealOf(waveId, 1)) : keccak256(abi.encode(waveId, stage));
            _send(IProofWaves.WavePost(waveId, 1, stage, root), true);
            _check(waveId, 1, stage, root, true);
        }
        vm.roll(times[2] + COMMIT);
    }

    /// @notice Whether what the contract has of the live waves is what was posted: roots are immutable.
    function isUnchanged() external view returns (bool) {
        for (uint32 back; back < 4 && back < last; ++back) {
            for (uint32 measurerId = 1; measurerId < 5; ++measurerId) {
                Posted storage posted = _posted[last - back][measurerId];
                (uint8 stages, bytes27 commitment) = waves.progressOf(last - back, measurerId);
                bytes27 expected = posted.isRevealed ? bytes27(0) : bytes27(posted.root);
                if (stages != (posted.isRevealed ? 4 : posted.stages) || commitment != expected) return false;
            }
        }
        return true;
    }

    function _check(uint32 waveId, uint32 measurerId, uint8 stage, bytes32 root, bool isOwn) private {
        Posted storage posted = _posted[waveId][measurerId];
        (uint8 stages, bytes27 commitment) = waves.progressOf(waveId, measurerId);
        bool isRecent = waveId != 0 && waveId + 4 > last;
        if (!isRecent || stages == (posted.isRevealed ? 4 : posted.stages)) {
            ++refusals;
            return;
        }
        if (stages != posted.stages + 1 || stage != posted.stages || stage > 2) fault = "a stage was skipped or repeated";
        if (commitment != bytes27(root)) fault = "another root was stored";
        if (!isOwn || measurerId == 4) fault = "a measurer did not sign, or is not admitted";
        uint256 first = _fills[waveId] + FILL + 1 + (stage == 0 ? 0 : stage == 1 ? CHASE : CHASE + WORK + 1);
        uint256 length = stage == 0 ? CHASE : stage == 1 ? WORK : COMMIT;
        if (block.number < first || block.number >= first + length) fault = "a root was accepted outside its blocks";
        (posted.stages, posted.root) = (stages, root);
    }

    function _send(IProofWaves.WavePost memory message, bool isOwn) private {
        bytes32 typeHash = keccak256("WavePost(uint32 waveId,uint32 measurerId,uint8 stage,bytes32 root)");
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("ngpu ProofWaves"),
                keccak256("1"),
                block.chainid,
                address(waves)
            )
        );
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", domain, keccak256(abi.encode(typeHash, message))));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(0xbeef + (isOwn ? message.measurerId : message.measurerId % 4 + 1), digest);
        IProofWaves.WavePost[] memory posts = new IProofWaves.WavePost[](1);
        bytes[] memory signatures = new bytes[](1);
        (posts[0], signatures[0]) = (message, abi.encodePacked(r, s, v));
        waves.postBatch(posts, signatures);
    }

    function _recent(uint256 back) private view returns (uint32) {
        return back > last ? 0 : last - uint32(back);
    }

    function _revealOf(uint32 waveId, uint32 measurerId) private pure returns (IProofWaves.WaveReveal memory) {
        bytes32 results = keccak256(abi.encode(waveId, measurerId, "results"));
        return IProofWaves.WaveReveal(waveId, measurerId, results, 0, keccak256(""), bytes32(uint256(measurerId)));
    }

    function _hashOf(IProofWaves.WaveReveal memory message) private pure returns (bytes32) {
        return keccak256(abi.encode(message));
    }
}
