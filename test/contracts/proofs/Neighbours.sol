// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice The token as the contracts use it: amounts move in whole, or the transfer reverts.
contract ProofToken {
    mapping(address account => uint256) public balanceOf;
    uint256 public limit;
    uint256 public minted;
    uint256 public burned;

    function give(address account, uint256 amount) external {
        balanceOf[account] = amount;
    }

    function allow(uint256 limit_, uint256 minted_) external {
        (limit, minted) = (limit_, minted_);
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        balanceOf[msg.sender] -= amount;
        balanceOf[to] += amount;
        return true;
    }

    function mint(address to, uint256 amount) external {
        minted += amount;
        require(minted <= limit);
        balanceOf[to] += amount;
    }

    function burn(uint256 amount) external {
        balanceOf[msg.sender] -= amount;
        burned += amount;
    }

    function minterOf(address) external view returns (uint256, uint256) {
        return (limit, minted);
    }
}

/// @notice The registry of nodes as Escrow uses it.
contract ProofNodes {
    bytes32 private _root;

    function setRoot(bytes32 root) external {
        _root = root;
    }

    function uptimeRootOf(uint64) external view returns (bytes32) {
        return _root;
    }

    function payoutOf(uint32) external pure returns (address) {
        return address(0x6000);
    }
}

ProofToken constant TOKEN = ProofToken(address(0x3000));
ProofNodes constant NODES = ProofNodes(address(0x4000));
