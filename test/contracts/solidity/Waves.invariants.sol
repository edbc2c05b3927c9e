// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Invariants} from "./support/Invariants.sol";
import {WaveHandler} from "./support/WaveHandler.sol";

/// @notice Waves under any sequence of openings, posts and reveals.
contract WaveInvariants is Invariants {
    WaveHandler private _handler;

    function setUp() external {
        _handler = new WaveHandler();
        target(address(_handler));
    }

    /// @notice No verdict without a commitment, no reveal after the deadline, no root outside its blocks, no stage twice.
    function invariant_verdictsFollowCommitments() external view {
        none(_handler.fault());
    }

    function invariant_rootsAreImmutable() external view {
        holds(_handler.isUnchanged(), "what was posted has changed");
    }

    /// @notice Random acts lead to reveals, so the other invariants do not hold vacuously.
    function test_actsReveal() external {
        for (uint256 i; i < 400; ++i) {
            uint256 seed = uint256(keccak256(abi.encode(i)));
            if (seed % 8 == 0) _handler.serve();
            else if (seed % 8 == 1) _handler.open();
            else if (seed % 8 < 4) _handler.pass(seed >> 8);
            else if (seed % 8 < 7) _handler.post(seed);
            else _handler.reveal(seed);
        }
        none(_handler.fault());
        holds(_handler.isUnchanged(), "what was posted has changed");
        holds(_handler.last() > 8, "few waves began");
        holds(_handler.reveals() > 3, "nothing was revealed");
        holds(_handler.refusals() > 20, "nothing was refused");
    }
}
