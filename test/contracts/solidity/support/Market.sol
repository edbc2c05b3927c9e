// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IComputeNode} from "../../../../contracts/interfaces/IComputeNode.sol";
import {IDockerContract} from "../../../../contracts/interfaces/IDockerContract.sol";
import {IDockerTypes} from "../../../../contracts/interfaces/IDockerTypes.sol";
import {IEscrow} from "../../../../contracts/interfaces/IEscrow.sol";
import {IEscrowTypes} from "../../../../contracts/interfaces/IEscrowTypes.sol";
import {IMeasure} from "../../../../contracts/interfaces/IMeasure.sol";
import {IPomc} from "../../../../contracts/interfaces/IPomc.sol";
import {IProgress} from "../../../../contracts/interfaces/IProgress.sol";
import {IToken} from "../../../../contracts/interfaces/IToken.sol";
import {vm} from "./Vm.sol";

/// @notice Every contract, deployed and wired; whoever inherits this holds each role.
abstract contract Market {
    uint40 internal constant START = 1_800_000_000;
    uint40 internal constant MARGIN_SECONDS = 120;
    uint40 internal constant EPOCH_SECONDS = 3_600;
    uint40 internal constant ACTIVATION_DELAY = 600;
    uint40 internal constant ATTESTED_DELAY = 200;
    address internal constant RECEIPTS_POSTER = address(0x4ece);
    address internal constant WATCHER = address(0x3a7c);
    uint256 internal constant WITNESS_KEY = 0x3174;
    uint256 internal constant COSIGNER_KEY = 0xc051;
    uint64 internal constant DAY_SECONDS = 21_600;
    uint40 internal constant UPTIME_DELAY = 300;
    /// @dev In hundredths of a percent.
    uint16 internal constant FEE = 250;
    uint96 internal constant EMISSION = 1_000 ether;
    uint64 internal constant LATER = type(uint48).max;

    IToken public token;
    IComputeNode public computeNode;
    IEscrow public escrow;
    IDockerContract public docker;
    IProgress public progress;
    IPomc public pomc;
    IMeasure public measure;
    address internal manager;

    uint256 private _draws;

    constructor() {
        vm.warp(START);
        manager = _deploy("Manager.sol:Manager", abi.encode(address(this)));
        token = IToken(
            _deploy("Token.sol:Token", abi.encode(manager, address(this), 1_000_000 ether, 100_000 ether))
        );
        computeNode = IComputeNode(_deploy("ComputeNode.sol:ComputeNode", abi.encode(manager, 60, 30, DAY_SECONDS, UPTIME_DELAY, 1_000, 3_600, 500)));
        escrow = IEscrow(_deploy("Escrow.sol:Escrow", abi.encode(manager, token, computeNode, _terms(), 0)));
        measure = IMeasure(_deploy("Measure.sol:Measure", abi.encode(manager, computeNode, 1, 1, true, 10, 300, 86_400, 0, 0)));
        pomc = IPomc(
            _deploy(
                "Pomc.sol:Pomc",
                abi.encode(manager, token, escrow, START, EPOCH_SECONDS, 0, ACTIVATION_DELAY, ATTESTED_DELAY, EMISSION, 0, 0, 0)
            )
        );
        docker = IDockerContract(
            _deploy("DockerContract.sol:DockerContract", abi.encode(manager, computeNode, escrow, MARGIN_SECONDS, _lossTerms(), 0))
        );
        progress = IProgress(_deploy("Progress.sol:Progress", abi.encode(manager, computeNode, docker)));
        computeNode.addDocker(address(docker));
        computeNode.setHeartbeatCommitter(address(this), true);
        computeNode.setHeartbeatCosigner(vm.addr(COSIGNER_KEY), true);
        computeNode.setMeasure(address(measure), true);
        computeNode.setUptimePoster(address(this), true);
        escrow.setDocker(address(docker));
        docker.setKeeper(address(this), true);
        docker.setWitness(vm.addr(WITNESS_KEY), true);
        measure.setMeasureKeeper(address(this), true);
        token.setMinter(address(pomc), 1_000_000 ether);
        pomc.setPoster(address(this));
        pomc.setReceiptsPoster(RECEIPTS_POSTER);
        pomc.setWatcher(WATCHER, true);
    }

    /// @dev Short, so that random sequences reach each deadline.
    function _terms() internal pure returns (IEscrowTypes.Terms memory) {
        return IEscrowTypes.Terms({
            minSeconds: 60,
            lockFloor: 500,
            rateFloor: 1,
            startSeconds: 1_800,
            restSeconds: 120,
            refundDays: 1,
            feeBasisPoints: FEE
        });
    }

    /// @dev A witness releases one lease in ten minutes: there are six.
    function _lossTerms() internal pure returns (IDockerTypes.LossTerms memory) {
        return IDockerTypes.LossTerms({basisPoints: 500, floor: 1, silenceSeconds: 3});
    }

    /// @dev What the runner draws is often small, an edge value or one that it drew before: most parts of such a seed say the same, and
    /// an act that needs several of them to be right never happens.
    function mixed(uint256 seed) internal returns (uint256) {
        return uint256(keccak256(abi.encode(seed, ++_draws)));
    }

    /// @dev From the artifacts, so that these tests compile against interfaces alone and run against any build of the contracts.
    function _deploy(string memory artifact, bytes memory arguments) internal returns (address deployed) {
        bytes memory code = abi.encodePacked(vm.getCode(artifact), arguments);
        assembly ("memory-safe") {
            deployed := create(0, add(code, 0x20), mload(code))
        }
        require(deployed != address(0), artifact);
    }
}
