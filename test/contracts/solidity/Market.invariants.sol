// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IDockerTypes} from "../../../contracts/interfaces/IDockerTypes.sol";
import {IEscrowTypes} from "../../../contracts/interfaces/IEscrowTypes.sol";
import {NodeSpec, Resources} from "../../../contracts/libraries/Types.sol";
import {Invariants} from "./support/Invariants.sol";
import {MarketHandler} from "./support/MarketHandler.sol";
import {Watch} from "./support/Watch.sol";

/// @notice Nodes, workspaces, leases and deposits under any sequence of acts.
contract MarketInvariants is Invariants {
    MarketHandler private _market;

    function setUp() external {
        _market = new MarketHandler();
        _market.start();
        target(address(_market));
    }

    /// @notice For every node, live assignments' resources + free = spec, in each dimension.
    function invariant_reservedAndFreeAreTheSpec() external view {
        for (uint32 nodeId = 1; nodeId <= 5; ++nodeId) {
            (NodeSpec memory spec,) = _market.computeNode().specOf(nodeId);
            uint256[5] memory sum = _lanes(_market.computeNode().freeOf(nodeId));
            for (uint64 workspaceId = 1; workspaceId <= 3; ++workspaceId) {
                uint256[5] memory taken = _lanes(_market.resourcesOf(workspaceId));
                for (uint16 replica; replica < 2; ++replica) {
                    IDockerTypes.Assignment memory held = _market.docker().assignmentOf(workspaceId, replica);
                    if (held.nodeId != nodeId || !_isLive(held)) continue;
                    for (uint256 lane; lane < 5; ++lane) sum[lane] += taken[lane];
                }
            }
            uint256[5] memory total = _lanes(spec.total);
            for (uint256 lane; lane < 5; ++lane) holds(sum[lane] == total[lane], "reserved + free is not the spec");
        }
    }

    /// @notice A lease number never repeats or falls, and a stale report changes nothing.
    function invariant_leasesOnlyRise() external view {
        none(_market.leaseFault());
    }

    function invariant_transitionsAreLegal() external view {
        none(_market.transitionFault());
    }

    /// @notice A stopped workspace gets no lease and no start, and only its replicas are stopped.
    function invariant_stoppedWorkspacesGetNoLease() external view {
        none(_market.stopFault());
    }

    /// @notice A keeper alone takes no lease that serves; with a witness, at most the floor in ten minutes.
    function invariant_keepersAloneTakeNothing() external view {
        none(_market.thiefFault());
    }

    /// @notice For an hour after a lease was taken away, its replacement costs at most a tenth more, however often it is taken.
    function invariant_replacementsCostATenthMoreAtMost() external view {
        none(_market.priceFault());
    }

    /// @notice Only the node's key signs for it, only its owner changes the wallet, and nothing is accepted twice.
    function invariant_signaturesSpeakForTheirSignerOnce() external view {
        none(_market.signatureFault());
    }

    /// @notice deposits = balances + earned + withdrawn + collected + fees and waits burned, and the tokens are there.
    function invariant_depositsAreAccountedFor() external view {
        none(_market.moneyFault());
        uint256 held;
        for (uint256 i; i < _market.OWNERS(); ++i) held += _market.escrow().balanceOf(_market.ownerOf(i));
        for (uint32 nodeId = 1; nodeId <= 5; ++nodeId) held += _market.escrow().earnedBy(nodeId);
        holds(_market.token().balanceOf(address(_market.escrow())) == held, "the escrow's tokens are not its books'");
        uint256 burned = _market.burned() + _market.waitsBurned();
        holds(_market.deposited() == held + _market.withdrawn() + _market.collected() + burned, "deposits went elsewhere");
    }

    /// @notice A partner that is also the operator loses the fee of what it pays itself, and can show no more receipts
    /// than it paid for.
    function invariant_selfDealingGainsNothing() external view {
        (uint256 collected, uint256 burned) = (_market.collected(), _market.burned());
        holds(burned * 10_000 >= (collected + burned) * _market.escrow().feeBasisPoints(), "less than the fee was burned");
        uint256 spent;
        for (uint256 i; i < 2; ++i) {
            uint256 his = _market.escrow().totalSpentBy(_market.ownerOf(i));
            holds(_market.pomc().receiptsOfPayer(_market.ownerOf(i)) <= his, "more receipts than was spent");
            spent += his;
        }
        uint256 earned;
        for (uint32 nodeId = 1; nodeId <= 5; ++nodeId) earned += _market.escrow().totalEarnedBy(nodeId);
        holds(earned == spent, "what was earned is not what was spent");
        uint256 supply = _market.token().totalSupply() + burned + _market.waitsBurned();
        holds(supply == 100_000 ether, "the supply changed by more than the fees and the waits");
    }

    /// @notice An account's debt is the sum of its running leases, and its locks the sum of theirs, to the second and the unit.
    function invariant_debtIsTheSumOfRunningLeases() external view {
        uint256[2] memory debt;
        uint256[2] memory locks;
        for (uint256 i; i < 6; ++i) {
            (, uint64 authorizationId,, uint64 rate, uint40 since, uint24 rested, IEscrowTypes.Clock clock) =
                _market.escrow().leaseOf(uint64(i / 2 + 1), uint16(i % 2));
            if (clock == IEscrowTypes.Clock.Closed) continue;
            uint256 payer = (authorizationId - 1) % 2;
            if (_isCharged(clock)) debt[payer] += uint256(rate) * (block.timestamp - since);
            uint256 spent = (uint256(rate) + 9) / 10 * rested;
            locks[payer] += _market.escrow().lockOf(rate) - spent;
        }
        for (uint256 i; i < 2; ++i) {
            uint256 balance = _market.escrow().balanceOf(_market.ownerOf(i));
            uint256 kept = debt[i] + locks[i];
            holds(_market.escrow().lockedOf(_market.ownerOf(i)) == locks[i], "locked is not the sum of locks");
            holds(balance >= locks[i], "a lock is not covered");
            uint256 free = balance > kept ? balance - kept : 0;
            holds(_market.escrow().withdrawableOf(_market.ownerOf(i)) == free, "free is not balance less locks and debts");
        }
    }

    /// @notice No delegate spends more than its authorization, nor faster.
    function invariant_authorizationsBind() external view {
        uint256[8] memory inUse;
        uint256[8] memory locks;
        for (uint256 i; i < 6; ++i) {
            (, uint64 authorizationId,, uint64 rate,, uint24 rested, IEscrowTypes.Clock clock) =
                _market.escrow().leaseOf(uint64(i / 2 + 1), uint16(i % 2));
            if (clock == IEscrowTypes.Clock.Closed) continue;
            inUse[authorizationId] += rate;
            locks[authorizationId] += _market.escrow().lockOf(rate) - (uint256(rate) + 9) / 10 * rested;
        }
        for (uint64 id = 1; id <= 4; ++id) {
            (,, uint64 maxRate, uint128 remaining, uint64 rateInUse,,,) = _market.escrow().authorizationOf(id);
            holds(rateInUse == inUse[id] && rateInUse <= maxRate, "open leases exceed the authorized rate");
            holds(
                remaining + locks[id] + _market.spentBy(id) == _market.signedFor(id),
                "spent + locks + remaining is not the total"
            );
        }
    }

    /// @notice Every live assignment has had its escrow lease opened, and no ended one keeps it open.
    function invariant_openLeasesHaveLiveAssignments() external view {
        for (uint256 i; i < 6; ++i) {
            (uint64 workspaceId, uint16 replica) = (uint64(i / 2 + 1), uint16(i % 2));
            (uint32 lease,,,,,, IEscrowTypes.Clock clock) = _market.escrow().leaseOf(workspaceId, replica);
            IDockerTypes.Assignment memory held = _market.docker().assignmentOf(workspaceId, replica);
            holds(lease == held.lease, "the escrow's lease is another");
            holds(clock == IEscrowTypes.Clock.Closed || _isLive(held), "a lease is paid for that is over");
            holds(
                !_isCharged(clock) || held.state == IDockerTypes.AssignmentState.Running,
                "the clock runs without a running replica"
            );
        }
    }

    /// @notice A squatter: what a lease takes is paid for, or anyone can end it; and nobody can end what is paid for.
    function invariant_capacityIsPaidForOrEnds() external view {
        none(_market.squatFault());
    }

    /// @notice A payer whose replicas do not run: a wait costs what a rest of that time does, once, out of the lease's lock.
    function invariant_waitsCostWhatRestsDo() external view {
        none(_market.waitFault());
    }

    /// @notice An overcommitter: a lease pays all it owes, or its whole lock.
    function invariant_leasesPayTheirDebtOrTheirLock() external view {
        none(_market.overcommitFault());
    }

    /// @notice A silent node: the rate ends restSeconds after an order, whoever reports.
    function invariant_ordersEndTheRate() external view {
        none(_market.silenceFault());
    }

    /// @notice A lying owner: no root gives a lease back more than it paid.
    function invariant_refundsStayWithinTheirLease() external view {
        none(_market.refundFault());
    }

    /// @notice Random acts change state, so the other invariants do not hold vacuously.
    function test_actsHappen() external {
        for (uint256 i; i < 800; ++i) {
            uint256 seed = uint256(keccak256(abi.encode(i)));
            uint256 kind = i % 16;
            if (kind < 3) _market.assign(seed);
            else if (kind < 5) _market.order(seed, uint8(seed >> 200));
            else if (kind < 6) _market.stopOrStart(seed);
            else if (kind < 12) _market.report(seed);
            else if (kind == 12) _market.releaseLost(seed);
            else if (kind == 13) _market.releaseEnded(seed);
            else if (kind == 14) {
                _market.refund(seed);
                _market.collect(uint32(seed % 3 + 1));
                _market.commitReceipts(seed);
                _market.squat(seed >> 8);
            } else _market.pass(i % 64 == 63 ? 7_199 : seed % 600);
            if (kind % 4 == 3) _market.steal(seed);
        }
        holds(_market.done(Watch.Act.Assign) > 10, "nothing was assigned");
        holds(_market.done(Watch.Act.Order) > 10, "nothing was ordered");
        holds(_market.stops() > 3, "nothing was stopped");
        holds(_market.done(Watch.Act.Report) > 20, "nothing was reported");
        holds(_market.done(Watch.Act.Release) > 3, "nothing was released");
        holds(_market.attempts() > 3 && _market.thefts() > 0, "nothing was stolen");
        holds(_market.spentBy(1) > 0 && _market.collected() > 0, "nothing was paid");
        holds(_market.refunds() > 0, "nothing was refunded");
        holds(_market.spentLocks() > 0, "no lock was spent");
        holds(_market.waitsBurned() > 0, "nothing was burned for a wait");
        holds(_market.endedByStranger() > 3, "a stranger ended nothing");
        holds(_market.pomc().lastReceipts() > 0, "no receipts were committed");
    }

    function _isLive(IDockerTypes.Assignment memory held) private pure returns (bool) {
        return uint8(held.state) >= 1 && uint8(held.state) <= 5;
    }

    function _isCharged(IEscrowTypes.Clock clock) private pure returns (bool) {
        return clock == IEscrowTypes.Clock.Running || clock == IEscrowTypes.Clock.Stopping
            || clock == IEscrowTypes.Clock.Ending;
    }

    function _lanes(Resources memory amount) private pure returns (uint256[5] memory) {
        return [
            uint256(amount.gpus),
            uint256(amount.cpuMilli),
            uint256(amount.memoryMib),
            uint256(amount.diskGib),
            uint256(amount.ports)
        ];
    }
}
