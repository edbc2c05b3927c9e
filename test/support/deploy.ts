import { readFileSync } from "node:fs";
import { join } from "node:path";
import { artifactOf } from "@ngpu/contracts/ignition/constructors";
import type { NgpuDeployment } from "@ngpu/contracts/ignition/deploy";
import { type Artifact, deployAtOnce } from "@ngpu/contracts/ignition/deployAtOnce";
import { type NgpuParametersInput, parseParameters } from "@ngpu/contracts/ignition/parameters";
import type { PrivateKeyAccount } from "viem";
import { COMPILED, isCompiled } from "../../scripts/bootstrap/compiled.mjs";
import { rootDir } from "./parts.ts";

/**
 * Deploys the compiled contracts of the repository to a chain that mines each transaction, as `npm start` does on its own
 * chain. It takes a tenth of Ignition's time and gives the same market: test/scripts/deployAtOnce.slow.test.ts.
 *
 * @returns undefined when the sources have changed since they were compiled.
 */
export async function deployCompiled(options: {
  url: string;
  deployer: PrivateKeyAccount;
  parameters: NgpuParametersInput;
}): Promise<NgpuDeployment | undefined> {
  const { url, deployer } = options;
  if (!isCompiled(rootDir)) return undefined;
  return deployAtOnce({ url, deployer, parameters: parseParameters(options.parameters), artifact });
}

function artifact(name: Parameters<typeof artifactOf>[0]): Artifact {
  const compiled = artifactOf(name);
  const file = join(rootDir, COMPILED, "contracts", `${compiled}.sol`, `${compiled}.json`);
  return JSON.parse(readFileSync(file, "utf8")) as Artifact;
}
