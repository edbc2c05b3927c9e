import { defineConfig } from "hardhat/config";
import config from "../../hardhat.config.ts";

/** Builds the contracts that carry the faults, which are larger than a chain would take. */
export default defineConfig({
  ...config,
  plugins: [
    ...(config.plugins ?? []),
    { id: "mutation", hookHandlers: { network: () => import("./hooks.ts") } },
  ],
  paths: {
    sources: ".ngpu/mutation/contracts",
    artifacts: ".ngpu/mutation/artifacts",
    cache: ".ngpu/mutation/cache",
    tests: { solidity: ".ngpu/mutation/none" },
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
