// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Reward epochs and claims
/// @notice Each epoch posts one cumulative Merkle root. Leaves are OpenZeppelin standard leaves of (address account,
/// uint256 cumulative); internal nodes are keccak256 of the sorted pair.
interface IPomc {
    /// @param total Everything ever granted up to this epoch, token units (1e-18).
    /// @param dataHash keccak256 of the canonical epoch document, from which anyone recomputes the root.
    event EpochPosted(uint64 indexed number, bytes32 root, uint128 total, bytes32 dataHash, uint40 activatesAt);
    event EpochDisabled(uint64 indexed number);
    event Claimed(
        address indexed account, address indexed to, uint64 indexed number, uint128 amount, uint128 cumulative
    );

    error EpochNotOver(uint64 number, uint256 endsAt, uint256 time);
    error EpochNotRising(uint64 number, uint64 last);
    error EpochTotalFalls(uint128 total, uint128 last);
    error EpochScheduleExceeded(uint128 total, uint128 limit);
    error EpochUnknown(uint64 number);
    error EpochNotActive(uint64 number, uint40 activatesAt);
    error EpochIsDisabled(uint64 number);
    error EpochIsActive(uint64 number, uint40 activatesAt);
    error ClaimProofInvalid(address account, uint128 cumulative);
    error CallerNotPoster(address caller);

    /// @notice Poster only. `number` must rise, its time must be over, and `total` must stay within the schedule.
    function postEpoch(uint64 number, bytes32 root, uint128 total, bytes32 dataHash) external;

    /// @notice Guardian only, before the epoch activates.
    function disableEpoch(uint64 number) external;

    /// @notice Pays what `account` has not had yet; a repeat pays 0. Anyone may call; the money goes to the account, or
    /// to the bound wallet where the account is a node's key.
    /// @return amount What was paid.
    function claim(uint64 number, address account, uint128 cumulative, bytes32[] calldata proof)
        external
        returns (uint128 amount);

    function claimedOf(address account) external view returns (uint128);
    function epochOf(uint64 number)
        external
        view
        returns (bytes32 root, uint128 total, uint40 activatesAt, bool disabled);
    function lastEpoch() external view returns (uint64);

    /// @notice Epoch n covers [genesis + (n − 1) × length, genesis + n × length), n from 1.
    function genesis() external view returns (uint40);
    function epochSeconds() external view returns (uint40);
    function activationDelay() external view returns (uint40);
    function emissionPerEpoch() external view returns (uint128);
}
