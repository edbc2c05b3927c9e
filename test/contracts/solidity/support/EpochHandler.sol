// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Market} from "./Market.sol";
import {vm} from "./Vm.sol";

/// @notice Epochs over four accounts by a poster that may be dishonest, a watcher, a guardian, and anyone who claims.
contract EpochHandler is Market {
    struct Posted {
        bytes20 root;
        uint96[4] grants;
        uint256 total;
        uint256 activatesAt;
        bool disabled;
        bool attested;
    }

    struct Payment {
        uint256 time;
        uint256 amount;
    }

    mapping(uint64 number => Posted) private _posted;
    mapping(address account => uint256) public paidTo;
    uint64 public last;
    /// @dev The last posted and not disabled epoch; disabling one restores the number before it, posted or not.
    uint64 private _valid;
    uint64 private _highest;
    uint256 public paid;
    /// @notice The highest total of an epoch that was active at a claim from it.
    uint256 public granted;
    uint256 public claims;
    uint256 public partialClaims;
    uint256 public attestations;
    Payment[] private _payments;
    string public fault;

    function accountOf(uint256 index) public pure returns (address) {
        return address(uint160(0xacc0 + index % 4));
    }

    function pass(uint256 time) external {
        vm.warp(block.timestamp + 1 + time % 2 hours);
    }

    /// @notice The grants may exceed the total, the total the schedule, and the number the ended epochs.
    function post(uint256 seed) external {
        seed = mixed(seed);
        uint64 now_ = uint64((block.timestamp - START) / EPOCH_SECONDS);
        uint64 number = now_ + uint64(seed % 3) - (now_ == 0 ? 0 : 1);
        Posted memory epoch = _posted[number];
        (epoch.disabled, epoch.attested) = (false, false);
        uint96[4] memory before = _posted[_valid].grants;
        for (uint256 i; i < 4; ++i) {
            epoch.grants[i] = before[i] + uint96((seed >> (16 * i + 8)) % 500 ether);
            epoch.total = (i == 0 ? 0 : epoch.total) + epoch.grants[i];
        }
        if ((seed >> 80) % 4 == 0) epoch.total = epoch.total / 2;
        epoch.root = _rootOf(epoch.grants);
        epoch.activatesAt = block.timestamp + ACTIVATION_DELAY;
        uint256 lastTotal = _posted[_valid].total;
        bool isDue = START + uint256(number) * EPOCH_SECONDS <= block.timestamp;
        try pomc.postEpoch(number, epoch.root, uint128(epoch.total), 0) {
            if (epoch.total > uint256(number) * EMISSION) fault = "a total beyond the schedule was posted";
            if (number <= last || !isDue) fault = "an epoch was posted out of turn";
            if (epoch.total < lastTotal) fault = "a total fell";
            _posted[number] = epoch;
            (last, _valid, _highest) = (number, number, number > _highest ? number : _highest);
        } catch {
            if (number > last && isDue && epoch.total >= lastTotal && epoch.total <= uint256(number) * EMISSION) {
                fault = "an epoch was refused that was in order";
            }
        }
    }

    /// @notice Of a recent epoch, by the watcher or another, with its root or another.
    function attest(uint256 seed) external {
        seed = mixed(seed);
        uint64 number = _recent(seed % 3);
        Posted storage epoch = _posted[number];
        bool isWatcher = (seed >> 8) % 4 != 0;
        bytes20 root = (seed >> 16) % 4 == 0 ? bytes20(uint160(1)) : epoch.root;
        vm.prank(isWatcher ? WATCHER : address(0x57a));
        try pomc.attestEpoch(number, root) {
            if (!isWatcher || root != epoch.root) fault = "another account or root was accepted as an attestation";
            if (epoch.disabled || epoch.attested || block.timestamp >= epoch.activatesAt) {
                fault = "an epoch was attested that is disabled, active or attested";
            }
            epoch.attested = true;
            epoch.activatesAt -= ACTIVATION_DELAY - ATTESTED_DELAY;
            ++attestations;
        } catch {}
    }

    /// @notice What was paid in the length of an epoch up to now.
    function paidLately() external view returns (uint256 sum) {
        for (uint256 i = _payments.length; i > 0 && _payments[i - 1].time + EPOCH_SECONDS > block.timestamp; --i) {
            sum += _payments[i - 1].amount;
        }
    }

    function disable(uint256 seed) external {
        seed = mixed(seed);
        uint64 number = _recent(seed % 3);
        Posted storage epoch = _posted[number];
        try pomc.disableEpoch(number) {
            if (block.timestamp >= epoch.activatesAt || epoch.disabled) fault = "an active epoch was disabled";
            for (uint64 i = number; i <= _highest; ++i) _posted[i].disabled = true;
            last = number - 1;
            _valid = last;
            while (_valid != 0 && (_posted[_valid].root == 0 || _posted[_valid].disabled)) --_valid;
        } catch {}
    }

    /// @notice From any epoch, by anyone, for the grant or for more.
    function claim(uint256 seed) external {
        seed = mixed(seed);
        uint64 number = _recent(seed % 4);
        uint256 index = (seed >> 8) % 4;
        Posted storage epoch = _posted[number];
        uint96 cumulative = epoch.grants[index] + ((seed >> 16) % 8 == 0 ? 1 : 0);
        uint256 before = token.balanceOf(accountOf(index));
        vm.prank(address(0x57a));
        try pomc.claim(number, accountOf(index), cumulative, _proofOf(epoch.grants, index)) returns (uint256 amount) {
            if (epoch.disabled || block.timestamp < epoch.activatesAt) fault = "an epoch paid that is not active";
            if (cumulative != epoch.grants[index]) fault = "more was paid than the root grants";
            if (token.balanceOf(accountOf(index)) != before + amount) fault = "a claim paid another amount";
            _book(epoch, index, amount, cumulative);
        } catch {
            if (token.balanceOf(accountOf(index)) != before) fault = "a refused claim paid";
        }
    }

    /// @notice All four in one call, twice; the second time pays nothing.
    function claimMany(uint256 seed) external {
        seed = mixed(seed);
        uint64 number = _recent(seed % 4);
        Posted storage epoch = _posted[number];
        bytes32[] memory grants = new bytes32[](4);
        uint256[4] memory before;
        for (uint256 i; i < 4; ++i) {
            grants[i] = _grantOf(epoch.grants, i);
            before[i] = token.balanceOf(accountOf(i));
        }
        try pomc.claimMany(number, grants, "", hex"07") {
            if (epoch.disabled || block.timestamp < epoch.activatesAt) fault = "an epoch paid that is not active";
            for (uint256 i; i < 4; ++i) {
                _book(epoch, i, token.balanceOf(accountOf(i)) - before[i], epoch.grants[i]);
            }
            // Whoever was paid in full is paid nothing by a repeat; in the same second there is no more for the others.
            pomc.claimMany(number, grants, "", hex"07");
            for (uint256 i; i < 4; ++i) {
                if (token.balanceOf(accountOf(i)) != paidTo[accountOf(i)]) fault = "a repeat paid";
            }
        } catch {}
    }

    function _recent(uint256 back) private view returns (uint64) {
        return back > _highest ? 0 : _highest - uint64(back);
    }

    function _book(Posted storage epoch, uint256 index, uint256 amount, uint256 cumulative) private {
        address account = accountOf(index);
        uint256 due = cumulative > paidTo[account] ? cumulative - paidTo[account] : 0;
        if (amount > due) fault = "a claim is above the grant less what was paid";
        if (amount < due) {
            ++partialClaims;
            if (token.balanceOf(address(pomc)) != 0) fault = "a claim was paid in part while there was more";
        }
        paidTo[account] += amount;
        paid += amount;
        _payments.push(Payment(block.timestamp, amount));
        if (epoch.total > granted) granted = epoch.total;
        if (amount != 0) ++claims;
    }

    function _grantOf(uint96[4] memory grants, uint256 index) private pure returns (bytes32) {
        return bytes32((uint256(uint160(accountOf(index))) << 96) | grants[index]);
    }

    function _leafOf(uint96[4] memory grants, uint256 index) private pure returns (bytes20) {
        return bytes20(keccak256(abi.encode(_grantOf(grants, index))));
    }

    function _parentOf(bytes20 one, bytes20 two) private pure returns (bytes20) {
        return bytes20(keccak256(one < two ? abi.encodePacked(one, two) : abi.encodePacked(two, one)));
    }

    function _rootOf(uint96[4] memory grants) private pure returns (bytes20) {
        return _parentOf(
            _parentOf(_leafOf(grants, 0), _leafOf(grants, 1)), _parentOf(_leafOf(grants, 2), _leafOf(grants, 3))
        );
    }

    function _proofOf(uint96[4] memory grants, uint256 index) private pure returns (bytes memory) {
        uint256 other = index ^ 2;
        return abi.encodePacked(_leafOf(grants, index ^ 1), _parentOf(_leafOf(grants, other), _leafOf(grants, other ^ 1)));
    }
}
