import { createContainer, inspectOwn, removeContainer } from "./containers.ts";
import type { Engine } from "./engine.ts";
import type { Image } from "./images.ts";
import { readPasswd, uidIn } from "./passwd.ts";
import { nobody, userOf } from "./sandbox.ts";

/** Label of the containers whose files are read. They are never started. */
const label = "ngpu.inspected";

/**
 * The user that an image's containers run as, by id: a name may stand for root in the image's /etc/passwd. Root and a user that
 * cannot be resolved become nobody.
 *
 * @param known The users of images that were resolved before, by image id.
 */
export async function resolveUser(
  engine: Engine,
  image: Image,
  known: Map<string, Promise<string>>,
): Promise<string> {
  const user = userOf(image.user);
  const [name = "", ...group] = user.split(":");
  if (/^\d+$/.test(name)) return user;
  if (!/^[A-Za-z_][\w.-]*\$?$/.test(name)) return nobody;
  const before = known.get(image.id);
  if (before !== undefined) return before;
  const resolving = uidOf(engine, image.id, name).then((uid) =>
    uid === undefined ? nobody : [String(uid), ...group].join(":"),
  );
  known.set(image.id, resolving);
  // After an error it is tried again.
  resolving.catch(() => known.delete(image.id));
  return resolving;
}

/** Removes the containers that a killed client has left. */
export async function removeInspected(engine: Engine): Promise<void> {
  for (const { Id } of await inspectOwn(engine, "inspected")) await removeContainer(engine, Id);
}

async function uidOf(engine: Engine, imageId: string, name: string): Promise<number | undefined> {
  const containerId = await createContainer(engine, {
    name: `ngpu-${engine.market}-${engine.node.slice(2, 10)}-inspected-${imageId.replace(/^sha256:/, "")}`,
    Image: imageId,
    User: nobody,
    Entrypoint: ["/never-started"],
    Cmd: [],
    Labels: { "ngpu.market": engine.market, "ngpu.node": engine.node, [label]: imageId },
    HostConfig: { NetworkMode: "none", ReadonlyRootfs: true, CapDrop: ["ALL"] },
  });
  try {
    const passwd = await readPasswd(engine, containerId);
    return passwd === undefined ? undefined : uidIn(passwd, name);
  } finally {
    await removeContainer(engine, containerId);
  }
}
