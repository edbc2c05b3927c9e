import { defineConfig } from "hardhat/config";
import { folder, solidityTests } from "./build.ts";
import config from "./hardhat.config.ts";

/** Runs the Solidity tests on the contracts with the faults; NGPU_FAULT selects the fault. */
export default defineConfig({
  ...config,
  paths: { ...config.paths, tests: { solidity: `${folder}/${solidityTests}` } },
  test: {
    solidity: {
      coinbase: `0x${(0x1000000 + Number(process.env.NGPU_FAULT)).toString(16).padStart(40, "0")}`,
      fuzz: { runs: 100 },
      invariant: { runs: 32, depth: 60, failOnRevert: true },
    },
  },
});
