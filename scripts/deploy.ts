// Deploys the market to an OP-stack chain with Hardhat Ignition, or goes on where that stopped.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Command } from "commander";
import { createHardhatRuntimeEnvironment } from "hardhat/hre";
import { deployNgpu } from "../contracts/ignition/deploy.ts";
import hardhatConfig from "../hardhat.config.ts";
import { FatalError, messageOf, NgpuError } from "../services/shared/errors.ts";
import { toJson } from "../services/shared/json.ts";
import { readDeployerKey } from "./deployEnv.ts";

const root = join(import.meta.dirname, "..");

type Options = { rpcUrl: string; parameters: string; out: string; journal: string; reset: boolean };

const command = new Command("deploy")
  .description("Deploys the market's contracts; DEPLOYER_KEY or DEPLOYER_KEYSTORE is who pays.")
  .requiredOption("--rpc-url <url>", "JSON-RPC endpoint of the chain")
  .requiredOption("--parameters <file>", "JSON file of contracts/ignition/parameters.ts")
  .requiredOption("--out <file>", "where to write addresses, start block and parameters")
  .option("--journal <folder>", "where Ignition keeps what it has done", join(root, ".ngpu/ignition"))
  .option("--reset", "forget what was deployed to this chain id: the chain is a new one", false);

async function run({ rpcUrl, parameters, out, journal, reset }: Options): Promise<void> {
  const deployerKey = await readDeployerKey();
  const hre = await createHardhatRuntimeEnvironment(
    {
      ...hardhatConfig,
      networks: { target: { type: "http", chainType: "op", url: rpcUrl, accounts: [deployerKey] } },
      paths: { ignition: journal },
    },
    {},
    root,
  );
  if (!(await hre.artifacts.artifactExists("Pomc"))) await hre.tasks.getTask("build").run({ quiet: true });
  const connection = await hre.network.create({ network: "target", chainType: "op" });
  const chainId = await connection.provider.request({ method: "eth_chainId" });
  const deployment = await deployNgpu({
    connection,
    parameters: readJson(parameters) as never,
    journal: { folder: journal, id: `chain-${Number(chainId)}` },
    reset,
  });
  await connection.close();
  mkdirSync(dirname(out), { recursive: true });
  writeFileSync(out, `${toJson(deployment, 2)}\n`);
  process.stdout.write(
    `Deployed on chain ${deployment.chainId} from block ${deployment.startBlock}: ${out}\n`,
  );
}

function readJson(file: string): unknown {
  if (!existsSync(file)) {
    throw new FatalError(`There is no file ${file}.`, { code: "parameters_missing" });
  }
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new FatalError(`${file} is not JSON.`, { code: "parameters_invalid", cause: error });
  }
}

try {
  command.parse();
  await run(command.opts<Options>());
} catch (error) {
  const hint = error instanceof NgpuError && error.hint !== undefined ? ` ${error.hint}` : "";
  process.stderr.write(`${messageOf(error)}${hint}\n`);
  process.exitCode = 1;
}
