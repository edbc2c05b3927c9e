// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Token} from "contracts/Token.sol";

/// @notice The token's supply.
contract TokenProof is Token {
    constructor() Token(address(0), address(0), 0, 0) {}

    /// @notice A mint stays within the minter's limit and the cap, and what is burned does not come back.
    function proveMintsKeepToLimitAndCap(uint96 limit, uint96 minted, uint128 amount, uint96 burned) external {
        _minters[address(this)] = Minter(limit, minted);
        require(minted <= limit);
        this.mint(address(0x5000), amount);
        assert(totalSupply() == amount && totalSupply() <= _cap && balanceOf(address(0x5000)) == amount);
        assert(_minters[address(this)].minted == uint256(minted) + amount && _minters[address(this)].minted <= limit);
        _transfer(address(0x5000), address(this), amount);
        this.burn(burned);
        assert(totalSupply() == amount - burned && _minters[address(this)].minted == uint256(minted) + amount);
    }
}
