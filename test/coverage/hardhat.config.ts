import { defineConfig } from "hardhat/config";
import config from "../hardhat.config.ts";
import { largeContracts } from "../support/largeContracts.ts";

/** Builds the contracts that record their branches. */
export default defineConfig({
  ...config,
  ...largeContracts("coverage"),
});
