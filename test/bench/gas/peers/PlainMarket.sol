// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";

/// @title The market's acts as plain contracts: one transaction, one struct and one event each
/// @notice For comparison only; no market deploys it.
contract PlainMarket is AccessControl {
    bytes32 public constant OPERATOR = keccak256("OPERATOR");

    struct Node {
        address wallet;
        string gpuName;
        uint256 vramMib;
        uint256 cpuMilli;
        uint256 memoryMib;
        uint256 pricePerSecond;
        bool active;
    }

    struct Workspace {
        address owner;
        bytes32 image;
        uint256 cpuMilli;
        uint256 memoryMib;
        uint256 maxPricePerSecond;
        string config;
    }

    struct Assignment {
        address node;
        uint256 pricePerSecond;
        uint256 openedAt;
        uint256 state;
        uint256 milestone;
    }

    mapping(address key => Node) public nodes;
    mapping(address key => uint256 time) public lastSeen;
    mapping(uint256 workspaceId => Workspace) public workspaces;
    mapping(uint256 workspaceId => Assignment) public assignments;
    uint256 public workspaceCount;

    event Registered(address indexed key, address indexed wallet, string gpuName, uint256 pricePerSecond);
    event Heartbeat(address indexed key, uint256 time);
    event Published(uint256 indexed workspaceId, address indexed owner, bytes32 image, string config);
    event Assigned(uint256 indexed workspaceId, address indexed node, uint256 pricePerSecond);
    event StartRequested(uint256 indexed workspaceId);
    event StateChanged(uint256 indexed workspaceId, address indexed node, uint256 state);
    event Progressed(uint256 indexed workspaceId, address indexed node, uint256 milestone);

    error NotTheNode(address caller);

    constructor() {
        _grantRole(DEFAULT_ADMIN_ROLE, msg.sender);
        _grantRole(OPERATOR, msg.sender);
    }

    function register(Node calldata node) external {
        nodes[msg.sender] = node;
        emit Registered(msg.sender, node.wallet, node.gpuName, node.pricePerSecond);
    }

    function heartbeat() external {
        lastSeen[msg.sender] = block.timestamp;
        emit Heartbeat(msg.sender, block.timestamp);
    }

    function publish(Workspace calldata workspace) external returns (uint256 workspaceId) {
        workspaceId = ++workspaceCount;
        workspaces[workspaceId] = workspace;
        emit Published(workspaceId, workspace.owner, workspace.image, workspace.config);
    }

    function assign(uint256 workspaceId, address node, uint256 pricePerSecond) external onlyRole(OPERATOR) {
        assignments[workspaceId] = Assignment(node, pricePerSecond, block.timestamp, 1, 0);
        emit Assigned(workspaceId, node, pricePerSecond);
    }

    function start(uint256 workspaceId) external onlyRole(OPERATOR) {
        assignments[workspaceId].state = 2;
        emit StartRequested(workspaceId);
    }

    function report(uint256 workspaceId, uint256 state) external {
        if (assignments[workspaceId].node != msg.sender) revert NotTheNode(msg.sender);
        assignments[workspaceId].state = state;
        emit StateChanged(workspaceId, msg.sender, state);
    }

    function progress(uint256 workspaceId, uint256 milestone) external {
        if (assignments[workspaceId].node != msg.sender) revert NotTheNode(msg.sender);
        assignments[workspaceId].milestone = milestone;
        emit Progressed(workspaceId, msg.sender, milestone);
    }
}
