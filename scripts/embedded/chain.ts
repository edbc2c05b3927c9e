import { join } from "node:path";
import { choosePort } from "./ports.ts";
import { type RunningProcess, startProcess } from "./process.ts";

/** The chain id of the embedded chain, as hardhat.config.ts sets it. */
export const EMBEDDED_CHAIN_ID = 31337;

export type ChainOptions = {
  /** The checkout: holds hardhat.config.ts and node_modules. */
  rootDir: string;
  stateDir: string;
  port?: number | undefined;
  /** What the user sets to choose the port, for the error message. Default `--chain-port`. */
  portOption?: string;
  /** The second in which the chain begins, for who makes its blocks. Default: now, and it makes a block every 2 s. */
  genesis?: number;
  signal?: AbortSignal;
};

export type RunningChain = { url: string; port: number; process: RunningProcess; stop: () => Promise<void> };

/**
 * Starts the OP-stack simulation and waits until it answers. It starts afresh each time.
 *
 * @throws FatalError `port_in_use` or `process_failed`
 */
export async function startChain(options: ChainOptions): Promise<RunningChain> {
  const port = await choosePort({ option: options.portOption ?? "--chain-port", port: options.port });
  const url = `http://127.0.0.1:${port}`;
  const hardhat = join(options.rootDir, "node_modules/hardhat/dist/src/cli.js");
  const network = ["--network", "embedded", "--chain-type", "op"];
  const child = await startProcess({
    name: "chain",
    command: process.execPath,
    args: [hardhat, "node", ...network, "--hostname", "127.0.0.1", "--port", String(port)],
    stateDir: options.stateDir,
    cwd: options.rootDir,
    env: {
      ...process.env,
      HARDHAT_DISABLE_TELEMETRY: "true",
      NO_COLOR: "1",
      ...(options.genesis === undefined ? {} : { EMBEDDED_CHAIN_GENESIS: String(options.genesis) }),
    },
    ready: async (signal) => (await chainId(url, signal)) === EMBEDDED_CHAIN_ID,
    readyDeadlineMs: 60_000,
    ...(options.signal ? { signal: options.signal } : {}),
  });
  return { url, port, process: child, stop: child.stop };
}

async function chainId(url: string, signal: AbortSignal): Promise<number> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "eth_chainId", params: [] }),
    signal,
  });
  const answer = (await response.json()) as { result?: string };
  return Number(answer.result);
}
