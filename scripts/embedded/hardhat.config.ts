import { join } from "node:path";
import { defineConfig } from "hardhat/config";

/** Time of the genesis block, in seconds. Set if another process makes the blocks. */
const genesis = process.env.EMBEDDED_CHAIN_GENESIS;
const rootDir = join(import.meta.dirname, "../..");

/** The embedded chain: an OP-stack simulation with a block every second. It loads no plugin and compiles nothing. */
export default defineConfig({
  paths: { artifacts: join(rootDir, "artifacts"), cache: join(rootDir, "cache") },
  networks: {
    embedded: {
      type: "edr-simulated",
      chainType: "op",
      chainId: 31337,
      mining: { auto: false, interval: genesis === undefined ? 1000 : 0 },
      // Blocks of one second share its timestamp, so that a burst of blocks does not advance the clock.
      allowBlocksWithSameTimestamp: true,
      ...(genesis === undefined ? {} : { initialDate: new Date(Number(genesis) * 1000) }),
    },
  },
});
