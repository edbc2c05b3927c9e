// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IDockerTypes} from "../../../../contracts/interfaces/IDockerTypes.sol";
import {IEscrowTypes} from "../../../../contracts/interfaces/IEscrowTypes.sol";
import {LeaseRef} from "../../../../contracts/libraries/Types.sol";
import {MoneyActs} from "./MoneyActs.sol";
import {vm} from "./Vm.sol";

/// @notice A stranger ends leases: exactly those that nobody pays for.
abstract contract LeaseEnds is MoneyActs {
    /// @notice The first error; empty while there is none.
    string public squatFault;
    /// @notice Leases that a stranger ended, or marked lost.
    uint256 public endedByStranger;

    function _endAsStranger(LeaseRef[] memory refs, IDockerTypes.WorkspaceSpec[] memory specs) internal {
        LeaseRef memory ref = refs[0];
        bool isOver = _isOver(ref, specs[0]);
        IDockerTypes.Assignment memory was = docker.assignmentOf(ref.workspaceId, ref.replica);
        vm.prank(STRANGER);
        docker.releaseEnded(refs, specs);
        if (ref.lease != was.lease || !_isLive(was.state)) return;
        IDockerTypes.Assignment memory now_ = docker.assignmentOf(ref.workspaceId, ref.replica);
        bool hasEnded = now_.state == IDockerTypes.AssignmentState.Released || now_.lostAt != was.lostAt;
        bool waits = was.lostAt != 0 && block.timestamp < was.lostAt + specs[0].graceSeconds + MARGIN_SECONDS;
        if (isOver && !hasEnded && !waits) squatFault = "a stranger could not end a lease that nobody pays for";
        if (hasEnded && !isOver) squatFault = "a stranger ended a lease that is paid for";
        if (hasEnded) ++endedByStranger;
    }

    struct Lease {
        uint32 number;
        uint64 payer;
        uint32 nodeId;
        uint64 rate;
        uint40 since;
        uint24 rested;
        IEscrowTypes.Clock clock;
    }

    /// @dev What a stranger may end, from the lease's slot and the terms: expired, unfunded, late, silent, or its lock spent.
    function _isOver(LeaseRef memory ref, IDockerTypes.WorkspaceSpec memory spec) private view returns (bool) {
        if (spec.expiresAt != 0 && block.timestamp > spec.expiresAt) return true;
        Lease memory lease;
        (lease.number, lease.payer, lease.nodeId, lease.rate, lease.since, lease.rested, lease.clock) =
            escrow.leaseOf(ref.workspaceId, ref.replica);
        if (lease.number != ref.lease || lease.clock == IEscrowTypes.Clock.Closed) return true;
        (,,,,,, uint40 expiry,) = escrow.authorizationOf(lease.payer);
        if (block.timestamp > expiry) return true;
        IEscrowTypes.Terms memory terms = escrow.terms();
        uint256 passed = block.timestamp - lease.since;
        if (lease.clock == IEscrowTypes.Clock.New || lease.clock == IEscrowTypes.Clock.Waiting) {
            return passed > terms.startSeconds;
        }
        if (lease.clock == IEscrowTypes.Clock.Ending || lease.clock == IEscrowTypes.Clock.Ended) {
            return passed >= terms.restSeconds;
        }
        return _isUnpaid(lease, passed, terms.restSeconds);
    }

    /// @dev Of a lease that runs, stops or rests: whether its account, its authorization or its lock cannot pay.
    function _isUnpaid(Lease memory lease, uint256 passed, uint256 restSeconds) private view returns (bool) {
        (uint256 running, uint256 resting) = (passed, 0);
        if (lease.clock == IEscrowTypes.Clock.Resting) (running, resting) = (0, passed);
        if (lease.clock == IEscrowTypes.Clock.Stopping) {
            if (passed < restSeconds) return false;
            (running, resting) = (restSeconds, passed - restSeconds);
        }
        uint256 restRate = (uint256(lease.rate) + 9) / 10;
        uint256 left = escrow.lockOf(lease.rate) - restRate * lease.rested;
        if (resting != 0 && resting * restRate >= left) return true;
        (address owner,,, uint128 remaining,,,,) = escrow.authorizationOf(lease.payer);
        uint256 due = running * lease.rate;
        return due > remaining || due > escrow.balanceOf(owner) - escrow.lockedOf(owner);
    }
}
