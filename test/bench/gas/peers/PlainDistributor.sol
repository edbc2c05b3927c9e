// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";

/// @title Cumulative rewards with only OpenZeppelin's parts: 256-bit nodes, standard leaves, a prefunded token
/// @notice For comparison only; no market deploys it.
contract PlainDistributor is ERC20, Ownable {
    bytes32 public root;
    mapping(address account => uint256) public claimed;

    event RootSet(bytes32 root);
    event Claimed(address indexed account, uint256 amount);

    error ProofInvalid();

    constructor() ERC20("plain", "PLAIN") Ownable(msg.sender) {
        _mint(address(this), 1_000_000 ether);
        _mint(msg.sender, 1_000_000 ether);
    }

    function setRoot(bytes32 root_) external onlyOwner {
        root = root_;
        emit RootSet(root_);
    }

    function claim(address account, uint256 cumulative, bytes32[] calldata proof) external {
        bytes32 leaf = keccak256(bytes.concat(keccak256(abi.encode(account, cumulative))));
        if (!MerkleProof.verifyCalldata(proof, root, leaf)) revert ProofInvalid();
        uint256 amount = cumulative - claimed[account];
        claimed[account] = cumulative;
        emit Claimed(account, amount);
        _transfer(address(this), account, amount);
    }
}
