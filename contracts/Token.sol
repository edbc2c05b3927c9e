// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {IToken} from "./interfaces/IToken.sol";

/// @notice See IToken.
contract Token is IToken, ERC20Permit, AccessManaged {
    // | - 64 | minted 96 | limit 96 |
    struct Minter {
        uint96 limit;
        uint96 minted;
    }

    uint96 private immutable _cap;

    mapping(address account => Minter) private _minters;

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
    function setMinter(address account, uint96 limit) external restricted {
        _minters[account].limit = limit;
        emit MinterSet(account, limit);
    }

    /// @inheritdoc IToken
    function mint(address to, uint256 amount) external {
        Minter memory minter = _minters[msg.sender];
        if (minter.limit == 0) revert CallerNotMinter(msg.sender);
        uint256 supply = totalSupply() + amount;
        if (supply > _cap) revert TokenCapExceeded(supply, _cap);
        uint256 minted = minter.minted + amount;
        if (minted > minter.limit) revert MinterLimitExceeded(msg.sender, minted, minter.limit);
        // It fits in 96 bits because the limit does.
        _minters[msg.sender].minted = uint96(minted);
        _mint(to, amount);
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
    function minterOf(address account) external view returns (uint256 limit, uint256 minted) {
        Minter storage minter = _minters[account];
        return (minter.limit, minter.minted);
    }

    /// @inheritdoc ERC20Permit
    function nonces(address owner) public view override(IERC20Permit, ERC20Permit) returns (uint256) {
        return super.nonces(owner);
    }
}
