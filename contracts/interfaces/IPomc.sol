// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IPauses} from "./IPauses.sol";

/// @title Reward epochs, claims and task receipts
/// @notice Each epoch posts one cumulative Merkle root (see ClaimTree). Anyone may submit a proof; the money goes to the
/// account in the root. The grants of an epoch are minted at the first claim from it, so the payments never exceed the grants
/// of active epochs.
interface IPomc is IPauses {
    /// @param total Everything granted here up to this epoch, token units (1e-18).
    /// @param dataHash keccak256 of the canonical epoch document, from which anyone can recompute the root.
    event EpochPosted(uint64 indexed number, bytes20 root, uint128 total, bytes32 dataHash, uint40 activatesAt);
    event EpochDisabled(uint64 indexed number);
    event PosterSet(address indexed poster);

    /// @notice An account has claimed everything up to `cumulative`; the token's Transfer event of the same call has the amount.
    event Claimed(address indexed account, uint256 cumulative);

    /// @notice The same for many: | account 160 | cumulative 96 | each, one after the other, without accounts
    /// that had nothing to claim.
    event ClaimedMany(uint64 indexed number, bytes grants);

    /// @notice A batch of receipts for completed tasks. The contract stores the root; this log has the totals.
    /// @param root Of the receipts' tree, 32-byte nodes, the smaller of two first.
    /// @param nodeTotals The cost of each node's tasks: | - 128 | nodeId 32 | amount 96 | each.
    /// @param payerTotals The cost of each payer's tasks: | account 160 | amount 96 | each.
    event ReceiptsCommitted(
        uint64 indexed number, bytes32 root, uint256 total, bytes32[] nodeTotals, bytes32[] payerTotals
    );

    error ReceiptsRootZero();
    error ReceiptsTooMany(uint256 totals, uint256 limit);
    error ReceiptsUnbalanced(uint256 nodesTotal, uint256 payersTotal);
    error ReceiptsExceedEarned(uint32 nodeId, uint256 receipts, uint256 earned);
    error ReceiptsExceedSpent(address account, uint256 receipts, uint256 spent);
    error EpochNotOver(uint64 number, uint256 endsAt, uint256 time);
    error EpochNotIncreasing(uint64 number, uint64 last);
    error EpochTotalDecreased(uint128 total, uint128 last);
    error EpochScheduleExceeded(uint128 total, uint128 limit);
    error EpochRootZero();
    error EpochUnknown(uint64 number);
    error EpochNotActive(uint64 number, uint40 activatesAt);
    error EpochIsDisabled(uint64 number);
    error EpochIsActive(uint64 number, uint40 activatesAt);
    error EpochLengthInvalid(uint40 epochSeconds);
    error ClaimProofInvalid(address account, uint96 cumulative);
    error ClaimManyProofInvalid();
    error ClaimTooLong(uint256 grants, uint256 limit);
    error CallerNotPoster(address caller);

    /// @notice Sets the poster. Restricted.
    function setPoster(address poster) external;

    /// @notice Poster only. `number` must be above the last one that is not disabled, its time must have ended, and `total` must
    /// not fall and must stay within the schedule.
    function postEpoch(uint64 number, bytes20 root, uint128 total, bytes32 dataHash) external;

    /// @notice Disables an epoch before it activates, and every epoch posted after it, since they build on it. A corrected
    /// one may then be posted under the same number or a later one. Restricted (guardian).
    function disableEpoch(uint64 number) external;

    /// @notice From an active epoch among the latest: pays `account` the unclaimed part of its grant; a repeat pays 0. Anyone.
    /// @param proof The leaf's siblings, from the lowest, 20 bytes each.
    /// @return amount The paid amount.
    function claim(uint64 number, address account, uint96 cumulative, bytes calldata proof)
        external
        returns (uint256 amount);

    /// @notice The same for many accounts with one proof. Anyone.
    /// @param grants | account 160 | cumulative 96 | each, in the order of the tree.
    /// @param proof The nodes that do not follow from the grants, 20 bytes each, in the order of their use.
    /// @param flags One bit per step, see ClaimTree.
    function claimMany(uint64 number, bytes32[] calldata grants, bytes calldata proof, bytes calldata flags) external;

    /// @notice Records a batch of task receipts. Poster only. Both lists must have the same sum. All receipts of a node
    /// together must not exceed its earnings in the escrow, nor those of a payer its payments there.
    /// @return number The batch's number, from 1.
    function commitReceipts(bytes32 root, bytes32[] calldata nodeTotals, bytes32[] calldata payerTotals)
        external
        returns (uint64 number);

    /// @notice Root of a batch of receipts; zero when it does not exist.
    function receiptsRootOf(uint64 number) external view returns (bytes32);

    /// @notice Number of the last batch of receipts.
    function lastReceipts() external view returns (uint64);

    /// @notice The sum of all receipts of a node, or of a payer.
    function receiptsOfNode(uint32 nodeId) external view returns (uint256);
    function receiptsOfPayer(address account) external view returns (uint256);

    function poster() external view returns (address);
    function claimedOf(address account) external view returns (uint256);

    /// @notice A posted epoch that is still among the latest; all zero otherwise. `activatesAt` of a disabled one is zero.
    function epochOf(uint64 number)
        external
        view
        returns (bytes20 root, uint128 total, uint40 activatesAt, bool disabled);

    /// @notice Number of the last epoch that is not disabled; right after one was disabled, the number before it.
    function lastEpoch() external view returns (uint64);

    /// @notice Epochs up to this number belong to the previous contract. Here grants and totals count from zero after it.
    function epochsBefore() external view returns (uint64);

    /// @notice Epoch n covers [genesis + (n − 1) × length, genesis + n × length), n from 1.
    function genesis() external view returns (uint40);
    function epochSeconds() external view returns (uint40);
    function activationDelay() external view returns (uint40);
    function emissionPerEpoch() external view returns (uint128);
}
