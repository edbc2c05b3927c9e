// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Invariants} from "./support/Invariants.sol";
import {WaveHandler} from "./support/WaveHandler.sol";

/// @notice Waves of the proof of hardware under any sequence of acts.
contract WaveInvariants is Invariants {
    WaveHandler private _market;

    function setUp() external {
        _market = new WaveHandler();
        _market.start();
        target(address(_market));
    }

    /// @notice A wave begins at the first block that its hash draws, after the audit of the one before, and is opened in time.
    function invariant_aWaveBeginsWhereItsBlockIsDrawn() external view {
        none(_market.openFault());
    }

    /// @notice A measurer's roots are accepted in the blocks of their stage alone, in order, each once, signed by its key.
    function invariant_rootsAreInTimeInOrderAndOnce() external view {
        none(_market.postFault());
    }

    /// @notice What is revealed was committed to, by the same measurer, in the same wave, and is revealed in time and once.
    function invariant_whatIsRevealedWasCommittedTo() external view {
        none(_market.revealFault());
    }

    /// @notice A node's claim is its key's, newer than its last one, and ends within a day.
    function invariant_claimsAreTheNodesOwnAndNewer() external view {
        none(_market.claimFault());
    }

    /// @notice The progress of each measurer in each live wave is what was accepted; of other waves nothing is left.
    function invariant_progressIsWhatWasAccepted() external view {
        uint32 last = _market.opened();
        for (uint32 back; back <= 6 && back <= last; ++back) {
            uint32 waveId = last + 1 - back;
            bool isLive = _market.isLive(waveId);
            for (uint32 id = 1; id <= _market.MEASURERS(); ++id) {
                (uint8 stages, bytes27 commitment) = _market.waves().progressOf(waveId, id);
                holds(stages == (isLive ? _market.stagesOf(waveId, id) : 0), "the progress is another");
                holds(commitment == (isLive ? bytes27(_market.rootOf(waveId, id)) : bytes27(0)), "the root is another");
            }
            uint256 fill = isLive ? _market.fillOf(waveId) : 0;
            holds(_market.waves().fillBlockOf(waveId) == fill, "the first block is another");
        }
    }

    /// @notice Random acts commit and reveal, so the other invariants do not hold vacuously.
    function test_wavesAreHeld() external {
        for (uint256 i; i < 300; ++i) {
            uint256 seed = uint256(keccak256(abi.encode(i)));
            if (i % 12 == 0) _market.hold(seed);
            else if (i % 4 == 1) _market.pass(seed);
            else if (i % 12 == 2) _market.open(seed);
            else if (i % 4 == 3) _market.claim(seed);
            else i % 3 == 0 ? _market.reveal(seed) : _market.post(seed);
        }
        none(_market.openFault());
        none(_market.postFault());
        none(_market.revealFault());
        none(_market.claimFault());
        holds(_market.opened() > 10, "few waves were opened");
        holds(_market.posts() > 60, "few roots were posted");
        holds(_market.reveals() > 20, "few results were revealed");
        holds(_market.claims() > 10, "few claims were accepted");
    }
}
