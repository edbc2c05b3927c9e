// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";

/// @title Access control of restricted functions: OpenZeppelin's AccessManager, unchanged
contract Manager is AccessManager {
    constructor(address admin) AccessManager(admin) {}
}
