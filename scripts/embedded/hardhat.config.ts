import { join } from "node:path";
import { defineConfig } from "hardhat/config";

const rootDir = join(import.meta.dirname, "../..");

/** The embedded chain: an OP-stack simulation with a block every 2 s. It loads no plugin and compiles nothing. */
export default defineConfig({
  paths: { artifacts: join(rootDir, "artifacts"), cache: join(rootDir, "cache") },
  networks: {
    embedded: {
      type: "edr-simulated",
      chainType: "op",
      chainId: 31337,
      mining: { auto: false, interval: 2000 },
      // Blocks of one second share its timestamp, so that a burst of them does not run ahead of the clock.
      allowBlocksWithSameTimestamp: true,
    },
  },
});
