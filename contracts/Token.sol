// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";
import {IToken} from "./interfaces/IToken.sol";

/// @notice See IToken.
contract Token is IToken, ERC20Permit, AccessManaged {
    uint96 private immutable _cap;

    // | minter 160 | minted 96 |
    address private _minter;
    uint96 private _minted;

    /// @param treasury Holder of the genesis supply.
    constructor(address authority_, address treasury, uint96 cap_, uint96 genesisSupply)
        ERC20("ngpu", "NGPU")
        ERC20Permit("ngpu")
        AccessManaged(authority_)
    {
        if (genesisSupply > cap_) revert TokenCapExceeded(genesisSupply, cap_);
        _cap = cap_;
        if (genesisSupply != 0) _mint(treasury, genesisSupply);
    }

    /// @inheritdoc IToken
    function setMinter(address minter_) external restricted {
        _minter = minter_;
        emit MinterSet(minter_);
    }

    /// @inheritdoc IToken
    function mint(address to, uint256 amount) external returns (uint256) {
        if (msg.sender != _minter) revert CallerNotMinter(msg.sender);
        uint256 supply = totalSupply() + amount;
        if (supply > _cap) revert TokenCapExceeded(supply, _cap);
        // The amount fits in 96 bits because the supply does; the sum is checked.
        uint96 minted_ = _minted + uint96(amount);
        _minted = minted_;
        _mint(to, amount);
        return minted_;
    }

    /// @inheritdoc IToken
    function burn(uint256 amount) external {
        _burn(msg.sender, amount);
    }

    /// @inheritdoc IToken
    function cap() external view returns (uint256) {
        return _cap;
    }

    /// @inheritdoc IToken
    function minter() external view returns (address) {
        return _minter;
    }

    /// @inheritdoc IToken
    function minted() external view returns (uint256) {
        return _minted;
    }

    /// @inheritdoc ERC20Permit
    function nonces(address owner) public view override(IERC20Permit, ERC20Permit) returns (uint256) {
        return super.nonces(owner);
    }
}
