import { copyFileSync, createReadStream, existsSync, mkdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  type ClientConfig,
  clientConfig,
  decideUpdate,
  type NoUpdate,
  rollout,
  targetPaths,
} from "@ngpu/protocol/updates";
import { FatalError, messageOf, NgpuError } from "@ngpu/runtime/errors";
import type { TargetFile } from "@tufjs/models";
import { Updater } from "tuf-js";
import { fetchArchive, metadataFetcher } from "./fetch.ts";
import { failedReleases, setPending, storeClientConfig, type UpdatePlace } from "./place.ts";
import { removeOtherReleases, unpackRelease } from "./unpack.ts";
import type { UpdateOutcome, UpdateTask } from "./updateTask.ts";

/**
 * Verifies what the market signed, stores the configuration, and unpacks the release that this client is to install.
 *
 * @throws FatalError `update_refused` when a signature, a hash, a version or an expiry is wrong; `release_unusable` when the
 * release does not run on this machine. Nothing is changed then.
 */
export async function update(task: UpdateTask): Promise<UpdateOutcome> {
  const place = { dir: task.dir };
  const updater = openUpdater(task);
  const files = await verified(() => readSigned(updater, task));
  const configChanged = files.config !== undefined && storeClientConfig(place, files.config.text);
  const decision = decide(task, place, files);
  if (decision.install === undefined) return { state: "none", because: decision.because, configChanged };
  const release = decision.install;
  const target = await verified(() => updater.getTargetInfo(targetPaths.archive(release, task.platform)));
  if (target === undefined) return { state: "none", because: "no_archive", configChanged };
  await install(task, place, { release, target });
  return { state: "staged", release, configChanged };
}

function decide(
  { installed, address, region }: UpdateTask,
  place: UpdatePlace,
  { rollout: given, config }: Awaited<ReturnType<typeof readSigned>>,
): { install: string } | { install?: undefined; because: NoUpdate | "no_rollout" | "switched_off" } {
  if (config?.value.switches.updates === false) return { because: "switched_off" };
  if (given === undefined) return { because: "no_rollout" };
  return decideUpdate(given, { installed, failed: failedReleases(place), address, region });
}

function openUpdater({ dir, releases, root }: UpdateTask): Updater {
  const metadataDir = join(dir, "metadata");
  const targetDir = join(dir, "targets");
  for (const folder of [metadataDir, targetDir]) mkdirSync(folder, { recursive: true, mode: 0o700 });
  // The root that was trusted last: each one signs its successor.
  const trusted = join(metadataDir, "root.json");
  if (!existsSync(trusted)) copyFileSync(root, trusted);
  return new Updater({
    metadataDir,
    metadataBaseUrl: new URL("metadata", releases).href,
    targetDir,
    targetBaseUrl: releases.replace(/\/$/, ""),
    fetcher: metadataFetcher,
  });
}

async function readSigned(updater: Updater, { dir }: UpdateTask) {
  await updater.refresh();
  const read = async (path: string) => {
    const target = await updater.getTargetInfo(path);
    return target === undefined ? undefined : readTarget(updater, target, join(dir, "targets", path));
  };
  const rolloutText = await read(targetPaths.rollout);
  const configText = await read(targetPaths.clientConfig);
  const value: ClientConfig | undefined =
    configText === undefined ? undefined : clientConfig.parse(JSON.parse(configText));
  return {
    rollout: rolloutText === undefined ? undefined : rollout.parse(JSON.parse(rolloutText)),
    config: value === undefined || configText === undefined ? undefined : { text: configText, value },
  };
}

async function readTarget(updater: Updater, target: TargetFile, path: string): Promise<string> {
  await updater.downloadTarget(target, path);
  return readFile(path, "utf8");
}

async function install(
  task: UpdateTask,
  place: UpdatePlace,
  { release, target }: { release: string; target: TargetFile },
): Promise<void> {
  const archive = join(task.dir, "targets", `${release}.tar.gz`);
  await fetchArchive({ releases: task.releases, target, path: archive });
  await verified(() => target.verify(createReadStream(archive)));
  await unpackRelease(place, { archive, release });
  removeOtherReleases(place, [release, task.installed]);
  setPending(place, release);
}

/** Runs a step whose errors mean that what the market serves is not to be trusted, unless they are of another kind. */
async function verified<Value>(step: () => Promise<Value>): Promise<Value> {
  try {
    return await step();
  } catch (error) {
    if (error instanceof NgpuError) throw error;
    throw new FatalError(`The market's update is refused: ${messageOf(error)}.`, {
      code: "update_refused",
      hint: "The client goes on as it is. The market's operator checks the service config and npm run updates.",
      cause: error,
    });
  }
}
