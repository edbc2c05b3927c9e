// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Pauses} from "../Pauses.sol";
import {IPomc} from "../interfaces/IPomc.sol";

/// @title The terms of rewards: stored here and logged, so that anyone can recompute an epoch
abstract contract RewardTerms is IPomc, Pauses {
    uint256 private constant BASIS_POINTS = 10_000;
    /// @dev A lease burns its fee and gets back less: dealing with oneself loses at least a tenth of it.
    uint256 private constant MAX_TASK_PARTS = 9_000;
    uint256 private constant MAX_CLASSES = 16;
    uint256 private constant WEIGHTS = 1_000_000;
    uint256 private constant WEIGHT_SHIFT = 224;

    uint64 private _fromEpoch;
    Terms private _terms;

    /// @inheritdoc IPomc
    function setTerms(Terms calldata terms) external restricted {
        _check(terms);
        uint64 fromEpoch = _fromEpoch == 0 ? _firstEpoch() : _currentEpoch() + 1;
        _fromEpoch = fromEpoch;
        _terms = terms;
        emit TermsSet(fromEpoch, terms);
    }

    /// @inheritdoc IPomc
    function newestTerms() external view returns (uint64 fromEpoch, Terms memory terms) {
        return (_fromEpoch, _terms);
    }

    /// @dev The first epoch that this contract pays.
    function _firstEpoch() internal view virtual returns (uint64);

    /// @dev The epoch of the current time.
    function _currentEpoch() internal view virtual returns (uint64);

    function _check(Terms calldata terms) private pure {
        if (uint256(terms.measurerBasisPoints) + terms.taskBasisPoints > BASIS_POINTS) {
            revert TermsPartsInvalid(terms.measurerBasisPoints, terms.taskBasisPoints);
        }
        if (uint256(terms.nodeTaskBasisPoints) + terms.payerTaskBasisPoints > MAX_TASK_PARTS) {
            revert TermsTasksInvalid(terms.nodeTaskBasisPoints, terms.payerTaskBasisPoints);
        }
        if (terms.bondDays == 0 || terms.bondUptimePermille == 0 || terms.bondUptimePermille > 1_000) {
            revert TermsBondInvalid(terms.bondDays, terms.bondUptimePermille);
        }
        uint256 sum;
        uint256 count = terms.classes.length;
        for (uint256 i; i < count && i < MAX_CLASSES; ++i) sum += uint256(terms.classes[i]) >> WEIGHT_SHIFT;
        if (count > MAX_CLASSES || sum != WEIGHTS) revert TermsWeightsInvalid(count, sum);
    }
}
