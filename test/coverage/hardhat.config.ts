import { defineConfig } from "hardhat/config";
import config from "../../scripts/test/hardhat.config.ts";

/** Builds the contracts that tell their branches, which are larger than a chain would take. */
export default defineConfig({
  ...config,
  paths: {
    sources: ".ngpu/coverage/contracts",
    artifacts: ".ngpu/coverage/artifacts",
    cache: ".ngpu/coverage/cache",
    tests: { solidity: ".ngpu/coverage/none" },
  },
  networks: {
    default: {
      type: "edr-simulated",
      chainType: "op",
      allowUnlimitedContractSize: true,
      blockGasLimit: 300_000_000,
      transactionGasCap: false,
    },
  },
});
