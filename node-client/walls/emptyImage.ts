import { Readable } from "node:stream";
import { pack } from "tar-stream";
import { calling, type Engine, tolerating } from "../docker/engine.ts";

const name = "ngpu-empty:1";

/** An image without a file, for containers that use the host's programs. @returns Its name. */
export async function emptyImage({ docker }: Engine): Promise<string> {
  const found = await tolerating([404], undefined, () =>
    calling(docker, () => docker.getImage(name).inspect()),
  );
  if (found !== undefined) return name;
  const archive = pack();
  archive.entry({ name: "run", type: "directory" });
  archive.finalize();
  const [repo, tag] = name.split(":") as [string, string];
  const progress = await calling(docker, () => docker.importImage(Readable.from(archive), { repo, tag }));
  await calling(docker, async () => {
    for await (const _part of progress as AsyncIterable<Buffer>);
  });
  return name;
}
