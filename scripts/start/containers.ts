import Docker from "dockerode";
import type { Deployment } from "../../services/shared/chain/deployment.ts";

/** The label value that marks the containers of one market: the first 8 digits of its node registry's address. */
export function marketLabel(deployment: Deployment): string {
  return deployment.contracts.ComputeNode.slice(2, 10).toLowerCase();
}

/**
 * Removes every container of this market that is still there: those of a run that was killed, or that a killed node
 * client could not stop itself.
 *
 * @returns How many there were.
 */
export async function removeContainers(socketPath: string, deployment: Deployment): Promise<number> {
  const docker = new Docker({ socketPath });
  const found = await docker.listContainers({
    all: true,
    filters: { label: [`ngpu.market=${marketLabel(deployment)}`] },
  });
  await Promise.all(found.map(({ Id }) => docker.getContainer(Id).remove({ force: true, v: true })));
  return found.length;
}
