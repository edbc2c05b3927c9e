// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Pauses} from "./Pauses.sol";
import {IEscrow} from "./interfaces/IEscrow.sol";
import {IPomc} from "./interfaces/IPomc.sol";
import {IToken} from "./interfaces/IToken.sol";
import {ClaimTree} from "./libraries/ClaimTree.sol";
import {Funds} from "./pomc/Funds.sol";
import {Receipts} from "./pomc/Receipts.sol";
import {RewardTerms} from "./pomc/Terms.sol";

/// @notice See IPomc. Payments, terms and task receipts are in pomc/.
/// @dev The token is this deployment's own: it makes no calls, and returns true or reverts.
contract Pomc is Receipts, RewardTerms, Funds {
    // | - 24 | isOpen 8 | lap 24 | activatesAt 40 | root 160 |: everything that a claim reads
    // | - 56 | isAttested 8 | totalBefore 96 | total 96 |
    struct Epoch {
        bytes20 root;
        /// @dev The maximum value marks a disabled epoch.
        uint40 activatesAt;
        /// @dev number / RING: identifies the number among those that share the entry.
        uint24 lap;
        /// @dev Whether it is active, tokens were minted for it and nothing was paused since: a claim then checks nothing else.
        bool isOpen;
        uint96 total;
        /// @dev Total of the previous valid epoch; disabling this epoch restores it.
        uint96 totalBefore;
        /// @dev Whether a watcher attested it, which happens once.
        bool isAttested;
    }

    struct Settings {
        uint40 genesis;
        uint40 epochSeconds;
        /// @dev The time after an epoch's end in which evidence about it still counts.
        uint40 settlementSeconds;
        /// @dev From posting a root to its activation, without and with a watcher's attestation.
        uint40 activationDelay;
        uint40 attestedDelay;
        uint96 emissionPerEpoch;
        /// @dev The last number of the previous contract, which keeps paying the epochs up to it; zero without one.
        uint64 epochsBefore;
        /// @dev The highest number that previous contracts may use for batches of receipts.
        uint64 batchesBefore;
        /// @dev A previous contract whose receipts count against the same escrow; zero without one.
        IPomc receiptsBefore;
    }

    /// @dev Claims prove against the latest epochs only, so entries are reused.
    uint64 private constant RING = 128;
    uint40 private constant DISABLED = type(uint40).max;

    uint40 private immutable _genesis;
    uint40 private immutable _settlementSeconds;
    uint40 private immutable _activationDelay;
    uint40 private immutable _attestedDelay;
    uint64 private immutable _epochsBefore;
    uint256 private constant MAX_GRANTS = 512;

    Epoch[RING] private _ring;
    mapping(address account => uint256) private _claimed;

    // | lastTotal 96 | last 64 |
    uint64 private _last;
    uint96 private _lastTotal;

    constructor(address authority_, IToken token, IEscrow escrow, Settings memory settings)
        Receipts(authority_, escrow, settings.batchesBefore, settings.receiptsBefore)
        Funds(token, settings.emissionPerEpoch, settings.epochSeconds)
    {
        if (settings.epochSeconds == 0) revert EpochLengthInvalid(settings.epochSeconds);
        if (settings.attestedDelay > settings.activationDelay) {
            revert EpochDelayInvalid(settings.attestedDelay, settings.activationDelay);
        }
        // Zero: epochs count from the deployment.
        _genesis = settings.genesis == 0 ? uint40(block.timestamp) : settings.genesis;
        _settlementSeconds = settings.settlementSeconds;
        _activationDelay = settings.activationDelay;
        _attestedDelay = settings.attestedDelay;
        _epochsBefore = settings.epochsBefore;
        _last = settings.epochsBefore;
    }

    /// @inheritdoc IPomc
    function postEpoch(uint64 number, bytes20 root, uint128 total, bytes32 dataHash) external pausable onlyPoster {
        (uint64 last, uint96 lastTotal) = (_last, _lastTotal);
        if (root == 0) revert EpochRootZero();
        if (number <= last) revert EpochNotIncreasing(number, last);
        uint256 settledAt = _genesis + uint256(number) * _epochSeconds + _settlementSeconds;
        if (block.timestamp < settledAt) revert EpochNotOver(number, settledAt, block.timestamp);
        if (total < lastTotal) revert EpochTotalDecreased(total, lastTotal);
        uint128 limit = _scheduleUpTo(number);
        if (total > limit) revert EpochScheduleExceeded(total, limit);

        uint40 activatesAt = uint40(block.timestamp) + _activationDelay;
        // The limit has 96 bits. The number of an ended epoch is below 2^31 as long as epochs last a second and
        // genesis is in this century, so its lap has 24.
        _ring[number % RING] = Epoch({
            root: root,
            activatesAt: activatesAt,
            lap: uint24(number / RING),
            isOpen: false,
            total: uint96(total),
            totalBefore: lastTotal,
            isAttested: false
        });
        (_last, _lastTotal) = (number, uint96(total));
        emit EpochPosted(number, root, total, dataHash, activatesAt);
    }

    /// @inheritdoc IPomc
    function attestEpoch(uint64 number, bytes20 root) external onlyWatcher {
        Epoch storage epoch = _epochAt(number);
        uint40 activatesAt = epoch.activatesAt;
        if (activatesAt == DISABLED) revert EpochIsDisabled(number);
        if (block.timestamp >= activatesAt) revert EpochIsActive(number, activatesAt);
        if (epoch.isAttested) revert EpochIsAttested(number);
        if (epoch.root != root) revert EpochRootDiffers(number, epoch.root, root);
        activatesAt -= _activationDelay - _attestedDelay;
        (epoch.isAttested, epoch.activatesAt) = (true, activatesAt);
        emit EpochAttested(number, msg.sender, activatesAt);
    }

    /// @inheritdoc IPomc
    function disableEpoch(uint64 number) external restricted {
        Epoch storage epoch = _epochAt(number);
        if (epoch.activatesAt == DISABLED) revert EpochIsDisabled(number);
        if (block.timestamp >= epoch.activatesAt) revert EpochIsActive(number, epoch.activatesAt);
        // Only epochs after the last number were disabled, so this one is at or before it.
        uint64 last = _last;
        (_last, _lastTotal) = (number - 1, epoch.totalBefore);
        // The ring holds at most RING numbers; older ones of this range were replaced.
        for (uint64 i = number; i <= last && i < number + RING; ++i) {
            Epoch storage later = _ring[i % RING];
            if (later.lap != i / RING || later.activatesAt == 0 || later.activatesAt == DISABLED) continue;
            later.activatesAt = DISABLED;
            emit EpochDisabled(i);
        }
    }

    /// @inheritdoc IPomc
    function claim(uint64 number, address account, uint96 cumulative, bytes calldata proof)
        external
        returns (uint256 amount)
    {
        bytes32 grant = bytes32(bytes20(account)) | bytes32(uint256(cumulative));
        if (_openRootOf(number) != ClaimTree.rootOf(grant, proof)) {
            revert ClaimProofInvalid(account, cumulative);
        }
        uint256 due = _take(account, cumulative);
        if (due == 0) return 0;
        amount = _pay(number, account, due);
        uint256 claimed = cumulative;
        if (amount != due) {
            claimed -= due - amount;
            _claimed[account] = claimed;
            if (amount == 0) return 0;
        }
        emit Claimed(account, claimed);
    }

    /// @inheritdoc IPomc
    function claimMany(uint64 number, bytes32[] calldata grants, bytes calldata proof, bytes calldata flags)
        external
    {
        if (grants.length > MAX_GRANTS) revert ClaimTooLong(grants.length, MAX_GRANTS);
        if (_openRootOf(number) != ClaimTree.rootOfMany(grants, proof, flags)) revert ClaimManyProofInvalid();
        bytes memory paid = new bytes(grants.length * 0x20);
        uint256 count;
        // The index stays below MAX_GRANTS.
        unchecked {
            for (uint256 i; i < grants.length; ++i) {
                bytes32 grant;
                // Within the grants; a checked access would be a separate call here, 50 gas.
                assembly ("memory-safe") {
                    grant := calldataload(add(grants.offset, shl(5, i)))
                }
                address account = address(bytes20(grant));
                // The cast removes the account.
                uint256 due = _take(account, uint96(uint256(grant)));
                if (due == 0) continue;
                uint256 amount = _pay(number, account, due);
                if (amount != due) {
                    // The lowest bits of the grant are the cumulative amount, which is at least what is due.
                    grant = bytes32(uint256(grant) - (due - amount));
                    _claimed[account] = uint96(uint256(grant));
                    if (amount == 0) continue;
                }
                // Within the bytes, which are as many as the grants.
                assembly ("memory-safe") {
                    count := add(count, 1)
                    mstore(add(paid, shl(5, count)), grant)
                }
            }
        }
        // Truncates them to the paid ones.
        assembly ("memory-safe") {
            mstore(paid, shl(5, count))
        }
        emit ClaimedMany(number, paid);
    }

    /// @inheritdoc IPomc
    function claimedOf(address account) external view returns (uint256) {
        return _claimed[account];
    }

    /// @inheritdoc IPomc
    function epochOf(uint64 number)
        external
        view
        returns (bytes20 root, uint128 total, uint40 activatesAt, bool disabled)
    {
        Epoch storage epoch = _ring[number % RING];
        if (epoch.lap != number / RING || epoch.activatesAt == 0) return (0, 0, 0, false);
        disabled = epoch.activatesAt == DISABLED;
        return (epoch.root, epoch.total, disabled ? 0 : epoch.activatesAt, disabled);
    }

    /// @inheritdoc IPomc
    function lastEpoch() external view returns (uint64) {
        return _last;
    }

    /// @inheritdoc IPomc
    function epochsBefore() external view returns (uint64) {
        return _epochsBefore;
    }

    /// @inheritdoc IPomc
    function genesis() external view returns (uint40) {
        return _genesis;
    }

    /// @inheritdoc IPomc
    function epochSeconds() external view returns (uint40) {
        return _epochSeconds;
    }

    /// @inheritdoc IPomc
    function settlementSeconds() external view returns (uint40) {
        return _settlementSeconds;
    }

    /// @inheritdoc IPomc
    function activationDelay() external view returns (uint40) {
        return _activationDelay;
    }

    /// @inheritdoc IPomc
    function attestedDelay() external view returns (uint40) {
        return _attestedDelay;
    }

    /// @inheritdoc IPomc
    function emissionPerEpoch() external view returns (uint128) {
        return _emissionPerEpoch;
    }

    /// @inheritdoc Pauses
    function _bitOf(bytes4 selector) internal pure override returns (uint256) {
        if (selector == IPomc.postEpoch.selector) return 0;
        if (selector == IPomc.commitReceipts.selector) return 1;
        if (selector == IPomc.claim.selector) return FIRST_EXIT;
        if (selector == IPomc.claimMany.selector) return FIRST_EXIT + 1;
        return NONE;
    }

    /// @dev Claims read only their epoch's slot, so a pause of claims is stored there.
    function _afterPause() internal override {
        for (uint256 i; i < RING; ++i) {
            if (_ring[i].isOpen) _ring[i].isOpen = false;
        }
    }

    /// @inheritdoc RewardTerms
    function _firstEpoch() internal view override returns (uint64) {
        return _epochsBefore + 1;
    }

    /// @inheritdoc RewardTerms
    function _currentEpoch() internal view override returns (uint64) {
        if (block.timestamp < _genesis) return 0;
        // A number of seconds, which has 40 bits.
        return uint64((block.timestamp - _genesis) / _epochSeconds + 1);
    }

    /// @dev The root of an active epoch. The first claim from it mints for the claims that follow.
    function _openRootOf(uint64 number) private returns (bytes20 root) {
        Epoch storage epoch = _ring[number % RING];
        // One slot, read once.
        (bytes20 root_, uint40 activatesAt, uint24 lap, bool isOpen) =
            (epoch.root, epoch.activatesAt, epoch.lap, epoch.isOpen);
        if (lap != number / RING || activatesAt == 0) revert EpochUnknown(number);
        // The current time never reaches the mark of a disabled epoch.
        if (block.timestamp < activatesAt) {
            if (activatesAt == DISABLED) revert EpochIsDisabled(number);
            revert EpochNotActive(number, activatesAt);
        }
        root = root_;
        if (!isOpen) _open(epoch);
    }

    function _open(Epoch storage epoch) private {
        _requireRunning();
        if (_isNothingPaused()) epoch.isOpen = true;
        _fund(epoch.total, 0);
    }

    /// @inheritdoc Funds
    function _totalOf(uint64 number) internal view override returns (uint256) {
        return _ring[number % RING].total;
    }

    /// @dev The amount that a cumulative grant pays now: zero when it is repeated.
    function _take(address account, uint256 cumulative) private returns (uint256 amount) {
        uint256 before = _claimed[account];
        if (cumulative <= before) return 0;
        _claimed[account] = cumulative;
        // Compared above.
        unchecked {
            return cumulative - before;
        }
    }

    function _epochAt(uint64 number) private view returns (Epoch storage epoch) {
        epoch = _ring[number % RING];
        if (epoch.lap != number / RING || epoch.activatesAt == 0) revert EpochUnknown(number);
    }

    /// @dev The highest total that may be granted here up to an epoch, truncated to an entry's width, which is far above the
    /// token's cap. Numbers are above those of previous contracts.
    function _scheduleUpTo(uint64 number) private view returns (uint128) {
        uint256 limit = uint256(number - _epochsBefore) * _emissionPerEpoch;
        return limit > type(uint96).max ? type(uint96).max : uint128(limit);
    }
}
