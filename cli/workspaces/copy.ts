import { stat } from "node:fs/promises";
import { InputError } from "@ngpu/runtime/errors";
import { json, note, print } from "../shared/output.ts";
import { type GlobalOptions, partnerApi, settingsOf } from "../shared/settings.ts";
import { type Container, copyFailed, runQuietly, runWithStreams } from "./containerCommands.ts";
import { packPath } from "./copyIn.ts";
import { unpackTo } from "./copyOut.ts";
import { createCopyProgress } from "./copyProgress.ts";
import { findWorkspace } from "./find.ts";

type Options = GlobalOptions & { replica?: number };
type Place = { workspace: string | undefined; path: string };

/** Copies a file or folder to or from a container. One of both is `<workspace>:<path>`. */
export async function copy(source: string, target: string, options: Options): Promise<void> {
  const [from, to] = [placeOf(source), placeOf(target)];
  const named = from.workspace ?? to.workspace;
  if (named === undefined || (from.workspace !== undefined && to.workspace !== undefined)) {
    throw new InputError("Exactly one of source and target is in a container.", {
      code: "copy_unclear",
      hint: "Write it as <workspace>:<path>, and a file of this machine whose name has a colon as ./name.",
    });
  }
  const settings = settingsOf(options);
  const api = partnerApi(settings);
  const workspaceId = await findWorkspace(api, named);
  const container = { api, apiKey: settings.key ?? "", workspaceId, replica: options.replica ?? 0 };
  const progress = createCopyProgress();
  if (to.workspace === undefined) await copyOut(container, from.path, to.path, progress);
  else await copyIn(container, from.path, to.path, progress);
  const { files, bytes } = progress.end();
  if (settings.json) print(json({ files, bytes }));
  else note(`Copied ${files} files, ${bytes} bytes.`);
}

/** `<workspace>:<path>` is in a container; `./a:b`, `/a:b` and names without a colon are on this machine. */
function placeOf(text: string): Place {
  const [, workspace, path] = /^([^/.:][^/:]*):(.*)$/.exec(text) ?? [];
  return workspace === undefined
    ? { workspace, path: text }
    : { workspace, path: path === "" ? "." : (path ?? ".") };
}

type Progress = ReturnType<typeof createCopyProgress>;

async function copyIn(
  container: Container,
  source: string,
  target: string,
  progress: Progress,
): Promise<void> {
  await stat(source).catch((cause: unknown) => {
    throw new InputError(`${source} does not exist.`, {
      code: "file_unreadable",
      hint: "Name a file or folder.",
      cause,
    });
  });
  const isFolder = target.endsWith("/") || (await runQuietly(container, ["test", "-d", target])) === 0;
  const [folder, name] = isFolder ? [target, undefined] : splitPath(target);
  const packed = packPath(source, name, progress);
  const command = ["tar", "-x", "-o", "-f", "-", "-C", folder];
  const ended = await runWithStreams(container, command, { stdin: packed.stream });
  // A file that could not be read cuts the archive, which tar also reports.
  await packed.done;
  if (ended.exitCode !== 0) throw copyFailed(ended);
}

async function copyOut(
  container: Container,
  source: string,
  target: string,
  progress: Progress,
): Promise<void> {
  const [folder, name] = splitPath(source.replace(/\/+$/, "") || "/");
  const into = await stat(target).then(
    (found) => found.isDirectory(),
    () => target.endsWith("/"),
  );
  const unpacked = unpackTo(target, into ? undefined : name, progress);
  const command = ["tar", "-c", "-f", "-", "-C", folder, "--", name];
  const ended = await runWithStreams(container, command, { onStdout: unpacked.write });
  if (ended.exitCode !== 0) unpacked.abort();
  await unpacked.end(ended.exitCode === 0);
  if (ended.exitCode !== 0) throw copyFailed(ended);
}

/** The folder and the name of a path in a container. */
function splitPath(path: string): [string, string] {
  const at = path.lastIndexOf("/");
  if (at < 0) return [".", path];
  return [path.slice(0, at) || "/", path.slice(at + 1) || "."];
}
