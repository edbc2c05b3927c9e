import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import Docker from "dockerode";

/** The label value that marks the containers of one market: the first 8 digits of its node registry's address. */
export function marketLabel(deployment: Deployment): string {
  return deployment.contracts.ComputeNode.slice(2, 10).toLowerCase();
}

/**
 * Removes every container and network of this market: those of a killed run, and those that a killed node client did
 * not stop.
 *
 * @returns The number of removed containers.
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

/** Removes the names of images that were pulled from this registry. It is about to stop, so the names are of no use. */
export async function forgetImages(socketPath: string, registry: string): Promise<void> {
  const docker = new Docker({ socketPath });
  const images = await docker.listImages({ filters: { reference: [`${registry}/*/*`] } });
  const names = images.flatMap(({ RepoDigests }) => RepoDigests ?? []);
  for (const name of names.filter((one) => one.startsWith(`${registry}/`))) {
    await unlessGone(docker.getImage(name).remove());
  }
}

/** Succeeds also when the object does not exist (404) or is being removed (409). */
async function unlessGone(removal: Promise<unknown>): Promise<void> {
  try {
    await removal;
  } catch (error) {
    const status = (error as { statusCode?: number }).statusCode;
    if (status !== 404 && status !== 409) throw error;
  }
}
