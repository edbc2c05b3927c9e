// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Generations} from "./Generations.sol";
import {vm} from "./Vm.sol";

/// @notice Epochs of a replaced Pomc. The posters request the complete schedule, and epochs of the other Pomc.
contract GenerationRewards is Generations {
    address private constant REWARDED = address(0xacc0);

    /// @notice The generations that posted an epoch and that paid from it, a bit each.
    mapping(uint64 number => uint256) public posters;
    mapping(uint64 number => uint256) public payers;
    mapping(uint256 generation => mapping(uint64 number => uint96)) private _grants;
    mapping(uint256 generation => uint64) private _highest;
    string public rewardFault;
    uint256[2] public claims;

    function pass(uint256 time) external {
        vm.warp(block.timestamp + 1 + time % 3 hours);
        vm.roll(block.number + 1);
    }

    /// @notice A recent epoch at either Pomc, with the total that is still free or a higher one.
    function post(uint256 seed) external {
        seed = mixed(seed);
        uint256 generation = _pick(seed);
        uint64 number = uint64((block.timestamp - START) / EPOCH_SECONDS);
        uint64 back = (seed >> 32) % 2 == 0 ? 0 : uint64((seed >> 8) % 4);
        number -= number > back ? back : 0;
        uint64 before = (seed >> 16) % 3 == 0 ? 0 : pomc.epochsBefore();
        uint96 total = number > before ? uint96(number - before) * EMISSION : 0;
        // One account has all of it, so the leaf is the root.
        bytes32 grant = bytes32((uint256(uint160(REWARDED)) << 96) | total);
        try pomc.postEpoch(number, bytes20(keccak256(abi.encode(grant))), total, 0) {
            posters[number] |= 1 << generation;
            (_grants[generation][number], _highest[generation]) = (total, number);
            if (!isUnpaused && posters[number] == 3) rewardFault = "two posted one epoch";
        } catch {}
    }

    function disable(uint256 seed) external {
        seed = mixed(seed);
        if (seed % 4 != 0) return;
        uint256 generation = _pick(seed >> 2);
        uint64 number = _recent(generation, seed >> 8);
        try pomc.disableEpoch(number) {
            for (uint64 i = number; i <= _highest[generation]; ++i) posters[i] &= ~(1 << generation);
        } catch {}
    }

    /// @notice From a recent epoch, now or once it may be active.
    function claim(uint256 seed) external {
        seed = mixed(seed);
        uint256 generation = _pick(seed);
        uint64 number = _recent(generation, seed >> 8);
        if ((seed >> 16) % 2 == 0) vm.warp(block.timestamp + ACTIVATION_DELAY);
        uint256 before = token.balanceOf(REWARDED);
        try pomc.claim(number, REWARDED, _grants[generation][number], "") returns (uint256 amount) {
            if (token.balanceOf(REWARDED) != before + amount) rewardFault = "a claim paid another amount";
            if (amount == 0) return;
            ++claims[generation];
            payers[number] |= 1 << generation;
            if (!isUnpaused && payers[number] == 3) rewardFault = "two paid one epoch";
        } catch {}
    }

    function _isInUse() internal view override returns (bool) {
        return pomc.lastEpoch() > 2;
    }

    function _recent(uint256 generation, uint256 seed) private view returns (uint64) {
        uint64 back = uint64(seed % 4 < 2 ? 0 : seed % 3);
        return _highest[generation] > back ? _highest[generation] - back : _highest[generation];
    }
}
