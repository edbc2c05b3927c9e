// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Pauses} from "../Pauses.sol";
import {IDismissals} from "../interfaces/IDismissals.sol";
import {IEscrow} from "../interfaces/IEscrow.sol";
import {IPomc} from "../interfaces/IPomc.sol";

/// @title The cost of tasks: one root for many receipts, never above the payments to the escrow
abstract contract Receipts is IPomc, Pauses {
    // | lastReceipts 64 | poster 160 | paused 32 |: see Pauses
    /// @dev Posts epochs; it shares the slot that a call reads anyway.
    address private _poster;
    uint64 private _lastReceipts;
    address private _receiptsPoster;

    uint256 private constant MAX_TOTALS = 512;

    IEscrow private immutable _escrow;
    IPomc private immutable _before;

    mapping(address account => bool) private _watchers;
    mapping(uint64 number => bytes32) private _roots;
    mapping(uint32 nodeId => uint256) private _nodeReceipts;
    mapping(address account => uint256) private _payerReceipts;

    modifier onlyPoster() {
        if (msg.sender != _poster) revert CallerNotPoster(msg.sender);
        _;
    }

    modifier onlyWatcher() {
        if (!_watchers[msg.sender]) revert CallerNotWatcher(msg.sender);
        _;
    }

    /// @param before A contract whose receipts count against the same escrow and which accepts no more; zero without one.
    constructor(address authority_, IEscrow escrow, uint64 batchesBefore, IPomc before) Pauses(authority_) {
        _escrow = escrow;
        _before = before;
        _lastReceipts = batchesBefore;
    }

    /// @inheritdoc IPomc
    function setPoster(address account) external restricted {
        if (account != address(0) && (account == _receiptsPoster || _watchers[account])) {
            revert AccountHasPower(account);
        }
        _poster = account;
        emit PosterSet(account);
    }

    /// @inheritdoc IPomc
    function setReceiptsPoster(address account) external restricted {
        if (account != address(0) && (account == _poster || _watchers[account])) revert AccountHasPower(account);
        _receiptsPoster = account;
        emit ReceiptsPosterSet(account);
    }

    /// @inheritdoc IPomc
    function setWatcher(address account, bool allowed) external restricted {
        if (allowed && (account == _poster || account == _receiptsPoster)) revert AccountHasPower(account);
        _watchers[account] = allowed;
        emit WatcherSet(account, allowed);
    }

    /// @inheritdoc IDismissals
    /// @dev The zero address posts nothing: no transaction is its own.
    function dismiss(address account) external restricted {
        if (account == address(0)) return;
        if (account == _poster) {
            _poster = address(0);
            emit PosterSet(address(0));
        }
        if (account == _receiptsPoster) {
            _receiptsPoster = address(0);
            emit ReceiptsPosterSet(address(0));
        }
        if (_watchers[account]) {
            _watchers[account] = false;
            emit WatcherSet(account, false);
        }
    }

    /// @inheritdoc IPomc
    function commitReceipts(bytes32 root, bytes32[] calldata leaseTotals, bytes32[] calldata payerTotals)
        external
        pausable
        returns (uint64 number)
    {
        if (msg.sender != _receiptsPoster) revert CallerNotReceiptsPoster(msg.sender);
        if (root == 0) revert ReceiptsRootZero();
        uint256 total = _addLeases(leaseTotals);
        uint256 paid = _addPayers(payerTotals);
        if (total != paid) revert ReceiptsUnbalanced(total, paid);
        number = ++_lastReceipts;
        _roots[number] = root;
        emit ReceiptsCommitted(number, root, total, leaseTotals, payerTotals);
    }

    /// @inheritdoc IPomc
    function receiptsRootOf(uint64 number) external view returns (bytes32) {
        return _roots[number];
    }

    /// @inheritdoc IPomc
    function lastReceipts() external view returns (uint64) {
        return _lastReceipts;
    }

    /// @inheritdoc IPomc
    function receiptsOfNode(uint32 nodeId) external view returns (uint256) {
        return _ofNode(nodeId);
    }

    /// @inheritdoc IPomc
    function receiptsOfPayer(address account) external view returns (uint256) {
        return _ofPayer(account);
    }

    /// @inheritdoc IPomc
    function poster() external view returns (address) {
        return _poster;
    }

    /// @inheritdoc IPomc
    function receiptsPoster() external view returns (address) {
        return _receiptsPoster;
    }

    /// @inheritdoc IPomc
    function isWatcher(address account) external view returns (bool) {
        return _watchers[account];
    }

    function _addLeases(bytes32[] calldata totals) private returns (uint256 total) {
        uint256 count = _checkLength(totals.length);
        for (uint256 i; i < count; ++i) {
            // Each cast keeps exactly its field.
            (uint32 nodeId, uint96 amount) = (uint32(uint256(totals[i]) >> 224), uint96(uint256(totals[i])));
            uint256 receipts = _ofNode(nodeId) + amount;
            uint256 earned = _escrow.totalEarnedBy(nodeId);
            if (receipts > earned) revert ReceiptsExceedEarned(nodeId, receipts, earned);
            _nodeReceipts[nodeId] = receipts;
            total += amount;
        }
    }

    function _addPayers(bytes32[] calldata totals) private returns (uint256 total) {
        uint256 count = _checkLength(totals.length);
        for (uint256 i; i < count; ++i) {
            (address account, uint96 amount) = (address(bytes20(totals[i])), uint96(uint256(totals[i])));
            uint256 receipts = _ofPayer(account) + amount;
            uint256 spent = _escrow.totalSpentBy(account);
            if (receipts > spent) revert ReceiptsExceedSpent(account, receipts, spent);
            _payerReceipts[account] = receipts;
            total += amount;
        }
    }

    /// @dev A sum continues from the previous contract's. A non-zero sum includes it already.
    function _ofNode(uint32 nodeId) private view returns (uint256 sum) {
        sum = _nodeReceipts[nodeId];
        if (sum == 0 && address(_before) != address(0)) return _before.receiptsOfNode(nodeId);
    }

    function _ofPayer(address account) private view returns (uint256 sum) {
        sum = _payerReceipts[account];
        if (sum == 0 && address(_before) != address(0)) return _before.receiptsOfPayer(account);
    }

    function _checkLength(uint256 totals) private pure returns (uint256) {
        if (totals > MAX_TOTALS) revert ReceiptsTooMany(totals, MAX_TOTALS);
        return totals;
    }
}
