import { globSync } from "node:fs";
import { fileURLToPath } from "node:url";
import ignition from "@nomicfoundation/hardhat-ignition-viem";
import mocha from "@nomicfoundation/hardhat-mocha";
import networkHelpers from "@nomicfoundation/hardhat-network-helpers";
import viem from "@nomicfoundation/hardhat-viem";
import viemAssertions from "@nomicfoundation/hardhat-viem-assertions";
import { defineConfig } from "hardhat/config";
import compiler from "./contracts/compiler.json" with { type: "json" };

// solc from npm: nothing is downloaded at build time.
const path = fileURLToPath(import.meta.resolve("solc/soljson.js"));
const contracts = { version: compiler.version, settings: compiler.settings, path };

/** ComputeNode exceeds the size of a contract unless it is compiled for size. */
const small = Object.entries(compiler.overrides).map(
  ([file, override]) => [file, { ...override, path }] as const,
);

/**
 * The invariants, and the contracts that call the market for them, deploy its artifacts and contain none of them. The
 * compiler's older pipeline takes a quarter of the time for them.
 */
const callers = { ...contracts, settings: { ...compiler.settings, viaIR: false } };
const callerFiles = globSync("test/contracts/solidity/{*.invariants,support/*}.sol", {
  cwd: import.meta.dirname,
});

/** Compiles and tests the contracts. Running a market needs neither: see scripts/embedded and scripts/hardhat.ts. */
export default defineConfig({
  plugins: [
    viem,
    ignition,
    mocha,
    networkHelpers,
    viemAssertions,
    {
      id: "one-override",
      hookHandlers: {
        config: () => import("./scripts/solidity/oneOverride.ts"),
      },
    },
  ],
  solidity: {
    compilers: [contracts],
    // Tests in TypeScript do not wait for tests in Solidity.
    splitTestsCompilation: true,
    overrides: Object.fromEntries([...small, ...callerFiles.map((file) => [file, callers] as const)]),
  },
  paths: { tests: { solidity: "test/contracts/solidity" } },
  test: {
    solidity: {
      profiles: {
        // What `npm test` runs, and what `npm run test:nightly` runs: half as deep there, since a run of a market's invariant takes
        // 7.5 ms at a depth of 20 and 14.4 at 40, and there are 170,000 (docs/contracts/invariants.md).
        default: { fuzz: { runs: 100 }, invariant: { runs: 8, depth: 40, failOnRevert: true } },
        nightly: { fuzz: { runs: 10_000 }, invariant: { runs: 10_000, depth: 20, failOnRevert: true } },
      },
    },
  },
  networks: {
    default: { type: "edr-simulated", chainType: "op" },
  },
});
