import { linkSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { clientConfig, releaseVersion, rolloutRole, targetPaths } from "@ngpu/protocol/updates";
import { FatalError, InputError } from "@ngpu/runtime/errors";
import { type Key, Root, TargetFile, Targets } from "@tufjs/models";
import { z } from "zod";
import type { Signer } from "./keys.ts";
import {
  expiresIn,
  hashedPath,
  metadataDir,
  readNewest,
  specVersion,
  writeSigned,
  writeTarget,
} from "./metadataFiles.ts";

/** Days for which the offline signatures are valid. `renew` extends them. */
const rootDays = 365;
const targetsDays = 180;

/** The offline keys: they sign releases, and no service has them. */
export type OfflineKeys = { root: Signer; releases: Signer };

/** An archive of a release, as `npm run client:release` describes it. */
export type Archive = { platform: string; sha256: string; bytes: number };

/**
 * Creates a repository without releases.
 *
 * @param dir Directory `client` of the client's releases.
 * @throws InputError `update_repository_exists`
 */
export function createRepository(dir: string, keys: OfflineKeys, online: Key, now: number): void {
  requireNoRepository(dir);
  const role = (key: Key) => ({ keyids: [key.keyID], threshold: 1 });
  const root = Root.fromJSON({
    _type: "root",
    version: 1,
    spec_version: specVersion,
    expires: expiresIn(rootDays, now),
    consistent_snapshot: true,
    keys: keysJson([keys.root.key, keys.releases.key, online]),
    roles: {
      root: role(keys.root.key),
      targets: role(keys.releases.key),
      snapshot: role(online),
      timestamp: role(online),
    },
  });
  writeSigned(dir, "1.root.json", root, [keys.root]);
  writeTargets(dir, keys.releases, { version: 1, targets: {}, delegations: delegationTo(online) }, now);
}

function keysJson(keys: readonly Key[]) {
  return Object.fromEntries(keys.map((key) => [key.keyID, key.toJSON()]));
}

/** The online key signs the rollout, and no other file. */
function delegationTo(online: Key): Targets["delegations"] {
  const role = {
    name: rolloutRole,
    keyids: [online.keyID],
    threshold: 1,
    terminating: true,
    paths: [targetPaths.rollout],
  };
  return Targets.fromJSON({
    _type: "targets",
    version: 1,
    spec_version: specVersion,
    expires: expiresIn(targetsDays, 0),
    targets: {},
    delegations: { keys: keysJson([online]), roles: [role] },
  }).delegations;
}

/** @throws InputError `update_repository_exists` */
export function requireNoRepository(dir: string): void {
  mkdirSync(metadataDir(dir), { recursive: true });
  if (readNewest(dir, "root") === undefined) return;
  throw new InputError(`${dir} already has a repository.`, {
    code: "update_repository_exists",
    hint: "Clients trust its root key: go on with it, or choose another directory.",
  });
}

/**
 * Signs the archives of a release. Clients install it once the rollout names it.
 *
 * @param given.replace Accept another archive for a signed version, which clients that have this version do not install.
 * @throws InputError `release_exists` when the version is signed with other archives.
 */
export function addRelease(
  dir: string,
  releases: Signer,
  given: { version: string; archives: readonly Archive[]; replace?: boolean },
  now: number,
): void {
  const version = releaseVersion.parse(given.version);
  changeTargets(dir, releases, now, (targets) => {
    for (const { platform, sha256, bytes } of given.archives) {
      const path = targetPaths.archive(version, platform);
      const signed = targets[path];
      if (!given.replace && signed !== undefined && signed.hashes.sha256 !== sha256)
        throw releaseExists(version, platform);
      linkOnce(join(dir, path), join(dir, hashedPath(path, sha256)));
      targets[path] = new TargetFile({ path, length: bytes, hashes: { sha256 } });
    }
  });
}

function releaseExists(version: string, platform: string): InputError {
  return new InputError(`Release ${version} for ${platform} is signed with another archive.`, {
    code: "release_exists",
    hint: "Raise the version: nodes that have this one would not install another archive of it.",
  });
}

/** Signs the configuration of all clients. Its version must be higher than the previous one's. @throws InputError `client_config_invalid` */
export function setClientConfig(dir: string, releases: Signer, given: unknown, now: number): void {
  const parsed = clientConfig.safeParse(given);
  if (!parsed.success)
    throw configInvalid(`The configuration is not valid:\n${z.prettifyError(parsed.error)}`);
  changeTargets(dir, releases, now, (targets) => {
    const previous = targets[targetPaths.clientConfig]?.custom.version;
    if (typeof previous === "number" && parsed.data.version <= previous)
      throw configInvalid(
        `The configuration's version is ${parsed.data.version}; version ${previous} is signed already.`,
      );
    const file = writeTarget(dir, targetPaths.clientConfig, JSON.stringify(parsed.data, null, 2));
    const custom = { custom: { version: parsed.data.version } };
    targets[targetPaths.clientConfig] = new TargetFile({ ...file, unrecognizedFields: custom });
  });
}

function configInvalid(message: string): InputError {
  return new InputError(message, {
    code: "client_config_invalid",
    hint: "docs/updates.md lists its fields. Raise the version with each change.",
  });
}

/** Signs root and releases again, before they expire. */
export function renew(dir: string, keys: OfflineKeys, now: number): void {
  const { signed } = required(dir, "root");
  const root = new Root({
    ...optionsOf(signed, rootDays, now),
    keys: signed.keys,
    roles: signed.roles,
    consistentSnapshot: true,
  });
  writeSigned(dir, `${root.version}.root.json`, root, [keys.root]);
  changeTargets(dir, keys.releases, now, () => undefined);
}

function optionsOf({ version }: { version: number }, days: number, now: number) {
  return { version: version + 1, specVersion, expires: expiresIn(days, now) };
}

function changeTargets(
  dir: string,
  releases: Signer,
  now: number,
  change: (targets: Record<string, TargetFile>) => void,
): void {
  const { signed } = required(dir, "targets");
  const targets = { ...signed.targets };
  change(targets);
  writeTargets(dir, releases, { version: signed.version + 1, targets, delegations: signed.delegations }, now);
}

function writeTargets(
  dir: string,
  releases: Signer,
  content: { version: number; targets: Record<string, TargetFile>; delegations: Targets["delegations"] },
  now: number,
): void {
  const { version, targets, delegations } = content;
  const signed = new Targets({
    version,
    specVersion,
    expires: expiresIn(targetsDays, now),
    targets,
    ...(delegations && { delegations }),
  });
  writeSigned(dir, `${version}.targets.json`, signed, [releases]);
}

function required<Name extends "root" | "targets">(dir: string, role: Name) {
  const metadata = readNewest(dir, role);
  if (metadata !== undefined) return metadata;
  throw new FatalError(`${dir} is not an update repository.`, {
    code: "update_repository_missing",
    hint: "Create it: npm run updates -- init.",
  });
}

function linkOnce(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}
