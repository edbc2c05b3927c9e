// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IComputeNode} from "../../../../contracts/interfaces/IComputeNode.sol";
import {IDockerContract} from "../../../../contracts/interfaces/IDockerContract.sol";
import {IDockerTypes} from "../../../../contracts/interfaces/IDockerTypes.sol";
import {IWorkspaces} from "../../../../contracts/interfaces/IWorkspaces.sol";
import {IAssignments} from "../../../../contracts/interfaces/IAssignments.sol";
import {IEscrow} from "../../../../contracts/interfaces/IEscrow.sol";
import {IEscrowAccounts} from "../../../../contracts/interfaces/IEscrowAccounts.sol";
import {IEscrowTypes} from "../../../../contracts/interfaces/IEscrowTypes.sol";
import {IPauses} from "../../../../contracts/interfaces/IPauses.sol";
import {IPomc} from "../../../../contracts/interfaces/IPomc.sol";
import {NodeSpec, Resources} from "../../../../contracts/libraries/Types.sol";
import {Signing} from "./Signing.sol";
import {vm} from "./Vm.sol";

/// @notice A market and its successor, introduced as in contracts/ignition/replace.ts.
/// @dev `docker`, `escrow` and `pomc` are those of the acting generation (`use`).
abstract contract Generations is Signing {
    struct Generation {
        IDockerContract docker;
        IEscrow escrow;
        IPomc pomc;
    }

    uint32 public constant NODES = 3;
    uint256 public constant OWNERS = 2;
    uint64 public constant WORKSPACES = 2;
    uint16 public constant REPLICAS = 2;
    /// @dev The distance between the first ids of two generations (succession.ts).
    uint64 internal constant WIDE_IDS = 2 ** 40;

    Generation[] private _generations;
    bool public isRetired;
    /// @notice Unpauses the previous entries.
    bool public isUnpaused;

    constructor() {
        _generations.push(Generation(docker, escrow, pomc));
        for (uint256 i; i < NODES; ++i) _register(i);
        _settleIn(0);
    }

    function generations() public view returns (uint256) {
        return _generations.length;
    }

    function generationOf(uint256 number) external view returns (IDockerContract, IEscrow, IPomc) {
        Generation storage generation = _generations[number];
        return (generation.docker, generation.escrow, generation.pomc);
    }

    function ownerOf(uint256 index) public pure returns (address) {
        return vm.addr(0x2000 + index % OWNERS);
    }

    /// @notice The id of a generation's first, second, ... workspace.
    function workspaceOf(uint256 generation, uint64 number) public pure returns (uint64) {
        return uint64(generation) * WIDE_IDS + number;
    }

    function resourcesOf(uint64 number) public pure returns (Resources memory) {
        return _workspaceSpec(number).resources;
    }

    /// @notice Introduces the successors, later retires the previous contracts, and finally unpauses these.
    function succeed(uint256 seed) external {
        if (generations() == 1) {
            // Contracts that are not used yet are seldom replaced.
            if (_isInUse() || mixed(seed) % 4 == 0) _replace();
            return;
        }
        use(0);
        if (!isRetired) return _retire(seed % 2 == 0);
        if (mixed(seed) % 4 != 0) return;
        isUnpaused = true;
        IPauses(address(docker)).unpause(_entriesOfDocker());
        IPauses(address(escrow)).unpause(_entriesOfEscrow());
        IPauses(address(pomc)).unpause(_one(IPomc.postEpoch.selector));
    }

    function use(uint256 number) internal {
        Generation storage generation = _generations[number];
        (docker, escrow, pomc) = (generation.docker, generation.escrow, generation.pomc);
    }

    /// @dev The acting generation; the first while there is no other.
    function _pick(uint256 seed) internal returns (uint256 generation) {
        generation = seed % generations();
        use(generation);
    }

    function _replace() private {
        IPauses(address(pomc)).pause(_one(IPomc.postEpoch.selector));
        uint64 last = pomc.lastEpoch();
        token.setMinter(address(pomc), uint96(last * EMISSION));
        escrow = IEscrow(_deploy("Escrow.sol:Escrow", abi.encode(manager, token, computeNode, _terms(), WIDE_IDS)));
        pomc = IPomc(
            _deploy(
                "Pomc.sol:Pomc",
                abi.encode(manager, token, escrow, START, EPOCH_SECONDS, 0, ACTIVATION_DELAY, ATTESTED_DELAY, EMISSION, last, WIDE_IDS, 0)
            )
        );
        docker = IDockerContract(
            _deploy(
                "DockerContract.sol:DockerContract", abi.encode(manager, computeNode, escrow, MARGIN_SECONDS, WIDE_IDS)
            )
        );
        escrow.setDocker(address(docker));
        computeNode.addDocker(address(docker));
        docker.setKeeper(address(this), true);
        token.setMinter(address(pomc), 1_000_000 ether);
        pomc.setPoster(address(this));
        pomc.setReceiptsPoster(RECEIPTS_POSTER);
        _generations.push(Generation(docker, escrow, pomc));
        _settleIn(1);
    }

    /// @dev Whether there is state that the successors coexist with.
    function _isInUse() internal virtual returns (bool);

    /// @dev The pauses only prevent deposits without a future; retiring must work without them.
    function _retire(bool pauses) private {
        isRetired = true;
        computeNode.retireDocker(address(docker));
        if (!pauses) return;
        IPauses(address(docker)).pause(_entriesOfDocker());
        IPauses(address(escrow)).pause(_entriesOfEscrow());
    }

    /// @dev Deposits, authorizations and workspaces; each owner has one of each.
    function _settleIn(uint256 generation) private {
        for (uint256 i; i < OWNERS; ++i) {
            token.approve(address(escrow), 1_500_000);
            escrow.deposit(ownerOf(i), 1_500_000);
            IEscrowTypes.Authorization memory grant;
            (grant.owner, grant.delegate, grant.maxRate) = (ownerOf(i), address(this), 500);
            (grant.total, grant.expiry) = (1_000_000, uint40(block.timestamp) + 20 days);
            grant.daily = 500 * 1 days;
            _publish(workspaceOf(generation, uint64(i + 1)), i, escrow.authorize(grant, sign(0x2000 + i, digestOf(grant))));
        }
    }

    function _publish(uint64 workspaceId, uint256 owner, uint64 authorizationId) private {
        IDockerTypes.WorkspaceSpec memory spec = _workspaceSpec(uint64(owner + 1));
        uint64 given = docker.publish(ownerOf(owner), authorizationId, REPLICAS, spec, "{}");
        require(given == workspaceId, "an id of another generation");
    }

    function _register(uint256 index) private {
        IComputeNode.Registration[] memory messages = new IComputeNode.Registration[](1);
        bytes[] memory signatures = new bytes[](1);
        messages[0] = _registrationOf(index);
        signatures[0] = sign(0x1000 + index, digestOf(messages[0]));
        _relay(address(computeNode), abi.encodeCall(computeNode.registerBatch, (messages, signatures)));
    }

    function _relay(address target, bytes memory data) internal {
        (bool ok,) = target.call(data);
        require(ok, "a batch reverted");
    }

    function _registrationOf(uint256 index) private pure returns (IComputeNode.Registration memory message) {
        (message.key, message.spec, message.pricePerSecond) = (vm.addr(0x1000 + index), _specOf(index * 7), 5);
        (message.spec.total.gpus, message.deadline) = (2, LATER);
        message.gpuUuids = new bytes32[](2);
        (message.gpuUuids[0], message.gpuUuids[1]) = (bytes32(index * 2 + 1), bytes32(index * 2 + 2));
    }

    /// @dev Capacity for two or three replicas of any owner.
    function _specOf(uint256 seed) internal pure returns (NodeSpec memory spec) {
        spec.total = Resources({
            gpus: uint8(seed % 3),
            cpuMilli: uint24(1_500 + seed % 2_000),
            memoryMib: uint24(1_500 + (seed >> 8) % 2_000),
            diskGib: uint16(20 + (seed >> 16) % 30),
            ports: uint16(2 + (seed >> 24) % 3)
        });
    }

    function _workspaceSpec(uint64 number) internal pure returns (IDockerTypes.WorkspaceSpec memory spec) {
        (spec.image, spec.configHash) = (bytes32(uint256(number)), keccak256("{}"));
        (spec.policy, spec.graceSeconds) = (IDockerTypes.Policy(number % 2), 60);
        spec.maxPricePerSecond = 15;
        spec.resources = Resources(uint8(number % 2), uint24(500 * number), 700, 10, 1);
    }

    function _entriesOfDocker() private pure returns (bytes4[] memory selectors) {
        selectors = new bytes4[](2);
        (selectors[0], selectors[1]) = (IWorkspaces.publish.selector, IAssignments.assign.selector);
    }

    function _entriesOfEscrow() private pure returns (bytes4[] memory selectors) {
        selectors = new bytes4[](2);
        (selectors[0], selectors[1]) = (IEscrowAccounts.deposit.selector, IEscrowAccounts.authorize.selector);
    }

    function _one(bytes4 selector) private pure returns (bytes4[] memory selectors) {
        selectors = new bytes4[](1);
        selectors[0] = selector;
    }
}
