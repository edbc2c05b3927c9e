import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { NgpuDeployment } from "@ngpu/contracts/ignition/deploy";
import { readNgpuDeployment } from "@ngpu/contracts/ignition/deploymentFile";
import type { NgpuParametersInput } from "@ngpu/contracts/ignition/parameters";
import { FatalError, messageOf, NgpuError } from "@ngpu/runtime/errors";
import { version } from "@ngpu/runtime/version";
import type { Command } from "commander";
import { z } from "zod";
import { connectHardhat } from "./hardhat.ts";

export const rootDir = join(import.meta.dirname, "..");

export type TargetOptions = {
  network?: string;
  rpcUrl?: string;
  parameters?: string;
  out?: string;
  journal?: string;
};

/** Target of a deployment: endpoint, parameters and the files it writes. */
export type Target = {
  rpcUrl: string;
  /** The expected chain; undefined where only an endpoint is given. */
  chainId: number | undefined;
  parameters: NgpuParametersInput;
  out: string;
  journal: string;
};

/** Adds the options that choose a target. */
export function withTarget(command: Command): Command {
  return command
    .version(version)
    .option("--network <name>", "contracts/ignition/networks/<name>.json, written to deployments/<name>")
    .option("--rpc-url <url>", "JSON-RPC endpoint of the chain; default: the first of CHAIN_RPC_URLS")
    .option(
      "--parameters <file>",
      "JSON file of deployment parameters (contracts/ignition/parameters.ts), instead of a network's",
    )
    .option("--out <file>", "file for addresses, start block and parameters, instead of a network's")
    .option("--journal <folder>", "folder of Ignition's journal, instead of a network's");
}

const networkSchema = z.strictObject({ chainId: z.number().int().positive(), parameters: z.looseObject({}) });
const zeroAddress = `0x${"0".repeat(40)}`;

/** @throws FatalError `network_file_not_found`, `network_file_invalid`, `parameters_not_found`, `parameters_invalid` or `option_missing`. */
export function readTarget(options: TargetOptions): Target {
  const { network } = options;
  const rpcUrl = options.rpcUrl ?? process.env.CHAIN_RPC_URLS?.split(",")[0]?.trim();
  if (!rpcUrl) throw missing("--rpc-url");
  if (network === undefined) {
    if (options.parameters === undefined) throw missing("--network or --parameters");
    if (options.out === undefined) throw missing("--out");
    const parameters = readJson(options.parameters) as NgpuParametersInput;
    const journal = options.journal ?? join(rootDir, ".ngpu/ignition");
    return { rpcUrl, chainId: undefined, parameters, out: options.out, journal };
  }
  const file = join(rootDir, "contracts/ignition/networks", `${network}.json`);
  const value = readJson(options.parameters ?? file);
  const parsed = networkSchema.safeParse(value);
  if (!parsed.success) {
    throw new FatalError(`${file} is not a valid network file:\n${z.prettifyError(parsed.error)}`, {
      code: "network_file_invalid",
      hint: "Correct the named fields in the network file.",
    });
  }
  const blank = Object.entries(parsed.data.parameters).filter(([, entry]) =>
    [entry].flat().some((account) => account === zeroAddress),
  );
  if (blank.length > 0) {
    throw new FatalError(`${file} sets no address for ${blank.map(([name]) => name).join(", ")}.`, {
      code: "network_file_invalid",
      hint: "Replace the zeros with addresses.",
    });
  }
  const folder = join(rootDir, "deployments", network);
  return {
    rpcUrl,
    chainId: parsed.data.chainId,
    parameters: parsed.data.parameters as NgpuParametersInput,
    out: options.out ?? join(folder, "deployment.json"),
    journal: options.journal ?? join(folder, "ignition"),
  };
}

/**
 * Connects Hardhat to the target, with the compiled contracts of this checkout.
 *
 * @param accounts Private keys that may send; empty for reading only.
 * @throws FatalError `chain_mismatch`, and the errors of `connectHardhat`.
 */
export async function connectTarget(target: Target, accounts: string[]) {
  const { hre, connection } = await connectHardhat({
    rootDir,
    url: target.rpcUrl,
    accounts,
    journal: target.journal,
  });
  const chainId = Number(await connection.provider.request({ method: "eth_chainId" }));
  if (target.chainId !== undefined && chainId !== target.chainId) {
    await connection.close();
    throw new FatalError(`The endpoint serves chain ${chainId}, not ${target.chainId}.`, {
      code: "chain_mismatch",
      hint: "Point the endpoint to the chain of the network file, or choose another --network.",
    });
  }
  return { hre, connection, chainId };
}

/** @throws FatalError `deployment_not_found`, and the errors of `readNgpuDeployment`. */
export function requireDeployment(file: string): NgpuDeployment {
  const deployment = readNgpuDeployment(file);
  if (deployment !== undefined) return deployment;
  throw new FatalError(`There is no deployment at ${file}.`, {
    code: "deployment_not_found",
    hint: "Run `npm run deploy` first.",
  });
}

export function readJson(file: string): unknown {
  if (!existsSync(file))
    throw new FatalError(`File ${file} does not exist.`, {
      code: "parameters_not_found",
      hint: "Check the path, or the name given to --network.",
    });
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new FatalError(`${file} is not JSON.`, {
      code: "parameters_invalid",
      hint: "Correct the file's JSON syntax.",
      cause: error,
    });
  }
}

/** Runs a command; an error prints one plain message and sets exit code 1. */
export async function runCommand(run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (error) {
    const hint = error instanceof NgpuError ? ` ${error.hint}` : "";
    process.stderr.write(`${messageOf(error)}${hint}\n`);
    process.exitCode = 1;
  }
}

function missing(option: string): FatalError {
  return new FatalError(`${option} is missing.`, { code: "option_missing", hint: "See --help." });
}
