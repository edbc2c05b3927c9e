import { fileURLToPath } from "node:url";
import { choosePort } from "../../scripts/embedded/ports.ts";
import { startProcess } from "../../scripts/embedded/process.ts";
import { rpc } from "./rpc.ts";

export type Anvil = {
  url: string;
  /** @throws Error with the message of anvil's error. */
  rpc: <Result = unknown>(method: string, params?: unknown[]) => Promise<Result>;
  stop: () => Promise<void>;
};

/** Starts anvil without automatic mining. */
export async function startAnvil(options: { stateDir: string; args?: string[] }): Promise<Anvil> {
  const port = await choosePort({ option: "--anvil-port" });
  const url = `http://127.0.0.1:${port}`;
  const quiet = ["--silent", "--no-cors", "--no-request-size-limit", "--no-mining"];
  const limits = ["--gas-limit", "1000000000", "--base-fee", "0"];
  const program = fileURLToPath(import.meta.resolve("@foundry-rs/anvil/bin.mjs"));
  const request = async <Result>(method: string, params: unknown[] = []) =>
    (await rpc(url, method, params)) as Result;
  const child = await startProcess({
    name: "anvil",
    command: process.execPath,
    args: [program, "--port", `${port}`, ...quiet, ...limits, ...(options.args ?? [])],
    stateDir: options.stateDir,
    ready: async () => (await request("eth_chainId")) !== undefined,
  });
  return { url, rpc: request, stop: child.stop };
}
