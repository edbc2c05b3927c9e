import { fileURLToPath } from "node:url";
import ignition from "@nomicfoundation/hardhat-ignition-viem";
import mocha from "@nomicfoundation/hardhat-mocha";
import networkHelpers from "@nomicfoundation/hardhat-network-helpers";
import viem from "@nomicfoundation/hardhat-viem";
import viemAssertions from "@nomicfoundation/hardhat-viem-assertions";
import { defineConfig } from "hardhat/config";

/** Set by who makes the embedded chain's blocks: the second in which the chain begins. */
const genesis = process.env.EMBEDDED_CHAIN_GENESIS;

export default defineConfig({
  plugins: [viem, ignition, mocha, networkHelpers, viemAssertions],
  solidity: {
    version: "0.8.37",
    // solc from npm: nothing is downloaded at build time.
    path: fileURLToPath(import.meta.resolve("solc/soljson.js")),
    settings: { optimizer: { enabled: true, runs: 10_000 }, viaIR: true, evmVersion: "cancun" },
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
    // The embedded chain: an OP-stack simulation with a block every 2 s.
    embedded: {
      type: "edr-simulated",
      chainType: "op",
      chainId: 31337,
      mining: { auto: false, interval: genesis === undefined ? 2000 : 0 },
      // Blocks of one second share its timestamp, so that a burst of them does not run ahead of the clock.
      allowBlocksWithSameTimestamp: true,
      ...(genesis === undefined ? {} : { initialDate: new Date(Number(genesis) * 1000) }),
    },
  },
});
