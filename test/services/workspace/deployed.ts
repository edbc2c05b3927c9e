import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { deserialize, serialize } from "node:v8";
import type { NgpuDeployment } from "@ngpu/contracts/ignition/deploy";

/** Contracts on a chain that several test processes use, one after the other. */
type Deployed = {
  deployed: NgpuDeployment;
  /** Id of the chain's snapshot right after the deployment. */
  snapshot: unknown;
};

/** What an earlier process deployed on the chain of this directory; undefined: nothing yet. */
export function readDeployed(dir: string): Deployed | undefined {
  const file = fileIn(dir);
  return existsSync(file) ? (deserialize(readFileSync(file)) as Deployed) : undefined;
}

export function keepDeployed(dir: string, deployed: Deployed): void {
  const draft = `${fileIn(dir)}.draft`;
  writeFileSync(draft, serialize(deployed));
  renameSync(draft, fileIn(dir));
}

const fileIn = (dir: string) => join(dir, "deployed");
