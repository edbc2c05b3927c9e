// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IDockerTypes} from "../../../../contracts/interfaces/IDockerTypes.sol";
import {IEscrowTypes} from "../../../../contracts/interfaces/IEscrowTypes.sol";
import {LeaseRef, Resources} from "../../../../contracts/libraries/Types.sol";
import {UptimeTree} from "../../../../contracts/libraries/UptimeTree.sol";
import {NodeActs} from "./NodeActs.sol";
import {vm} from "./Vm.sol";

/// @notice Acts on deposits, authorizations and leases, and the workspaces that partners publish.
abstract contract MoneyActs is NodeActs {
    uint256 public constant OWNERS = 2;

    mapping(uint64 workspaceId => IDockerTypes.WorkspaceSpec) internal specOf;
    uint64 public authorizations;
    uint256 public burned;
    uint256 public refunds;
    mapping(bytes32 leaf => uint256) public refundsOf;

    function ownerOf(uint256 index) public pure returns (address) {
        return vm.addr(0x2000 + index % OWNERS);
    }

    function delegate() public pure returns (address) {
        return address(0xde1e);
    }

    function resourcesOf(uint64 workspaceId) external view returns (Resources memory) {
        return specOf[workspaceId].resources;
    }

    function deposit(uint256 owner, uint128 amount) public watched(Act.Other) {
        amount = amount % 2_000_001;
        if (amount == 0) return;
        token.approve(address(escrow), amount);
        escrow.deposit(ownerOf(owner), amount);
        deposited += amount;
    }

    function withdraw(uint256 owner, uint128 amount) external watched(Act.Other) {
        amount = amount % 200_000;
        uint128 free = escrow.withdrawableOf(ownerOf(owner));
        vm.prank(ownerOf(owner));
        try escrow.withdraw(amount, STRANGER) {
            withdrawn += amount;
            if (amount > free) moneyFault = "more was withdrawn than was free";
        } catch {
            if (amount != 0 && amount <= free) moneyFault = "what was free was not paid out";
        }
    }

    function authorize(uint256 owner, uint64 maxRate, uint128 total, uint40 term) public watched(Act.Other) {
        if (authorizations == 4) return;
        IEscrowTypes.Authorization memory grant = IEscrowTypes.Authorization({
            owner: ownerOf(owner),
            delegate: delegate(),
            maxRate: maxRate % 1_000,
            daily: uint96(maxRate % 900) * 1 days,
            total: total % 2_000_000,
            scope: 0,
            expiry: uint40(block.timestamp) + term % 60 days,
            nonce: authorizations
        });
        bytes memory signature = sign(0x2000 + owner % OWNERS, digestOf(grant));
        uint64 authorizationId = escrow.authorize(grant, signature);
        (authorizations, signedFor[authorizationId]) = (authorizationId, grant.total);
        _remember(address(escrow), abi.encodeCall(escrow.authorize, (grant, signature)));
    }

    function revoke(uint64 authorizationId, uint256 owner, bool endLeases) external watched(Act.Other) {
        authorizationId = authorizationId % 6;
        (address holder,,,,,,,) = escrow.authorizationOf(authorizationId);
        vm.prank(ownerOf(owner));
        try escrow.revoke(authorizationId, endLeases) {
            if (holder != ownerOf(owner)) moneyFault = "another than its owner revoked an authorization";
        } catch {}
    }

    function settle(uint256 seed) external watched(Act.Other) {
        seed = mixed(seed);
        LeaseRef[] memory refs = new LeaseRef[](2);
        for (uint256 i; i < 2; ++i) {
            refs[i].workspaceId = uint64((seed >> i) % (WORKSPACES + 1) + 1);
            refs[i].replica = uint16((seed >> (8 + i)) % REPLICAS);
            (refs[i].lease,,,,,,) = escrow.leaseOf(refs[i].workspaceId, refs[i].replica);
        }
        vm.prank(STRANGER);
        escrow.settle(refs);
    }

    function collect(uint32 node) external watched(Act.Other) {
        uint32[] memory nodeIds = new uint32[](2);
        (nodeIds[0], nodeIds[1]) = (node % 6, node % 6);
        address payee = computeNode.payoutOf(nodeIds[0]);
        (uint128 amount, uint128 fee) = escrow.collectableBy(nodeIds[0]);
        (uint256 before, uint256 supply) = (token.balanceOf(payee), token.totalSupply());
        vm.prank(STRANGER);
        escrow.collect(nodeIds);
        collected += amount;
        burned += fee;
        if (token.balanceOf(payee) != before + amount) moneyFault = "what a node earned did not go to its payee";
        if (token.totalSupply() + fee != supply) moneyFault = "the fee was not burned";
    }

    /// @notice Yesterday's downtime of a lease, from a poster that may report anything.
    function refund(uint256 seed) external watched(Act.Other) {
        seed = mixed(seed);
        UptimeTree.LeaseDowntime[] memory items = new UptimeTree.LeaseDowntime[](1);
        UptimeTree.LeaseDowntime memory item = items[0];
        item.day = uint64(block.timestamp / DAY_SECONDS) - 1;
        item.workspaceId = uint64(seed % WORKSPACES + 1);
        item.replica = uint16((seed >> 8) % REPLICAS);
        (item.lease, item.authorizationId, item.nodeId, item.rate,,,) = escrow.leaseOf(item.workspaceId, item.replica);
        item.downSeconds = uint32((seed >> 16) % (2 * DAY_SECONDS));
        if (item.lease == 0) return;
        bytes32 leaf = keccak256(bytes.concat(keccak256(abi.encode(uint8(2), item))));
        try computeNode.commitUptime(item.day, leaf) {
            vm.warp(block.timestamp + UPTIME_DELAY);
        } catch {}
        if (block.timestamp / DAY_SECONDS != item.day + 1) return;
        _checkRefund(items);
        if (refundsOf[leaf] == 2) moneyFault = "a downtime was refunded twice";
    }

    /// @notice The cost of tasks is never above the escrow's payments, to the node and by the payer.
    function commitReceipts(uint256 seed) external watched(Act.Other) {
        seed = mixed(seed);
        (uint32 nodeId, address payer) = (uint32(seed % 3 + 1), ownerOf(seed >> 8));
        uint256 amount = (seed >> 16) % 2_000;
        (bytes32[] memory nodes, bytes32[] memory payers) = (new bytes32[](1), new bytes32[](1));
        nodes[0] = bytes32((uint256(nodeId) << 224) | amount);
        payers[0] = bytes32((uint256(uint160(payer)) << 96) | ((seed >> 60) % 8 == 0 ? amount + 1 : amount));
        vm.prank(RECEIPTS_POSTER);
        try pomc.commitReceipts(bytes32(uint256(1)), nodes, payers) {
            if (nodes[0] << 160 != payers[0] << 160) moneyFault = "receipts do not balance";
            if (pomc.receiptsOfPayer(payer) > escrow.totalSpentBy(payer)) moneyFault = "receipts above what was spent";
            if (pomc.receiptsOfNode(nodeId) > escrow.totalEarnedBy(nodeId)) moneyFault = "receipts above what was earned";
        } catch {}
    }

    function _checkRefund(UptimeTree.LeaseDowntime[] memory items) private {
        UptimeTree.LeaseDowntime memory item = items[0];
        (address owner,,,,,,,) = escrow.authorizationOf(item.authorizationId);
        LeaseRef[] memory refs = new LeaseRef[](1);
        refs[0] = LeaseRef(item.workspaceId, item.replica, item.lease);
        // The debt is settled first, so that only the refund moves money below.
        escrow.settle(refs);
        (uint256 balance, uint256 earned) = (escrow.balanceOf(owner), escrow.earnedBy(item.nodeId));
        vm.prank(STRANGER);
        escrow.refundDowntime(items, new bytes32[][](1));
        uint256 amount = escrow.balanceOf(owner) - balance;
        if (escrow.earnedBy(item.nodeId) + amount != earned) moneyFault = "a refund came from elsewhere";
        uint256 limit = item.rate * (item.downSeconds < DAY_SECONDS ? item.downSeconds : DAY_SECONDS);
        if (amount > limit) moneyFault = "more was refunded than the downtime cost";
        if (amount == 0) return;
        bytes32 leaf = keccak256(bytes.concat(keccak256(abi.encode(uint8(2), item))));
        ++refundsOf[leaf];
        ++refunds;
    }

    function _publish(uint64 number) internal {
        IDockerTypes.WorkspaceSpec memory spec = IDockerTypes.WorkspaceSpec({
            image: bytes32(uint256(number)),
            policy: IDockerTypes.Policy(number % 2),
            graceSeconds: 60,
            maxPricePerSecond: 15,
            gpuModel: 0,
            minVramMib: 0,
            minComputeCapability: 0,
            region: 0,
            resources: Resources({
                gpus: uint8(number % 2), cpuMilli: uint24(500 * number), memoryMib: 700, diskGib: 10, ports: 1
            }),
            expiresAt: number == 3 ? uint40(block.timestamp) + 20 hours : 0,
            configHash: keccak256("{}")
        });
        specOf[number] = spec;
        uint64 authorizationId = uint64(number % OWNERS + 1);
        vm.prank(delegate());
        docker.publish(ownerOf(authorizationId - 1), authorizationId, REPLICAS, spec, "{}");
    }
}
