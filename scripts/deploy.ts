// Deploys the market to an OP-stack chain with Hardhat Ignition, or goes on where that stopped.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Command } from "commander";
import { createHardhatRuntimeEnvironment } from "hardhat/hre";
import { deployNgpu } from "../contracts/ignition/deploy.ts";
import hardhatConfig from "../hardhat.config.ts";
import { envTypes, readEnv } from "../services/shared/env.ts";
import { FatalError, messageOf, NgpuError } from "../services/shared/errors.ts";
import { toJson } from "../services/shared/json.ts";

const root = join(import.meta.dirname, "..");
const journalFolder = join(root, ".ngpu/ignition");

type Options = { rpcUrl: string; parameters: string; out: string; reset: boolean };

const command = new Command("deploy")
  .description("Deploys the market's contracts; DEPLOYER_KEY is the private key of the account that pays.")
  .requiredOption("--rpc-url <url>", "JSON-RPC endpoint of the chain")
  .requiredOption("--parameters <file>", "JSON file of contracts/ignition/parameters.ts")
  .requiredOption("--out <file>", "where to write addresses, start block and parameters")
  .option("--reset", "forget what was deployed to this chain id: the chain is a new one", false);

async function run({ rpcUrl, parameters, out, reset }: Options): Promise<void> {
  const { DEPLOYER_KEY } = readEnv({
    DEPLOYER_KEY: envTypes.privateKey().describe("Private key of the account that deploys and pays"),
  });
  const hre = await createHardhatRuntimeEnvironment(
    {
      ...hardhatConfig,
      networks: { target: { type: "http", chainType: "op", url: rpcUrl, accounts: [DEPLOYER_KEY] } },
      paths: { ignition: journalFolder },
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
    journal: { folder: journalFolder, id: `chain-${Number(chainId)}` },
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
