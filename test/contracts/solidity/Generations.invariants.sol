// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IDockerContract} from "../../../contracts/interfaces/IDockerContract.sol";
import {IDockerTypes} from "../../../contracts/interfaces/IDockerTypes.sol";
import {IEscrow} from "../../../contracts/interfaces/IEscrow.sol";
import {IPomc} from "../../../contracts/interfaces/IPomc.sol";
import {NodeSpec, Resources} from "../../../contracts/libraries/Types.sol";
import {GenerationHandler} from "./support/GenerationHandler.sol";
import {GenerationRewards} from "./support/GenerationRewards.sol";
import {Invariants} from "./support/Invariants.sol";

/// @notice Nodes, leases and deposits while their contracts are replaced and the previous ones are retired.
contract GenerationInvariants is Invariants {
    GenerationHandler private _market;

    function setUp() external {
        _market = new GenerationHandler();
        target(address(_market));
    }

    /// @notice For every node, the resources of all generations' live leases + free = spec.
    function invariant_generationsReserveWithinTheSpec() external view {
        for (uint32 nodeId = 1; nodeId <= _market.NODES(); ++nodeId) {
            (NodeSpec memory spec,) = _market.computeNode().specOf(nodeId);
            Resources memory sum = _market.computeNode().freeOf(nodeId);
            for (uint256 generation; generation < _market.generations(); ++generation) {
                (IDockerContract docker,,) = _market.generationOf(generation);
                _addHeld(sum, docker, generation, nodeId);
            }
            holds(keccak256(abi.encode(sum)) == keccak256(abi.encode(spec.total)), "reserved + free is not the spec");
        }
    }

    /// @notice A retired contract's leases only decrease, it releases each of them, and its count is that of its live leases.
    function invariant_aRetiredContractOnlyReleases() external view {
        none(_market.retiredFault());
        for (uint256 generation; generation < _market.generations(); ++generation) {
            (IDockerContract docker,,) = _market.generationOf(generation);
            (bool mayReserve, bool isRetired, uint64 reservations) = _market.computeNode().dockerOf(address(docker));
            bool isOver = generation == 0 && _market.isRetired();
            holds(mayReserve == !isOver && isRetired == isOver, "a retired contract may reserve");
            uint256 live;
            for (uint256 i; i < 4; ++i) {
                uint64 workspaceId = _market.workspaceOf(generation, uint64(i / 2 + 1));
                if (_market.isLive(docker.assignmentOf(workspaceId, uint16(i % 2)))) ++live;
            }
            holds(reservations == live, "reservations are not the live leases");
        }
    }

    /// @notice Each escrow has the tokens of its own accounts, whatever happens in the other.
    function invariant_eachEscrowCoversItsBooks() external view {
        for (uint256 generation; generation < _market.generations(); ++generation) {
            (, IEscrow escrow,) = _market.generationOf(generation);
            uint256 held;
            for (uint256 i; i < _market.OWNERS(); ++i) held += escrow.balanceOf(_market.ownerOf(i));
            for (uint32 nodeId = 1; nodeId <= _market.NODES(); ++nodeId) held += escrow.earnedBy(nodeId);
            holds(_market.token().balanceOf(address(escrow)) == held, "an escrow's tokens are not its books'");
        }
    }

    /// @notice Random acts replace contracts in use, so the other invariants do not hold vacuously.
    function test_generationsAreInUse() external {
        for (uint256 i; i < 600; ++i) {
            uint256 seed = uint256(keccak256(abi.encode(i)));
            uint256 kind = i % 8;
            if (i == 150 || i == 300) _market.succeed(seed);
            else if (i == 450) _market.emptyRetired();
            else if (kind < 2) _market.assign(seed);
            else if (kind < 5) _market.report(seed);
            else if (kind == 5) _market.order(seed);
            else if (i % 64 == 6) _market.updateSpec(seed);
            else if (kind == 6) _market.pass(i % 32 == 14 ? seed : seed % 600);
            else i % 16 == 7 ? _market.release(seed) : _market.collect(seed);
        }
        none(_market.retiredFault());
        holds(_market.carried() > 1, "nothing lived when it was replaced");
        holds(_market.emptied() == 1, "nothing was left to give back");
        holds(_market.assigned(0) > 5 && _market.assigned(1) > 5, "nothing was assigned");
        holds(_market.collected() > 0, "nothing was paid");
    }

    function _addHeld(Resources memory sum, IDockerContract docker, uint256 generation, uint32 nodeId) private view {
        for (uint64 number = 1; number <= _market.WORKSPACES(); ++number) {
            Resources memory taken = _market.resourcesOf(number);
            for (uint16 replica; replica < _market.REPLICAS(); ++replica) {
                IDockerTypes.Assignment memory held =
                    docker.assignmentOf(_market.workspaceOf(generation, number), replica);
                if (held.nodeId != nodeId || !_market.isLive(held)) continue;
                (sum.gpus, sum.cpuMilli) = (sum.gpus + taken.gpus, sum.cpuMilli + taken.cpuMilli);
                (sum.memoryMib, sum.diskGib) = (sum.memoryMib + taken.memoryMib, sum.diskGib + taken.diskGib);
                sum.ports += taken.ports;
            }
        }
    }
}

/// @notice Rewards while their Pomc is replaced.
contract RewardGenerationInvariants is Invariants {
    GenerationRewards private _market;

    function setUp() external {
        _market = new GenerationRewards();
        target(address(_market));
    }

    /// @notice An epoch is posted and paid by one Pomc, as long as the previous one stays paused.
    function invariant_noEpochIsPaidByTwo() external view {
        none(_market.rewardFault());
    }

    /// @notice All Pomcs together mint within one schedule, even when the previous one's poster posts again.
    function invariant_generationsMintWithinTheSchedule() external view {
        uint256 sum;
        for (uint256 i; i < _market.generations(); ++i) {
            (,, IPomc pomc) = _market.generationOf(i);
            (, uint256 minted) = _market.token().minterOf(address(pomc));
            sum += minted;
        }
        (,, IPomc first) = _market.generationOf(0);
        uint256 epochs = (block.timestamp - first.genesis()) / first.epochSeconds();
        holds(sum <= epochs * first.emissionPerEpoch(), "minted beyond the schedule");
    }

    /// @notice Random acts lead to payments by both, so the other invariants do not hold vacuously.
    function test_generationsPay() external {
        for (uint256 i; i < 400; ++i) {
            uint256 seed = uint256(keccak256(abi.encode(i)));
            if (i == 150 || i == 200) _market.succeed(seed);
            else if (i % 4 == 0) _market.pass(seed);
            else if (i % 4 == 1) _market.post(seed);
            else if (i % 16 == 2) _market.disable(seed);
            else _market.claim(seed);
        }
        none(_market.rewardFault());
        holds(_market.claims(0) > 3 && _market.claims(1) > 3, "nothing was paid");
    }
}
