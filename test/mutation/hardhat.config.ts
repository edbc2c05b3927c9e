import { defineConfig } from "hardhat/config";
import config from "../../hardhat.config.ts";
import { largeContracts } from "../support/largeContracts.ts";

/** Builds the contracts with the faults. */
export default defineConfig({
  ...config,
  plugins: [
    ...(config.plugins ?? []),
    { id: "mutation", hookHandlers: { network: () => import("./hooks.ts") } },
  ],
  ...largeContracts("mutation"),
});
