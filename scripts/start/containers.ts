import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import Docker from "dockerode";

/** The label value that marks the containers of one market: the first 8 digits of its node registry's address. */
export function marketLabel(deployment: Deployment): string {
  return deployment.contracts.ComputeNode.slice(2, 10).toLowerCase();
}

/**
 * Removes every container and network of this market that is still there: those of a run that was killed, or that a
 * killed node client could not stop itself.
 *
 * @returns How many containers there were.
 */
export async function removeContainers(socketPath: string, deployment: Deployment): Promise<number> {
  const docker = new Docker({ socketPath });
  const filters = { label: [`ngpu.market=${marketLabel(deployment)}`] };
  const found = await docker.listContainers({ all: true, filters });
  await Promise.all(
    found.map(({ Id }) => unlessGone(docker.getContainer(Id).remove({ force: true, v: true }))),
  );
  const networks = await docker.listNetworks({ filters });
  await Promise.all(networks.map(({ Id }) => unlessGone(docker.getNetwork(Id).remove())));
  return found.length;
}

/** Takes the names away under which images were pulled from a registry that is about to end; nobody can pull by them again. */
export async function forgetImages(socketPath: string, registry: string): Promise<void> {
  const docker = new Docker({ socketPath });
  const images = await docker.listImages({ filters: { reference: [`${registry}/*/*`] } });
  const names = images.flatMap(({ RepoDigests }) => RepoDigests ?? []);
  for (const name of names.filter((one) => one.startsWith(`${registry}/`))) {
    await unlessGone(docker.getImage(name).remove());
  }
}

/** Gone already, or on its way out (409), is gone. */
async function unlessGone(removal: Promise<unknown>): Promise<void> {
  try {
    await removal;
  } catch (error) {
    const status = (error as { statusCode?: number }).statusCode;
    if (status !== 404 && status !== 409) throw error;
  }
}
