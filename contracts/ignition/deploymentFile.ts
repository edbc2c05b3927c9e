import { existsSync, readFileSync } from "node:fs";
import { parseDeployment } from "@ngpu/contracts-sdk/deployment";
import { FatalError } from "@ngpu/runtime/errors";
import type { NgpuDeployment, PreviousContracts } from "./deploy.ts";
import { parseParameters } from "./parameters.ts";

/**
 * Reads a deployment file, with every parameter; undefined when it does not exist.
 *
 * @throws FatalError `deployment_invalid` or `parameters_invalid`.
 */
export function readNgpuDeployment(file: string): NgpuDeployment | undefined {
  if (!existsSync(file)) return undefined;
  let value: { parameters: unknown; previous?: (PreviousContracts & { parameters: unknown })[] };
  try {
    value = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new FatalError(`${file} is not JSON.`, {
      code: "deployment_invalid",
      hint: "Restore the file from a backup or from version control.",
      cause: error,
    });
  }
  const { chainId, startBlock, contracts } = parseDeployment(value);
  const previous = (value.previous ?? []).map((entry) => ({
    ...entry,
    parameters: parseParameters(entry.parameters),
  }));
  return { chainId, startBlock, contracts, parameters: parseParameters(value.parameters), previous };
}
