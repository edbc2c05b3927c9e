import { join } from "node:path";
import { defineConfig } from "hardhat/config";

/** Set by who makes the embedded chain's blocks: the second in which the chain begins. */
const genesis = process.env.EMBEDDED_CHAIN_GENESIS;
const rootDir = join(import.meta.dirname, "../..");

/** The embedded chain: an OP-stack simulation with a block every 2 s. It loads no plugin and compiles nothing. */
export default defineConfig({
  paths: { artifacts: join(rootDir, "artifacts"), cache: join(rootDir, "cache") },
  networks: {
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
