// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IMeasure} from "../../../../contracts/interfaces/IMeasure.sol";
import {IProofWaves} from "../../../../contracts/interfaces/IProofWaves.sol";
import {WaveActs} from "./WaveActs.sol";
import {vm} from "./Vm.sol";

/// @notice Waves with three measurers, two nodes that claim hardware, and anyone who opens, relays, reveals and repeats.
contract WaveHandler is WaveActs {
    function start() external {
        IMeasure.MeasurerRegistration[] memory messages = new IMeasure.MeasurerRegistration[](MEASURERS);
        bytes[] memory signatures = new bytes[](MEASURERS);
        bytes32 typeHash = keccak256("MeasurerRegistration(address key,address wallet,bytes2 region,uint64 deadline)");
        for (uint256 i; i < MEASURERS; ++i) {
            messages[i] = IMeasure.MeasurerRegistration(vm.addr(measurerKeyOf(uint32(i + 1))), address(0), "DE", LATER, "");
            bytes32 structHash =
                keccak256(abi.encode(typeHash, messages[i].key, messages[i].wallet, messages[i].region, LATER));
            bytes32 digest = digestOf("ngpu Measure", address(measure), structHash);
            signatures[i] = sign(measurerKeyOf(uint32(i + 1)), digest);
        }
        measure.registerMeasurerBatch(messages, signatures);
        for (uint256 who; who < 2; ++who) _register(who);
        vm.roll(1_000);
    }

    /// @notice A few blocks, a few minutes.
    function pass(uint256 seed) external {
        seed = mixed(seed);
        vm.roll(block.number + 1 + seed % 4);
        vm.warp(block.timestamp + seed % 600);
    }

    function open(uint256) external {
        _open();
    }

    /// @notice A root of a recent wave: most often of the measurer's next stage, by its key; beside an item of no wave.
    function post(uint256 seed) external {
        seed = mixed(seed);
        _post(_anyPost(seed), seed);
    }

    /// @notice A reveal of what the measurer committed to, or of something else.
    function reveal(uint256 seed) external {
        seed = mixed(seed);
        uint32 waveId = _recent(seed);
        IProofWaves.WaveReveal memory message = revealOf(waveId, uint32((seed >> 8) % MEASURERS) + 1);
        if ((seed >> 16) % 4 == 0) message.results = bytes32(uint256(1));
        if ((seed >> 24) % 4 == 0) message.measurerId = uint32((seed >> 32) % MEASURERS) + 1;
        _reveal(message);
    }

    /// @notice A whole wave: it is opened in time, its measurers post, commit and reveal, and then everything is repeated.
    function hold(uint256 seed) external {
        seed = mixed(seed);
        vm.roll(block.number + 64);
        if (!_open()) return;
        uint32 waveId = waves.waveCount();
        uint256 fill = waves.fillBlockOf(waveId);
        for (uint8 stage; stage < 4; ++stage) {
            (uint256 first, uint256 last) = windowOf(fill, stage);
            vm.roll(first + seed % (last - first + 1));
            for (uint32 id = 1; id <= MEASURERS; ++id) {
                // Now and then one omits a stage.
                if ((seed >> (16 * id + stage)) % 16 == 0) continue;
                if (stage < 3) _post(IProofWaves.WavePost(waveId, id, stage, _rootOf(waveId, id, stage)), 0);
                else _reveal(revealOf(waveId, id));
            }
        }
        for (uint32 id = 1; id <= MEASURERS; ++id) _reveal(revealOf(waveId, id));
    }

    /// @notice Hashes of blocks of a recent wave. It may be too early or too late for them: the invariants hold after a refusal, too.
    function record(uint256 seed) external {
        try waves.record(_recent(mixed(seed))) {} catch {}
    }

    /// @notice A claim of a node, by its key or another, with any deadline, and now and then an earlier one again.
    function claim(uint256 seed) external {
        seed = mixed(seed);
        _claim(seed);
    }
}
