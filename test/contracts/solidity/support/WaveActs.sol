// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IComputeNode} from "../../../../contracts/interfaces/IComputeNode.sol";
import {IProofWaves} from "../../../../contracts/interfaces/IProofWaves.sol";
import {Signing} from "./Signing.sol";
import {vm} from "./Vm.sol";

/// @notice The acts on waves, and a book of what was accepted, from the rules of IProofWaves alone.
abstract contract WaveActs is Signing {
    uint256 public constant MEASURERS = 3;
    uint16 internal constant STRIDE = 2;
    uint32 internal constant CHANCE = 3;
    uint16 internal constant FILL = 6;
    uint16 internal constant STAGE = 4;

    IProofWaves public waves;

    mapping(uint32 waveId => uint256 fill) public fillOf;
    /// @notice The stages that a measurer posted, 4 after its reveal, and the last root.
    mapping(uint32 waveId => mapping(uint32 measurerId => uint8)) public stagesOf;
    mapping(uint32 waveId => mapping(uint32 measurerId => bytes32)) public rootOf;
    uint32 public opened;
    uint256 public posts;
    uint256 public reveals;
    uint256 public claims;
    string public openFault;
    string public postFault;
    string public revealFault;
    string public claimFault;
    IProofWaves.HardwareClaim private _lastClaim;

    constructor() {
        bytes memory settings = abi.encode(STRIDE, CHANCE, FILL, STAGE, STAGE, STAGE, STAGE, 0);
        waves = IProofWaves(_deploy("ProofWaves.sol:ProofWaves", bytes.concat(abi.encode(manager, computeNode, measure), settings)));
    }

    function measurerKeyOf(uint32 measurerId) public pure returns (uint256) {
        return 0x6ea5 + measurerId;
    }

    function nodeKeyOf(uint256 who) public pure returns (uint256) {
        return 0x40de + who;
    }

    /// @notice What a measurer commits to in a wave.
    function revealOf(uint32 waveId, uint32 measurerId) public pure returns (IProofWaves.WaveReveal memory) {
        bytes32 about = keccak256(abi.encode(waveId, measurerId));
        return IProofWaves.WaveReveal(waveId, measurerId, about, ~about, keccak256(""), bytes32(uint256(about) / 2));
    }

    /// @notice The blocks in which a stage is accepted: chase, answers, commitments, reveals.
    function windowOf(uint256 fill, uint256 stage) public pure returns (uint256 first, uint256 last) {
        first = fill + FILL + 1 + stage * STAGE;
        // The block between answers and commitments gives the audit's seed.
        if (stage > 1) first += 1;
        last = first + STAGE - 1;
    }

    function _open() internal returns (bool) {
        uint32 before = opened;
        uint256 previous = fillOf[before];
        try waves.open() returns (uint32 waveId) {
            uint256 fill = waves.fillBlockOf(waveId);
            if (waveId != before + 1 || waves.waveCount() != waveId) openFault = "the numbers of waves have a gap";
            if (fill % STRIDE != 0 || !_isDrawn(fill)) openFault = "a wave began at a block that its hash does not draw";
            if (fill + FILL < block.number || fill >= block.number) openFault = "a wave was opened late or early";
            if (previous != 0 && fill < _endOf(previous)) openFault = "a wave began before the audit of the one before";
            if (_firstDrawn(previous) != fill) openFault = "a later block than the first drawn one began a wave";
            (fillOf[waveId], opened) = (fill, waveId);
            return true;
        } catch {
            if (_firstDrawn(previous) != 0) openFault = "a drawn wave could not be opened";
            return false;
        }
    }

    /// @dev One or two items, the second of no wave.
    /// @param seed Whose key signs; zero: the measurer's.
    function _post(IProofWaves.WavePost memory message, uint256 seed) internal {
        bool isForged = (seed >> 64) % 8 == 1;
        uint256 signer = isForged ? measurerKeyOf(message.measurerId % uint32(MEASURERS) + 1) : measurerKeyOf(message.measurerId);
        IProofWaves.WavePost[] memory messages = new IProofWaves.WavePost[](2);
        bytes[] memory signatures = new bytes[](2);
        (messages[1], messages[0]) = (message, IProofWaves.WavePost(opened + 1, 1, 0, 0));
        (signatures[0], signatures[1]) = (new bytes(65), sign(signer, _digestOf(message)));
        (uint32 waveId, uint32 id) = (message.waveId, message.measurerId);
        (uint8 before,) = waves.progressOf(waveId, id);
        try waves.postBatch(messages, signatures) {} catch {
            postFault = "an item that is refused stopped the others";
            return;
        }
        (uint8 now_, bytes27 kept) = waves.progressOf(waveId, id);
        (uint256 first, uint256 last) = windowOf(fillOf[waveId], message.stage);
        bool isTimely = isLive(waveId) && block.number >= first && block.number <= last;
        bool isDue = isTimely && !isForged && message.stage == stagesOf[waveId][id];
        if ((now_ != before) != isDue) postFault = isDue ? "a root in order was refused" : "a root out of order was accepted";
        if (now_ == before) return;
        if (now_ != message.stage + 1 || kept != bytes27(message.root)) postFault = "another root was stored";
        (stagesOf[waveId][id], rootOf[waveId][id]) = (now_, message.root);
        ++posts;
    }

    function _reveal(IProofWaves.WaveReveal memory message) internal {
        (uint32 waveId, uint32 id) = (message.waveId, message.measurerId);
        IProofWaves.WaveReveal[] memory messages = new IProofWaves.WaveReveal[](2);
        (messages[0].waveId, messages[0].measurerId, messages[1]) = (opened + 1, 1, message);
        try waves.revealBatch(waveId, messages, new bytes[](1)) {} catch {
            revealFault = "an item that is refused stopped the others";
            return;
        }
        (uint8 stages,) = waves.progressOf(waveId, id);
        (uint256 first, uint256 last) = windowOf(fillOf[waveId], 3);
        bool isDue = isLive(waveId) && block.number >= first && block.number <= last && stagesOf[waveId][id] == 3
            && rootOf[waveId][id] == keccak256(abi.encode(message));
        bool isRevealed = stages == 4 && stagesOf[waveId][id] != 4;
        if (isRevealed && !isDue) revealFault = "what nobody committed to was revealed";
        if (!isRevealed && isDue) revealFault = "what was committed to could not be revealed";
        if (!isRevealed) return;
        (stagesOf[waveId][id], rootOf[waveId][id]) = (4, 0);
        ++reveals;
    }

    function _claim(uint256 seed) internal {
        IProofWaves.HardwareClaim memory message = _lastClaim;
        if (seed % 4 != 0 || message.nodeId == 0) {
            message.nodeId = uint32((seed >> 8) % 2) + 1;
            message.devices = new bytes32[]((seed >> 16) % 3);
            message.deadline = uint64(block.timestamp - 600 + (seed >> 24) % 25 hours);
        }
        bool isForged = (seed >> 64) % 4 == 0;
        IProofWaves.HardwareClaim[] memory messages = new IProofWaves.HardwareClaim[](1);
        bytes[] memory signatures = new bytes[](1);
        messages[0] = message;
        uint256 who = message.nodeId - 1;
        signatures[0] = sign(nodeKeyOf(isForged ? 1 - who : who), _digestOf(message));
        uint64 before = waves.claimDeadlineOf(message.nodeId);
        waves.claimBatch(messages, signatures);
        bool isAccepted = waves.claimDeadlineOf(message.nodeId) != before;
        bool isDue = !isForged && message.deadline > before && message.deadline >= block.timestamp
            && message.deadline <= block.timestamp + 1 days;
        if (isAccepted && !isDue) claimFault = "another key's, an older or a late claim was accepted";
        if (!isAccepted && isDue) claimFault = "a node's newer claim was refused";
        if (!isAccepted) return;
        _lastClaim = message;
        ++claims;
    }

    function _anyPost(uint256 seed) internal view returns (IProofWaves.WavePost memory message) {
        message.waveId = _recent(seed);
        message.measurerId = uint32((seed >> 8) % MEASURERS) + 1;
        uint8 next = stagesOf[message.waveId][message.measurerId];
        message.stage = (seed >> 16) % 4 == 0 ? uint8((seed >> 24) % 3) : next < 3 ? next : 2;
        bool isOther = (seed >> 32) % 4 == 0;
        message.root = isOther ? bytes32(seed) : _rootOf(message.waveId, message.measurerId, message.stage);
    }

    function _rootOf(uint32 waveId, uint32 measurerId, uint8 stage) internal pure returns (bytes32) {
        if (stage == 2) return keccak256(abi.encode(revealOf(waveId, measurerId)));
        return keccak256(abi.encode(waveId, measurerId, stage));
    }

    /// @dev One of the last six waves, of which four are live, or the next one.
    function _recent(uint256 seed) internal view returns (uint32) {
        uint256 back = seed % 7;
        return back > opened ? opened + 1 : opened - uint32(back);
    }

    /// @notice Whether posts of a wave are accepted: it is one of the last four.
    function isLive(uint32 waveId) public view returns (bool) {
        return waveId != 0 && waveId <= opened && waveId + 4 > opened;
    }

    function _register(uint256 who) internal {
        IComputeNode.Registration[] memory messages = new IComputeNode.Registration[](1);
        bytes[] memory signatures = new bytes[](1);
        messages[0].key = vm.addr(nodeKeyOf(who));
        (messages[0].spec.total.cpuMilli, messages[0].spec.total.memoryMib) = (1_000, 1_000);
        (messages[0].pricePerSecond, messages[0].deadline) = (1, LATER);
        signatures[0] = sign(nodeKeyOf(who), digestOf(messages[0]));
        computeNode.registerBatch(messages, signatures);
        require(computeNode.nodeIdOf(messages[0].key) == who + 1, "a node did not register");
    }

    /// @dev The first block that may begin the next wave and is drawn; zero where there is none.
    function _firstDrawn(uint256 previous) private view returns (uint256) {
        uint256 from = block.number - FILL;
        if (previous != 0 && _endOf(previous) > from) from = _endOf(previous);
        for (uint256 number = from; number < block.number; ++number) {
            if (number % STRIDE == 0 && _isDrawn(number)) return number;
        }
        return 0;
    }

    /// @dev The block after the audit's.
    function _endOf(uint256 fill) private pure returns (uint256) {
        return fill + FILL + 2 * STAGE + 2;
    }

    function _isDrawn(uint256 number) private view returns (bool) {
        return uint256(keccak256(abi.encodePacked("ngpu wave", blockhash(number)))) % CHANCE == 0;
    }

    function _digestOf(IProofWaves.WavePost memory message) private view returns (bytes32) {
        bytes32 typeHash = keccak256("WavePost(uint32 waveId,uint32 measurerId,uint8 stage,bytes32 root)");
        return digestOf("ngpu ProofWaves", address(waves), keccak256(abi.encode(typeHash, message)));
    }

    function _digestOf(IProofWaves.HardwareClaim memory message) private view returns (bytes32) {
        bytes32 typeHash = keccak256("HardwareClaim(uint32 nodeId,bytes32[] devices,uint64 deadline)");
        bytes32 devices = keccak256(abi.encodePacked(message.devices));
        bytes32 structHash = keccak256(abi.encode(typeHash, message.nodeId, devices, message.deadline));
        return digestOf("ngpu ProofWaves", address(waves), structHash);
    }
}
