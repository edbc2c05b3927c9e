// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IDismissals} from "./IDismissals.sol";
import {IPauses} from "./IPauses.sol";

/// @title Reward epochs, claims, reward terms and task receipts
/// @notice Each epoch posts one cumulative Merkle root (see ClaimTree). Anyone may submit a proof; the money goes to the
/// account in the root. A root is active late, earlier if a watcher attests it. Grants are minted as they are claimed, within
/// the schedule and within a budget per time, so that a false root takes a bounded amount.
interface IPomc is IDismissals, IPauses {
    /// @notice How an epoch's emission is shared; see docs/rewards.md. Basis points are hundredths of a percent.
    struct Terms {
        /// @dev Part of the emission for measurers.
        uint16 measurerBasisPoints;
        /// @dev Part of the emission that is reserved for task incentives.
        uint16 taskBasisPoints;
        /// @dev A node's and a payer's part of a lease's task incentive; together at most 9,000.
        uint16 nodeTaskBasisPoints;
        uint16 payerTaskBasisPoints;
        /// @dev Most that one result of a measurer earns, token units.
        uint96 measurerRate;
        /// @dev Least amount withheld from a node's first rewards, token units.
        uint96 bond;
        /// @dev The bond is at least this many times the node's highest reward of an epoch.
        uint16 bondEpochs;
        /// @dev Days of uptime after which the bond is returned, and the presence that makes a day count.
        uint16 bondDays;
        uint16 bondUptimePermille;
        /// @dev Hash of the catalogue that determines classes and units from proven hardware.
        bytes32 catalogue;
        /// @dev By class, CPUs first: | weight 32 | rate 96 | - 64 | ceiling 64 |. The weights are millionths and add up to
        /// 1,000,000; the rate is token units for one unit in one slot; the ceiling is token units per second for one unit.
        bytes32[] classes;
    }

    /// @param number The epoch.
    /// @param root See ClaimTree.
    /// @param total Everything granted here up to this epoch, token units (1e-18).
    /// @param dataHash keccak256 of the canonical epoch document, from which anyone can recompute the root.
    /// @param activatesAt When the root becomes active without an attestation, Unix seconds.
    event EpochPosted(uint64 indexed number, bytes20 root, uint128 total, bytes32 dataHash, uint40 activatesAt);

    /// @notice A watcher recomputed the root; it is active from `activatesAt` on.
    event EpochAttested(uint64 indexed number, address indexed watcher, uint40 activatesAt);
    event EpochDisabled(uint64 indexed number);
    event PosterSet(address indexed poster);
    event ReceiptsPosterSet(address indexed poster);
    event WatcherSet(address indexed account, bool allowed);

    /// @notice The terms of the epochs from `fromEpoch` on, until other terms apply.
    event TermsSet(uint64 indexed fromEpoch, Terms terms);

    /// @notice An account has claimed everything up to `cumulative`; the token's Transfer event of the same call has the amount.
    event Claimed(address indexed account, uint256 cumulative);

    /// @notice The same for many: | account 160 | cumulative 96 | each, one after the other, without accounts
    /// that were paid nothing.
    event ClaimedMany(uint64 indexed number, bytes grants);

    /// @notice A batch of receipts for completed tasks. The contract stores the root; this log has the totals.
    /// @param number The batch's number, from 1.
    /// @param root Of the receipts' tree, 32-byte nodes, the smaller of two first.
    /// @param total The sum of all receipts, token units.
    /// @param leaseTotals The cost of each lease's tasks:
    /// | nodeId 32 | workspaceId 64 | replica 16 | lease 32 | - 16 | amount 96 | each.
    /// @param payerTotals The cost of each payer's tasks: | account 160 | amount 96 | each.
    event ReceiptsCommitted(
        uint64 indexed number, bytes32 root, uint256 total, bytes32[] leaseTotals, bytes32[] payerTotals
    );

    error ReceiptsRootZero();
    error ReceiptsTooMany(uint256 totals, uint256 limit);
    error ReceiptsUnbalanced(uint256 leasesTotal, uint256 payersTotal);
    error ReceiptsExceedEarned(uint32 nodeId, uint256 receipts, uint256 earned);
    error ReceiptsExceedSpent(address account, uint256 receipts, uint256 spent);
    error EpochNotOver(uint64 number, uint256 settledAt, uint256 time);
    error EpochNotIncreasing(uint64 number, uint64 last);
    error EpochTotalDecreased(uint128 total, uint128 last);
    error EpochScheduleExceeded(uint128 total, uint128 limit);
    error EpochRootZero();
    error EpochUnknown(uint64 number);
    error EpochNotActive(uint64 number, uint40 activatesAt);
    error EpochIsDisabled(uint64 number);
    error EpochIsActive(uint64 number, uint40 activatesAt);
    error EpochIsAttested(uint64 number);

    /// @notice The epoch has another root than the attested one.
    error EpochRootDiffers(uint64 number, bytes20 root, bytes20 attested);
    error EpochLengthInvalid(uint40 epochSeconds);

    /// @notice An attested root would be active later than another one.
    error EpochDelayInvalid(uint40 attestedDelay, uint40 activationDelay);
    error ClaimProofInvalid(address account, uint96 cumulative);
    error ClaimManyProofInvalid();
    error ClaimTooLong(uint256 grants, uint256 limit);
    error CallerNotPoster(address caller);
    error CallerNotReceiptsPoster(address caller);
    error CallerNotWatcher(address caller);

    /// @notice The account has another power here, and each key has one.
    error AccountHasPower(address account);
    error TermsPartsInvalid(uint256 measurerBasisPoints, uint256 taskBasisPoints);
    error TermsTasksInvalid(uint256 nodeTaskBasisPoints, uint256 payerTaskBasisPoints);
    error TermsWeightsInvalid(uint256 classes, uint256 sum);
    error TermsBondInvalid(uint16 bondDays, uint16 bondUptimePermille);

    /// @notice Sets the poster of epochs. Restricted (operations).
    /// @param account The poster; the zero address for none.
    function setPoster(address account) external;

    /// @notice Sets the poster of task receipts. Restricted (operations).
    /// @param account The poster; the zero address for none.
    function setReceiptsPoster(address account) external;

    /// @notice Lets an account attest epochs that it recomputed, or stops it. Restricted (operations).
    /// @param account The watcher; never a poster.
    /// @param allowed Whether it may attest.
    function setWatcher(address account, bool allowed) external;

    /// @notice Sets the terms of rewards. The first terms apply from the first epoch on; later ones from the epoch after the
    /// current one. Restricted (governance).
    /// @param terms The new terms.
    function setTerms(Terms calldata terms) external;

    /// @notice Posts an epoch. Poster only, once the evidence of the epoch is complete (`settlementSeconds` after its end).
    /// @param number Above the last number that is not disabled.
    /// @param root Of the cumulative grants, see ClaimTree.
    /// @param total The sum of all grants; it must not fall, and must stay within the schedule.
    /// @param dataHash keccak256 of the canonical epoch document.
    function postEpoch(uint64 number, bytes20 root, uint128 total, bytes32 dataHash) external;

    /// @notice Confirms an epoch, so that it is active `attestedDelay` after it was posted. Watchers only, once for each epoch.
    /// @param number A posted epoch that is not active.
    /// @param root The root that the watcher computed; another one is refused.
    function attestEpoch(uint64 number, bytes20 root) external;

    /// @notice Disables an epoch before it activates, and every epoch posted after it, since they build on it. A corrected
    /// one may then be posted under the same number or a later one. Restricted (guardian).
    /// @param number The epoch.
    function disableEpoch(uint64 number) external;

    /// @notice From an active epoch among the latest: pays `account` the unclaimed part of its grant, or the available part of
    /// it; a repeat pays the rest. Anyone.
    /// @param number The epoch.
    /// @param account The account in the root.
    /// @param cumulative Everything that the root grants it, token units.
    /// @param proof The leaf's siblings, from the lowest, 20 bytes each.
    /// @return amount The paid amount.
    function claim(uint64 number, address account, uint96 cumulative, bytes calldata proof)
        external
        returns (uint256 amount);

    /// @notice The same for many accounts with one proof. Anyone.
    /// @param number The epoch.
    /// @param grants | account 160 | cumulative 96 | each, in the order of the tree.
    /// @param proof The nodes that do not follow from the grants, 20 bytes each, in the order of their use.
    /// @param flags One bit per step, see ClaimTree.
    function claimMany(uint64 number, bytes32[] calldata grants, bytes calldata proof, bytes calldata flags) external;

    /// @notice Records a batch of task receipts. Receipts' poster only. Both lists must have the same sum. All receipts of a
    /// node together must not exceed its earnings in the escrow, nor those of a payer its payments there.
    /// @param root Of the receipts' tree.
    /// @param leaseTotals The cost of each lease's tasks, as in ReceiptsCommitted.
    /// @param payerTotals The cost of each payer's tasks, as in ReceiptsCommitted.
    /// @return number The batch's number, from 1.
    function commitReceipts(bytes32 root, bytes32[] calldata leaseTotals, bytes32[] calldata payerTotals)
        external
        returns (uint64 number);

    /// @notice The root of a batch of receipts.
    /// @param number A batch of receipts.
    /// @return root Its root; zero when it does not exist.
    function receiptsRootOf(uint64 number) external view returns (bytes32 root);

    /// @notice The number of the newest batch of receipts.
    /// @return number The last batch of receipts.
    function lastReceipts() external view returns (uint64 number);

    /// @notice The receipts of a node.
    /// @param nodeId A node.
    /// @return amount The sum of all its receipts, token units.
    function receiptsOfNode(uint32 nodeId) external view returns (uint256 amount);

    /// @notice The receipts of a payer.
    /// @param account A payer.
    /// @return amount The sum of all its receipts, token units.
    function receiptsOfPayer(address account) external view returns (uint256 amount);

    /// @notice The poster of epochs.
    /// @return account The poster of epochs.
    function poster() external view returns (address account);

    /// @notice The poster of task receipts.
    /// @return account The poster of task receipts.
    function receiptsPoster() external view returns (address account);

    /// @notice Whether an account is a watcher.
    /// @param account An account.
    /// @return allowed Whether it may attest epochs.
    function isWatcher(address account) external view returns (bool allowed);

    /// @notice What an account was paid.
    /// @param account An account.
    /// @return amount Everything it was paid here, token units.
    function claimedOf(address account) external view returns (uint256 amount);

    /// @notice A posted epoch that is still among the latest; all zero otherwise.
    /// @param number The epoch.
    /// @return root Its root.
    /// @return total Everything granted up to it.
    /// @return activatesAt When it becomes active; zero when it is disabled.
    /// @return disabled Whether it is disabled.
    function epochOf(uint64 number)
        external
        view
        returns (bytes20 root, uint128 total, uint40 activatesAt, bool disabled);

    /// @notice The newest epoch.
    /// @return number The last epoch that is not disabled; right after one was disabled, the number before it.
    function lastEpoch() external view returns (uint64 number);

    /// @notice The newest terms of rewards.
    /// @return fromEpoch The first epoch of the newest terms; zero before there are any.
    /// @return terms The newest terms.
    function newestTerms() external view returns (uint64 fromEpoch, Terms memory terms);

    /// @notice Epochs up to this number belong to the previous contract. Here grants and totals count from zero after it.
    /// @return number The last epoch of the previous contract.
    function epochsBefore() external view returns (uint64 number);

    /// @notice Epoch n covers [genesis + (n − 1) × length, genesis + n × length), n from 1.
    /// @return time Unix seconds.
    function genesis() external view returns (uint40 time);

    /// @notice The length of an epoch.
    /// @return length The length of an epoch, seconds.
    function epochSeconds() external view returns (uint40 length);

    /// @notice The time after an epoch's end in which evidence about it still counts. It can be posted only afterwards.
    /// @return duration Seconds.
    function settlementSeconds() external view returns (uint40 duration);

    /// @notice The time from posting a root to its activation.
    /// @return delay The time from posting a root to its activation, seconds.
    function activationDelay() external view returns (uint40 delay);

    /// @notice The same for a root that a watcher attested.
    /// @return delay The same for a root that a watcher attested.
    function attestedDelay() external view returns (uint40 delay);

    /// @notice The most granted for one epoch.
    /// @return amount The most granted for one epoch, token units. Within the length of an epoch at most twice as much is paid.
    function emissionPerEpoch() external view returns (uint128 amount);
}
