// Deploys the market to an OP-stack chain with Hardhat Ignition, or resumes an interrupted deployment.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { artifactOf, contractNames, extensions, withExtension } from "@ngpu/contracts/ignition/constructors";
import { deployNgpu } from "@ngpu/contracts/ignition/deploy";
import { readNgpuDeployment } from "@ngpu/contracts/ignition/deploymentFile";
import { parseParameters } from "@ngpu/contracts/ignition/parameters";
import { replaceNgpu } from "@ngpu/contracts/ignition/replace";
import { retirement } from "@ngpu/contracts/ignition/succession";
import { type Succession, successions } from "@ngpu/contracts/ignition/successionParameters";
import { requireWindows } from "@ngpu/contracts/ignition/windows";
import { FatalError } from "@ngpu/runtime/errors";
import { toJson } from "@ngpu/runtime/json";
import { Command, Option } from "commander";
import { readDeployerKey } from "./deployEnv.ts";
import {
  connectTarget,
  readTarget,
  requireDeployment,
  runCommand,
  type Target,
  type TargetOptions,
  withTarget,
} from "./deployTarget.ts";

type Options = TargetOptions & { reset: boolean; replace?: Succession; generation?: number; pollMs?: number };

const command = withTarget(new Command("deploy"))
  .description(
    "Deploys the market's contracts. DEPLOYER_KEYSTORE or DEPLOYER_KEY names the account that pays.",
  )
  .option(
    "--reset",
    "discard the record of an earlier deployment to this chain id, after the chain was restarted",
    false,
  )
  .addOption(
    new Option("--replace <what>", "deploy successors of these contracts").choices(Object.keys(successions)),
  )
  .option("--generation <number>", "number of the successors' generation; the first deployment is 1", Number)
  .option("--poll-ms <milliseconds>", "interval of polling for new blocks; default 250", Number);

async function run({ reset, replace, generation, pollMs, ...options }: Options): Promise<void> {
  const target = readTarget(options);
  const { hre, connection, chainId } = await connectTarget(target, [await readDeployerKey()]);
  try {
    // Test deployments name an endpoint. A named network is a production market.
    if (options.network !== undefined) requireWindows(parseParameters(target.parameters), chainId);
    const journal = { folder: target.journal, id: `chain-${chainId}` };
    if (replace !== undefined) {
      await replaceAt(target, { connection, journal, succession: replace, generation });
      return;
    }
    const present = reset ? undefined : readNgpuDeployment(target.out);
    if (present !== undefined && present.previous.length > 0) {
      // The Ignition module knows only the first contracts; the deployment file has the current ones.
      const generation = present.previous.length + 1;
      process.stdout.write(`Deployed, and replaced up to generation ${generation}: ${target.out}\n`);
      return;
    }
    const deployment = await deployNgpu({
      connection,
      parameters: target.parameters,
      journal,
      reset,
      ...(pollMs === undefined ? {} : { pollMs }),
    });
    write(target.out, deployment);
    if (options.network !== undefined) {
      for (const name of contractNames) {
        const { abi } = await hre.artifacts.readArtifact(artifactOf(name));
        const extension = extensions[name];
        const more = extension === undefined ? [] : (await hre.artifacts.readArtifact(extension)).abi;
        write(join(dirname(target.out), "abi", `${name}.json`), withExtension(abi, more));
      }
    }
    process.stdout.write(
      `Deployed on chain ${deployment.chainId} from block ${deployment.startBlock}: ${target.out}\n`,
    );
  } finally {
    await connection.close();
  }
}

type Replacing = Pick<Parameters<typeof replaceNgpu>[0], "connection" | "journal" | "succession"> & {
  generation: number | undefined;
};

/** Deploys the successors with the current parameters, except for those that continue from the predecessors. */
async function replaceAt(target: Target, { generation, ...options }: Replacing): Promise<void> {
  if (generation === undefined || !Number.isInteger(generation) || generation < 2) {
    throw new FatalError("--generation is missing. It is the number of the new generation, 2 or higher.", {
      code: "option_missing",
      hint: "Set --generation to the number of the new generation.",
    });
  }
  const { before: _, genesis: __, epochSeconds: ___, ...changes } = parseParameters(target.parameters);
  const previous = requireDeployment(target.out);
  const { deployment, introduction } = await replaceNgpu({
    ...options,
    deployment: previous,
    generation,
    changes,
  });
  const pages = join(dirname(target.out), `generation-${generation}`);
  if (deployment === previous) {
    process.stdout.write(`Generation ${generation} is already deployed: ${target.out}\n`);
    return;
  }
  // The roles' calls are written first, because the deployment file marks this run as complete.
  write(join(pages, "introduction.json"), introduction);
  write(join(pages, "retirement.json"), retirement(options.succession, previous.contracts));
  write(target.out, deployment);
  process.stdout.write(
    `Generation ${generation} (${options.succession}) is deployed beside the previous one: ${target.out}\n` +
      `${introduction.length} calls introduce it; the calls in retirement.json then retire the previous one: ${pages}\n`,
  );
}

function write(file: string, value: unknown): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${toJson(value, 2)}\n`);
}

await runCommand(async () => {
  command.parse();
  await run(command.opts<Options>());
});
