// Deploys the market to an OP-stack chain with Hardhat Ignition, or goes on where that stopped.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Command } from "commander";
import { artifactOf, contractNames } from "../contracts/ignition/constructors.ts";
import { deployNgpu } from "../contracts/ignition/deploy.ts";
import { parseParameters } from "../contracts/ignition/parameters.ts";
import { requireWindows } from "../contracts/ignition/windows.ts";
import { toJson } from "../services/shared/json.ts";
import { readDeployerKey } from "./deployEnv.ts";
import { connectTarget, readTarget, runCommand, type TargetOptions, withTarget } from "./deployTarget.ts";

type Options = TargetOptions & { reset: boolean };

const command = withTarget(new Command("deploy"))
  .description("Deploys the market's contracts; DEPLOYER_KEYSTORE or DEPLOYER_KEY is who pays.")
  .option("--reset", "forget what was deployed to this chain id: the chain is a new one", false);

async function run({ reset, ...options }: Options): Promise<void> {
  const target = readTarget(options);
  const { hre, connection, chainId } = await connectTarget(target, [await readDeployerKey()]);
  try {
    // Trials name an endpoint; a network is meant to last.
    if (options.network !== undefined) requireWindows(parseParameters(target.parameters), chainId);
    const deployment = await deployNgpu({
      connection,
      parameters: target.parameters,
      journal: { folder: target.journal, id: `chain-${chainId}` },
      reset,
    });
    write(target.out, deployment);
    if (options.network !== undefined) {
      for (const name of contractNames) {
        const { abi } = await hre.artifacts.readArtifact(artifactOf(name));
        write(join(dirname(target.out), "abi", `${name}.json`), abi);
      }
    }
    process.stdout.write(
      `Deployed on chain ${deployment.chainId} from block ${deployment.startBlock}: ${target.out}\n`,
    );
  } finally {
    await connection.close();
  }
}

function write(file: string, value: unknown): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${toJson(value, 2)}\n`);
}

await runCommand(async () => {
  command.parse();
  await run(command.opts<Options>());
});
