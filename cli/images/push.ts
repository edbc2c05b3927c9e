import { FatalError } from "@ngpu/runtime/errors";
import { json, note, print, safe } from "../shared/output.ts";
import { type GlobalOptions, partnerApi, settingsOf } from "../shared/settings.ts";
import { type DockerCli, openDockerCli, type Ran } from "./docker.ts";

type Options = GlobalOptions & { name?: string };

/**
 * Pushes an image of the local engine to the market's registry and prints the reference that workspaces name. Layers that the
 * registry has are not sent again.
 *
 * @throws FatalError `docker_not_installed`, `docker_not_running`, `image_not_local` or `image_push_failed`.
 */
export async function push(image: string, options: Options): Promise<void> {
  const settings = settingsOf(options);
  const api = partnerApi(settings);
  const [{ wallet }, { probeImage }] = await Promise.all([
    api.call("GET /v1/account", {}),
    api.call("GET /v1/network", {}),
  ]);
  // The market's own images are in its registry.
  const [registry = ""] = probeImage.split("/");
  const repository = `${registry}/${wallet.toLowerCase()}/${options.name ?? nameOf(image)}`;
  const docker = await openDockerCli({ registry, key: settings.key ?? "" });
  try {
    const digest = await pushAs(docker, image, `${repository}:${tagOf(image)}`);
    const reference = `${repository}@${digest}`;
    print(settings.json ? json({ image: reference, digest, repository }) : reference);
  } finally {
    await docker.close();
  }
}

/** @returns The digest of the pushed manifest. */
async function pushAs(docker: DockerCli, image: string, target: string): Promise<string> {
  const engine = await docker.run(["version", "--format", "{{.Server.Version}}"]);
  if (engine.code !== 0) {
    throw new FatalError(`Docker cannot be used: ${said(engine)}`, {
      code: "docker_not_running",
      hint: "Start it, or set DOCKER_HOST to the socket of its engine.",
    });
  }
  const tagged = await docker.run(["tag", image, target]);
  if (tagged.code !== 0) {
    throw new FatalError(`The local engine has no image ${image}: ${said(tagged)}`, {
      code: "image_not_local",
      hint: "Build it with docker build -t, or check its name with docker images.",
    });
  }
  try {
    const pushed = await docker.run(["push", target], (line) => note(safe(line)));
    const digest = /digest: (sha256:[0-9a-f]{64})/.exec(pushed.stdout)?.[1];
    if (pushed.code === 0 && digest !== undefined) return digest;
    throw new FatalError(`The image was not pushed: ${said(pushed)}`, {
      code: "image_push_failed",
      hint: "Resolve the reason that Docker gives, then push again: layers that arrived are not sent again.",
    });
  } finally {
    await docker.run(["rmi", target]);
  }
}

const said = ({ stdout, stderr }: Ran): string => {
  const lines = (stderr.trim() || stdout.trim()).split("\n");
  return safe(lines.at(-1) ?? "");
};

/** `registry:5000/team/model:v2` is `model`. */
function nameOf(image: string): string {
  const path = image.replace(/@.*$/, "").replace(/:[^/:]*$/, "");
  return path.slice(path.lastIndexOf("/") + 1);
}

function tagOf(image: string): string {
  return /:([^/:@]+)$/.exec(image.replace(/@.*$/, ""))?.[1] ?? "latest";
}
