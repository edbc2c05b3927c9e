// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IPauses} from "./interfaces/IPauses.sol";

/// @notice See IPauses. A contract gives each function a bit in `_bitOf` and marks it as `pausable`.
/// @dev While nothing is paused, a call reads one slot that it shares with the contract's own first variables.
abstract contract Pauses is IPauses, AccessManaged {
    uint40 private constant EXIT_PAUSE_SECONDS = 7 days;
    uint256 internal constant FIRST_EXIT = 16;
    uint256 internal constant NONE = 32;

    mapping(uint256 bit => uint256 time) private _exitPausedAt;
    // | the contract's own 224 | paused 32 |
    uint32 private _paused;

    modifier pausable() {
        _requireRunning();
        _;
    }

    constructor(address authority_) AccessManaged(authority_) {}

    /// @inheritdoc IPauses
    function pause(bytes4[] memory selectors) external restricted {
        for (uint256 i; i < selectors.length; ++i) {
            uint256 bit = _knownBitOf(selectors[i]);
            if (_isPaused(bit)) continue;
            if (bit >= FIRST_EXIT) {
                uint256 pausedAt = _exitPausedAt[bit];
                uint256 pausableAt = pausedAt == 0 ? 0 : pausedAt + 2 * EXIT_PAUSE_SECONDS;
                if (block.timestamp < pausableAt) revert ExitPausedRecently(selectors[i], pausableAt);
                _exitPausedAt[bit] = block.timestamp;
            }
            _paused |= uint32(1 << bit);
        }
        _afterPause();
        emit FunctionsPaused(msg.sender, selectors);
    }

    /// @inheritdoc IPauses
    function unpause(bytes4[] memory selectors) external restricted {
        for (uint256 i; i < selectors.length; ++i) {
            _paused &= ~uint32(1 << _knownBitOf(selectors[i]));
        }
        emit FunctionsUnpaused(msg.sender, selectors);
    }

    /// @inheritdoc IPauses
    function pausabilityOf(bytes4 selector) external pure returns (Pausability) {
        uint256 bit = _bitOf(selector);
        if (bit == NONE) return Pausability.None;
        return bit < FIRST_EXIT ? Pausability.Entry : Pausability.Exit;
    }

    /// @inheritdoc IPauses
    function isPaused(bytes4 selector) external view returns (bool) {
        return _isPaused(_knownBitOf(selector));
    }

    /// @inheritdoc IPauses
    function exitPauseSeconds() external pure returns (uint40) {
        return EXIT_PAUSE_SECONDS;
    }

    /// @dev The position of a function's flag: 0 to 15 for entries, FIRST_EXIT to 31 for exits, NONE for the others.
    function _bitOf(bytes4 selector) internal pure virtual returns (uint256);

    /// @dev For contracts that store elsewhere that nothing is paused.
    function _afterPause() internal virtual {}

    /// @dev For a contract whose code runs only on the state of another: its own entries stay paused.
    function _pauseEntries() internal {
        _paused = uint32((1 << FIRST_EXIT) - 1);
    }

    function _requireRunning() internal view {
        if (_paused != 0 && _isPaused(_bitOf(msg.sig))) revert FunctionPaused(msg.sig);
    }

    /// @dev Also false when a pause of an exit has expired and nobody has unpaused it.
    function _isNothingPaused() internal view returns (bool) {
        return _paused == 0;
    }

    function _isPaused(uint256 bit) private view returns (bool) {
        if (_paused & (1 << bit) == 0) return false;
        return bit < FIRST_EXIT || block.timestamp < _exitPausedAt[bit] + EXIT_PAUSE_SECONDS;
    }

    function _knownBitOf(bytes4 selector) private pure returns (uint256 bit) {
        bit = _bitOf(selector);
        if (bit == NONE) revert FunctionNotPausable(selector);
    }
}
