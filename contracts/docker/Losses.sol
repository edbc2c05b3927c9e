// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {IReleases} from "../interfaces/IReleases.sol";
import {PackedLosses} from "../libraries/PackedLosses.sol";
import {PriceLimits} from "./PriceLimits.sol";

/// @title Statements of witnesses, and what limits them
/// @notice A keeper alone takes no lease that its owner wants and its node keeps: the chain itself shows why it ends, or a witness,
/// which is another account, states that the node is silent.
abstract contract Losses is IReleases, PriceLimits {
    using PackedLosses for bytes32;

    /// @dev A statement of a witness, or why it does not count.
    struct Loss {
        uint32 nodeId;
        address witness;
        bytes refusal;
    }

    /// @dev Seconds for which a statement counts; the clocks of witness and chain differ by at most as much.
    uint256 private constant STATEMENT_SECONDS = 30;
    uint256 private constant WINDOW_SECONDS = 10 minutes;

    uint16 private immutable _lossBasisPoints;
    uint32 private immutable _lossFloor;
    uint32 private immutable _silenceSeconds;

    constructor(LossTerms memory terms_) {
        if (terms_.basisPoints > 10_000 || terms_.floor == 0) revert LossTermsInvalid();
        (_lossBasisPoints, _lossFloor) = (terms_.basisPoints, terms_.floor);
        _silenceSeconds = terms_.silenceSeconds;
    }

    /// @inheritdoc IReleases
    function lossTerms() external view returns (LossTerms memory) {
        return LossTerms(_lossBasisPoints, _lossFloor, _silenceSeconds);
    }

    /// @dev Checks each statement once, whatever the number of leases that it releases.
    function _checkLosses(SignedLoss[] calldata given) internal returns (Loss[] memory losses) {
        uint256 count = _checkLength(given.length);
        losses = new Loss[](count);
        for (uint256 i; i < count; ++i) {
            bytes32 head = given[i].head;
            (address signer, ECDSA.RecoverError fault,) =
                ECDSA.tryRecover(_hashTypedDataV4(head.hash()), given[i].r, given[i].vs);
            bool isSigned = fault == ECDSA.RecoverError.NoError && _witnesses[signer].allowed;
            losses[i].nodeId = head.nodeId();
            losses[i].witness = signer;
            losses[i].refusal =
                isSigned ? _checkTimes(head) : abi.encodeWithSelector(LossUnsigned.selector, head.nodeId(), signer);
            if (losses[i].refusal.length != 0) continue;
            emit LossStated(head.nodeId(), signer, head.lastHeard(), head.statedAt());
        }
    }

    /// @dev The node's statement that counts, or else one that says why it does not.
    function _lossOf(uint32 nodeId, Loss[] memory losses) internal pure returns (Loss memory found) {
        for (uint256 i; i < losses.length; ++i) {
            if (losses[i].nodeId != nodeId) continue;
            found = losses[i];
            if (found.refusal.length == 0) return found;
        }
    }

    /// @dev Counts a lease that a statement of the witness releases, within its part of the live leases. ComputeNode counts this
    /// contract's reservations, of which each live lease has one. A retired contract has no floor: its successor has one, and two
    /// would let a thief of both keys take twice as many.
    function _countLoss(address account) internal returns (bytes memory refusal) {
        Witness memory witness = _witnesses[account];
        (, bool isRetired, uint64 live) = _computeNode.dockerOf(address(this));
        uint256 limit = (uint256(live) * _lossBasisPoints + 9_999) / 10_000;
        if (!isRetired && limit < _lossFloor) limit = _lossFloor;
        if (block.timestamp >= witness.windowAt + WINDOW_SECONDS) {
            (witness.windowAt, witness.released) = (uint40(block.timestamp), 0);
        }
        if (witness.released >= limit) {
            uint256 nextAt = witness.windowAt + WINDOW_SECONDS;
            return abi.encodeWithSelector(LossLimitReached.selector, account, limit, nextAt);
        }
        witness.released += 1;
        _witnesses[account] = witness;
    }

    function _checkTimes(bytes32 head) private view returns (bytes memory refusal) {
        (uint256 lastHeard, uint256 statedAt) = (head.lastHeard(), head.statedAt());
        uint256 time = block.timestamp;
        if (statedAt + STATEMENT_SECONDS < time || statedAt > time + STATEMENT_SECONDS) {
            return _refuseLoss(LossStale.selector, head, statedAt, time);
        }
        if (lastHeard + _silenceSeconds > time || lastHeard > statedAt) {
            return _refuseLoss(LossTooRecent.selector, head, lastHeard, _silenceSeconds);
        }
    }

    function _refuseLoss(bytes4 selector, bytes32 head, uint256 stated, uint256 against)
        private
        pure
        returns (bytes memory)
    {
        return abi.encodeWithSelector(selector, head.nodeId(), stated, against);
    }
}
