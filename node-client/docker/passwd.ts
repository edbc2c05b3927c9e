import { posix } from "node:path";
import type { Readable } from "node:stream";
import { extract } from "tar-stream";
import { calling, type Engine, statusOf, tolerating } from "./engine.ts";

/** Largest /etc/passwd that is read. */
const maxBytes = 1 << 20;
/** Most symbolic links from /etc/passwd to the file. */
const maxLinks = 8;
/** @deadline The engine to send the file. The user counts as unknown. */
const deadline = 10_000;
const maxUid = 2 ** 31 - 1;

/**
 * The id of a user in a container's /etc/passwd. The engine reads bad numbers as 0, so anything that is not plainly another id
 * counts as unknown.
 *
 * @returns undefined when the user is root, unknown or ambiguous
 */
export function uidIn(passwd: string, name: string): number | undefined {
  const ids = passwd
    .split("\n")
    .map((line) => line.replace(/^[^\x21-\x7e]+|[^\x21-\x7e]+$/g, "").split(":"))
    .filter(([user]) => user === name)
    .map(([, , uid = ""]) => (/^[1-9]\d{0,9}$/.test(uid) ? Number(uid) : 0));
  const [first = 0] = ids;
  return ids.every((uid) => uid === first) && first > 0 && first <= maxUid ? first : undefined;
}

/**
 * Reads /etc/passwd out of a container that has not been started. Symbolic links are followed inside the container.
 *
 * @returns undefined when there is no such file, or it is not a plain file of at most 1 MiB
 * @throws RetryableError `engine_unreachable`.
 */
export async function readPasswd(engine: Engine, containerId: string): Promise<string | undefined> {
  let path = "/etc/passwd";
  for (let links = 0; links <= maxLinks; links += 1) {
    const found = await readEntry(engine, containerId, path);
    if (found === undefined || found.type === "file") return found?.text;
    path = posix.resolve(posix.dirname(path), found.target);
  }
  return undefined;
}

type Found = { type: "file"; text: string } | { type: "link"; target: string };

async function readEntry({ docker }: Engine, containerId: string, path: string): Promise<Found | undefined> {
  const abortSignal = AbortSignal.timeout(deadline);
  const ask = () => calling(docker, () => docker.getContainer(containerId).getArchive({ path, abortSignal }));
  // The engine fails with 500 when links form a circle, so a second failure is an answer.
  const archive = await tolerating([400, 404, 500], undefined, () =>
    ask().catch((error) => (statusOf(error) === 500 ? ask() : Promise.reject(error))),
  );
  if (archive === undefined) return undefined;
  const stream = archive as Readable;
  const entries = extract();
  stream.on("error", (error) => entries.destroy(error));
  // The iteration reports errors; those after its end do not count.
  entries.on("error", () => undefined);
  abortSignal.addEventListener("abort", () => entries.destroy(abortSignal.reason), { once: true });
  try {
    return await calling(docker, () => firstEntry(stream.pipe(entries)));
  } finally {
    stream.destroy();
    entries.destroy();
  }
}

async function firstEntry(entries: ReturnType<typeof extract>): Promise<Found | undefined> {
  for await (const entry of entries) {
    const { type, size = 0, linkname } = entry.header;
    if (type === "symlink" && linkname) return { type: "link", target: linkname };
    if ((type !== "file" && type !== "contiguous-file") || size > maxBytes) return undefined;
    const parts: Buffer[] = [];
    for await (const part of entry) parts.push(part as Buffer);
    return { type: "file", text: Buffer.concat(parts).toString("latin1") };
  }
  return undefined;
}
