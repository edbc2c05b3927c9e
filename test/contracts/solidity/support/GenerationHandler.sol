// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {LeaseRef} from "../../../../contracts/libraries/Types.sol";
import {GenerationLeases} from "./GenerationLeases.sol";
import {vm} from "./Vm.sol";

/// @notice Leases and balances of a market that is replaced while it is in use.
contract GenerationHandler is GenerationLeases {
    uint256 public collected;

    function pass(uint256 time) external {
        vm.warp(block.timestamp + 1 + time % 3 hours);
        vm.roll(block.number + 1);
    }

    function deposit(uint256 seed) external {
        seed = mixed(seed);
        _pick(seed);
        uint128 amount = uint128((seed >> 8) % 1_000_000 + 1);
        token.approve(address(escrow), amount);
        // A paused entry reverts.
        try escrow.deposit(ownerOf(seed >> 1), amount) {} catch {}
    }

    function withdraw(uint256 seed) external {
        seed = mixed(seed);
        _pick(seed);
        address owner = ownerOf(seed >> 1);
        uint128 free = escrow.withdrawableOf(owner);
        if (free == 0) return;
        vm.prank(owner);
        escrow.withdraw(uint128((seed >> 8) % free + 1), owner);
    }

    /// @notice What leases owe is paid, and what nodes earned goes to them.
    function collect(uint256 seed) external {
        seed = mixed(seed);
        uint256 generation = _pick(seed);
        LeaseRef[] memory refs = new LeaseRef[](1);
        (refs[0],) = _heldBy(generation, seed);
        escrow.settle(refs);
        uint32[] memory nodeIds = new uint32[](NODES);
        for (uint32 i; i < NODES; ++i) nodeIds[i] = i + 1;
        uint256 before = token.balanceOf(address(escrow));
        escrow.collect(nodeIds);
        collected += before - token.balanceOf(address(escrow));
    }
}
