// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {EpochHandler} from "./support/EpochHandler.sol";
import {Invariants} from "./support/Invariants.sol";

/// @notice Rewards under any sequence of posts, disablings and claims.
contract PomcInvariants is Invariants {
    EpochHandler private _market;

    function setUp() external {
        _market = new EpochHandler();
        target(address(_market));
    }

    /// @notice An inactive epoch pays nothing, a repeat pays 0, and posts keep to the schedule.
    function invariant_claimsFollowActiveEpochs() external view {
        none(_market.fault());
    }

    /// @notice Σ claimed ≤ Σ posted ≤ schedule.
    function invariant_paidWithinPostedWithinSchedule() external view {
        uint256 sum;
        for (uint256 i; i < 4; ++i) {
            address account = _market.accountOf(i);
            holds(_market.pomc().claimedOf(account) == _market.paidTo(account), "claimed is not what was paid");
            sum += _market.token().balanceOf(account);
        }
        holds(sum == _market.paid(), "tokens were paid that nobody claimed");
        holds(sum <= _market.granted(), "more was paid than an active epoch granted");
        (, uint256 minted) = _market.token().minterOf(address(_market.pomc()));
        holds(minted == sum + _market.token().balanceOf(address(_market.pomc())), "minted elsewhere");
        holds(minted <= _market.granted(), "more was minted than granted");
        uint256 epochs = (block.timestamp - _market.pomc().genesis()) / _market.pomc().epochSeconds();
        holds(_market.granted() <= epochs * _market.pomc().emissionPerEpoch(), "granted beyond the schedule");
    }

    /// @notice Whatever a stolen poster posts: twice the emission within the length of an epoch.
    function invariant_paidWithinTwoEmissionsAnEpoch() external view {
        holds(_market.paidLately() <= 2 * uint256(_market.pomc().emissionPerEpoch()), "more than two emissions were paid");
    }

    function invariant_theLastEpochGoesBackWhereOneWasDisabled() external view {
        holds(_market.pomc().lastEpoch() == _market.last(), "the last epoch is another");
    }

    /// @notice Random acts lead to payments, so the other invariants do not hold vacuously.
    function test_actsPay() external {
        for (uint256 i; i < 600; ++i) {
            uint256 seed = uint256(keccak256(abi.encode(i)));
            if (i % 4 == 0) _market.pass(seed);
            else if (i % 4 == 1) _market.post(seed);
            else if (seed % 16 == 1) _market.disable(seed >> 8);
            else if (seed % 16 == 2) _market.attest(seed >> 8);
            else if (i % 4 == 2) _market.claim(seed);
            else _market.claimMany(seed);
        }
        none(_market.fault());
        holds(_market.claims() > 20, "nothing was paid");
        holds(_market.partialClaims() > 0, "nothing was paid in part");
        holds(_market.attestations() > 0, "nothing was attested");
    }
}
