import { join } from "node:path";
import { type RunningChain, startChain } from "./chain.ts";
import { createJournal } from "./keeper/journal.ts";
import { Keeper } from "./keeper/keeper.ts";
import { serveKeeper } from "./keeper/server.ts";
import { choosePort } from "./ports.ts";

export type KeptChain = {
  /** Stays the same when the chain behind it restarts. */
  url: string;
  /** Starts the chain. After its end, starts it again in the same state. */
  start: (signal: AbortSignal) => Promise<RunningChain>;
  /** Stops the server at the URL. */
  stop: () => Promise<void>;
};

/**
 * An embedded chain that survives the end of its process: `<stateDir>/chain-journal.jsonl` holds all its changes.
 * Each call begins with an empty chain.
 *
 * @throws FatalError `port_in_use`
 */
export async function keepChain(options: {
  rootDir: string;
  stateDir: string;
  port?: number | undefined;
}): Promise<KeptChain> {
  const { rootDir, stateDir } = options;
  const port = await choosePort({ option: "--chain-port", port: options.port });
  const genesis = Math.floor(Date.now() / 1000);
  const journal = createJournal(join(stateDir, "chain-journal.jsonl"));
  const keeper = new Keeper({ journal, genesis });
  const server = await serveKeeper(keeper, port);
  return {
    url: `http://127.0.0.1:${port}`,
    start: async (signal) => {
      const chain = await startChain({ rootDir, stateDir, genesis, signal });
      void chain.process.exited.then(() => keeper.detach());
      try {
        await keeper.attach(chain.url);
      } catch (error) {
        await chain.stop();
        throw error;
      }
      return chain;
    },
    stop: async () => {
      keeper.detach();
      await server.stop();
    },
  };
}
