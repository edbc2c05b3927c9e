// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IMeasure} from "../interfaces/IMeasure.sol";
import {MeasureMessages} from "../libraries/MeasureMessages.sol";
import {MeasureRecords} from "../libraries/MeasureRecords.sol";
import {MeasureState} from "./MeasureState.sol";

/// @title Registration and admission of measurers, and their operators
abstract contract Measurers is MeasureState {
    using MeasureMessages for IMeasure.MeasurerRegistration;

    /// @inheritdoc IMeasure
    function registerMeasurerBatch(MeasurerRegistration[] calldata registrations, bytes[] calldata signatures)
        external
        pausable
    {
        uint256 items = _checkLengths(registrations.length, signatures.length);
        for (uint256 i; i < items; ++i) {
            _settleItem(i, _register(registrations[i], signatures[i]));
        }
    }

    /// @inheritdoc IMeasure
    function setMeasurersAdmitted(uint32[] calldata measurerIds, bool admitted) external restricted {
        uint256 items = _checkLength(measurerIds.length);
        for (uint256 i; i < items; ++i) {
            _settleItem(i, _setAdmitted(measurerIds[i], admitted));
        }
    }

    /// @inheritdoc IMeasure
    function admittedCount() external view returns (uint256) {
        return _admitted.length;
    }

    function _register(MeasurerRegistration calldata message, bytes calldata signature)
        private
        returns (bytes memory refusal)
    {
        uint32 measurerId = _measurerIds[message.key];
        if (measurerId != 0) return abi.encodeWithSelector(MeasurerKeyTaken.selector, message.key, measurerId);
        refusal = _checkSigned(message.key, message.deadline, message.hash(), signature);
        if (refusal.length != 0) return refusal;
        refusal = _checkConsent(message);
        if (refusal.length != 0) return refusal;

        measurerId = ++_measurerCount;
        _measurerIds[message.key] = measurerId;
        _measurers[measurerId] =
            MeasureRecords.Measurer({key: message.key, region: message.region, place: 0, wallet: message.wallet});
        emit MeasurerRegistered(measurerId, message.key, message.wallet, message.region);
        if (_isOpenToAll) _setAdmitted(measurerId, true);
    }

    /// @dev A measurer counts as its wallet's: where it is drawn, no other measurer of that wallet is heard, nor may it measure its nodes.
    function _checkConsent(MeasurerRegistration calldata message) private view returns (bytes memory refusal) {
        (address key, address wallet) = (message.key, message.wallet);
        if (wallet == address(0) || wallet == key) return refusal;
        bytes32 structHash = MeasureMessages.hashConsent(key, wallet);
        return _checkSignedByWallet(wallet, message.deadline, structHash, message.consent);
    }

    function _setAdmitted(uint32 measurerId, bool admitted) private returns (bytes memory refusal) {
        MeasureRecords.Measurer storage measurer = _measurers[measurerId];
        if (measurer.key == address(0)) return abi.encodeWithSelector(MeasurerUnknown.selector, measurerId);
        uint32 place = measurer.place;
        if ((place != 0) == admitted) {
            return abi.encodeWithSelector(MeasurerAlreadyAdmitted.selector, measurerId, admitted);
        }
        if (admitted) {
            _admitted.push(measurerId);
            measurer.place = uint32(_admitted.length);
        } else {
            // The last one moves to its position.
            uint32 last = _admitted[_admitted.length - 1];
            _admitted[place - 1] = last;
            _measurers[last].place = place;
            _admitted.pop();
            measurer.place = 0;
        }
        emit MeasurerAdmissionSet(measurerId, admitted);
    }

    /// @dev Whether key and wallet of a measurer and of a node lead to one account: themselves, or, for the key of another
    /// node or measurer, the wallet bound to it.
    function _isOwn(uint32 measurerId, uint32 nodeId) internal view returns (bool) {
        (address key, address wallet) = (_measurers[measurerId].key, _measurers[measurerId].wallet);
        (address nodeKey, address payout) = (_computeNode.nodeKeyOf(nodeId), _computeNode.payoutOf(nodeId));
        address[4] memory own = [key, wallet == address(0) ? key : wallet, _operatorOf(key), address(0)];
        own[3] = _operatorOf(own[1]);
        address[4] memory others = [nodeKey, payout, _operatorOf(nodeKey), _operatorOf(payout)];
        for (uint256 i; i < 4; ++i) {
            for (uint256 j; j < 4; ++j) {
                if (own[i] == others[j]) return true;
            }
        }
        return false;
    }

    /// @dev Whether two measurers have the same operator.
    function _isSameOperator(uint32 measurerId, uint32 other) internal view returns (bool) {
        return _operatorOf(_measurers[measurerId].key) == _operatorOf(_measurers[other].key);
    }

    /// @dev Resolves the key of a measurer to its wallet, and then the key of a node to its wallet.
    function _operatorOf(address account) internal view returns (address) {
        address wallet = _measurers[_measurerIds[account]].wallet;
        return _computeNode.operatorOf(wallet == address(0) ? account : wallet);
    }
}
