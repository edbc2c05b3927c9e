import { join } from "node:path";
import { choosePort } from "./ports.ts";
import { type RunningProcess, startProcess } from "./process.ts";

/** Chain id of the embedded chain, the same as in its hardhat.config.ts. */
export const EMBEDDED_CHAIN_ID = 31337;

export type ChainOptions = {
  /** The checkout, which has node_modules. */
  rootDir: string;
  stateDir: string;
  port?: number | undefined;
  /** Option that chooses the port, for the error message. Default `--chain-port`. */
  portOption?: string;
  /** Time of the genesis block, in seconds, if the caller makes the blocks. Default: now, with a block every second. */
  genesis?: number;
  signal?: AbortSignal;
};

export type RunningChain = { url: string; port: number; process: RunningProcess; stop: () => Promise<void> };

/**
 * Starts the OP-stack simulation and waits until it responds. Each start begins with an empty chain.
 *
 * @throws FatalError `port_in_use` or `process_failed`
 */
export async function startChain(options: ChainOptions): Promise<RunningChain> {
  const port = await choosePort({ option: options.portOption ?? "--chain-port", port: options.port });
  const url = `http://127.0.0.1:${port}`;
  const hardhat = join(options.rootDir, "node_modules/hardhat/dist/src/cli.js");
  const config = ["--config", join(import.meta.dirname, "hardhat.config.ts")];
  const network = ["--network", "embedded", "--chain-type", "op"];
  const child = await startProcess({
    name: "chain",
    command: process.execPath,
    args: [hardhat, ...config, "node", ...network, "--hostname", "127.0.0.1", "--port", String(port)],
    stateDir: options.stateDir,
    cwd: options.rootDir,
    env: {
      ...process.env,
      HARDHAT_DISABLE_TELEMETRY: "true",
      NO_COLOR: "1",
      ...(options.genesis === undefined ? {} : { EMBEDDED_CHAIN_GENESIS: String(options.genesis) }),
    },
    ready: async (signal) => {
      if ((await chainId(url, signal)) !== EMBEDDED_CHAIN_ID) return false;
      // A line for each call takes a third of the chain's processor time, and the services of a market make many.
      await ask(url, signal, "hardhat_setLoggingEnabled", [false]);
      return true;
    },
    readyDeadlineMs: 60_000,
    ...(options.signal ? { signal: options.signal } : {}),
  });
  return { url, port, process: child, stop: child.stop };
}

/** Runs work that should not wait for blocks: meanwhile each transaction is mined as it arrives. */
export async function withAutomine<Result>(
  { url, signal }: { url: string; signal: AbortSignal },
  work: () => Promise<Result>,
): Promise<Result> {
  await ask(url, signal, "evm_setAutomine", [true]);
  const result = await work();
  await ask(url, signal, "evm_setAutomine", [false]);
  return result;
}

async function chainId(url: string, signal: AbortSignal): Promise<number> {
  return Number(await ask(url, signal, "eth_chainId", []));
}

async function ask(url: string, signal: AbortSignal, method: string, params: unknown[]): Promise<unknown> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
    signal,
  });
  return ((await response.json()) as { result?: unknown }).result;
}
