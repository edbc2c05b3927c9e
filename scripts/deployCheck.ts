// Compares a deployment with this checkout: code, wiring, roles and delays. Exits with 1 if they differ.

import { checkDeployment } from "@ngpu/contracts/ignition/check/index";
import { parseParameters } from "@ngpu/contracts/ignition/parameters";
import { Command } from "commander";
import {
  connectTarget,
  readTarget,
  requireDeployment,
  runCommand,
  type TargetOptions,
  withTarget,
} from "./deployTarget.ts";

type Options = TargetOptions & { json: boolean };

const command = withTarget(new Command("deploy:check"))
  .description("Checks that the deployed code, wiring and roles match this checkout.")
  .option("--json", "one JSON object instead of lines", false);

async function run({ json, ...options }: Options): Promise<void> {
  const target = readTarget(options);
  const deployment = requireDeployment(target.out);
  const { hre, connection, chainId } = await connectTarget({ ...target, chainId: deployment.chainId }, []);
  try {
    const { contracts, startBlock, parameters, previous } = deployment;
    const { genesis, before } = parameters;
    const findings = await checkDeployment({
      client: await connection.viem.getPublicClient(),
      contracts,
      startBlock,
      previous,
      parameters: { ...parseParameters(target.parameters), genesis, before },
      artifact: async (name) => (await hre.artifacts.readArtifact(name)) as never,
    });
    const ok = findings.every(({ errors }) => errors.length === 0);
    const lines = findings.flatMap(({ check, errors }) =>
      errors.length === 0 ? [`✔ ${check}`] : [`✘ ${check}`, ...errors.map((error) => `    ${error}`)],
    );
    process.stdout.write(json ? `${JSON.stringify({ ok, chainId, findings })}\n` : `${lines.join("\n")}\n`);
    if (!ok) process.exitCode = 1;
  } finally {
    await connection.close();
  }
}

await runCommand(async () => {
  command.parse();
  await run(command.opts<Options>());
});
