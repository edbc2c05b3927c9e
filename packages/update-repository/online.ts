import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Rollout, rollout, rolloutRole, targetPaths } from "@ngpu/protocol/updates";
import { FatalError, InputError, messageOf } from "@ngpu/runtime/errors";
import { canonicalJson } from "@ngpu/runtime/json";
import { type Metadata, MetaFile, Snapshot, TargetFile, Targets, Timestamp } from "@tufjs/models";
import type { Signer } from "./keys.ts";
import {
  expiresIn,
  hashedPath,
  isHalfExpired,
  metadataDir,
  readNewest,
  readTimestamp,
  specVersion,
  writeSigned,
  writeTarget,
} from "./metadataFiles.ts";

/** Days for which the online signatures are valid. They are renewed when half of it has passed. */
const rolloutDays = 7;
const snapshotDays = 7;
const timestampDays = 1;

/** The part of a repository that is signed online. */
export type OnlineRepository = {
  /** @returns undefined when no release was rolled out yet. */
  rollout(): Rollout | undefined;
  /** Versions of the signed releases. */
  releases(): string[];
  /**
   * Signs a rollout.
   *
   * @throws InputError `release_unknown` when the release is not signed.
   */
  setRollout(next: Rollout, now: number): void;
  /** Signs what is new or expires soon. @returns Whether something was signed. */
  refresh(now: number): boolean;
  /** When the first signature expires, milliseconds since 1970; undefined before the first. */
  expiresAt(): number | undefined;
};

/**
 * Opens a repository for signing with the online key. One process at a time signs in a directory.
 *
 * @throws FatalError `update_repository_missing`, `update_key_foreign`
 */
export function openOnlineRepository(dir: string, online: Signer): OnlineRepository {
  if (!existsSync(metadataDir(dir)) || readNewest(dir, "root") === undefined) {
    throw new FatalError(`${dir} is not an update repository.`, {
      code: "update_repository_missing",
      hint: "Create it: npm run updates -- init.",
    });
  }
  requireOwnKey(dir, online);
  return {
    rollout: () => readRollout(dir),
    releases: () => releasesOf(verifiedTargets(dir)),
    setRollout(next, now) {
      const known = releasesOf(verifiedTargets(dir));
      if (!known.includes(next.release)) throw releaseUnknown(next.release, known);
      signRollout(dir, online, next, now);
      refresh(dir, online, now);
    },
    refresh: (now) => refresh(dir, online, now),
    expiresAt: () => expiryOf(dir),
  };
}

function requireOwnKey(dir: string, { key }: Signer): void {
  const roles = readNewest(dir, "root")?.signed.roles;
  if (roles?.snapshot?.keyIDs.includes(key.keyID) && roles.timestamp?.keyIDs.includes(key.keyID)) return;
  throw new FatalError("The root metadata does not name this online key.", {
    code: "update_key_foreign",
    hint: "Use the online key that npm run updates -- init created for this repository.",
  });
}

/** The newest offline signature. A file that the releases key did not sign is refused. */
function verifiedTargets(dir: string): Metadata<Targets> {
  const root = readNewest(dir, "root");
  const targets = readNewest(dir, "targets");
  try {
    if (root === undefined || targets === undefined) throw new Error("it does not exist");
    root.verifyDelegate("targets", targets);
    return targets;
  } catch (error) {
    throw new FatalError(
      `The newest targets metadata in ${dir} is not signed by the releases key: ${messageOf(error)}.`,
      {
        code: "update_metadata_invalid",
        hint: "Remove that file, or sign again with npm run updates.",
        cause: error,
      },
    );
  }
}

function releasesOf({ signed }: Metadata<Targets>): string[] {
  const versions = Object.keys(signed.targets).flatMap(
    (path) => /^([\d.]+)\/ngpu-client-/.exec(path)?.[1] ?? [],
  );
  return [...new Set(versions)];
}

function releaseUnknown(release: string, known: readonly string[]): InputError {
  return new InputError(`Release ${release} is not signed.`, {
    code: "release_unknown",
    hint:
      known.length === 0
        ? "Sign a release first: npm run updates -- add."
        : `Signed releases: ${known.join(", ")}. Sign another with npm run updates -- add.`,
    status: 404,
  });
}

function readRollout(dir: string): Rollout | undefined {
  const file = readNewest(dir, rolloutRole)?.signed.targets[targetPaths.rollout];
  if (file === undefined) return undefined;
  const path = join(dir, hashedPath(file.path, file.hashes.sha256 as string));
  return rollout.parse(JSON.parse(readFileSync(path, "utf8")));
}

function signRollout(dir: string, online: Signer, next: Rollout, now: number): void {
  const version = (readNewest(dir, rolloutRole)?.signed.version ?? 0) + 1;
  const file = new TargetFile({
    ...writeTarget(dir, targetPaths.rollout, canonicalJson(next)),
  });
  const signed = new Targets({
    version,
    specVersion,
    expires: expiresIn(rolloutDays, now),
    targets: { [file.path]: file },
  });
  writeSigned(dir, `${version}.${rolloutRole}.json`, signed, [online]);
}

/** Signs the rollout again when it expires soon, then what states the newest versions. */
function refresh(dir: string, online: Signer, now: number): boolean {
  const present = readNewest(dir, rolloutRole);
  const current = readRollout(dir);
  if (present === undefined) signEmptyRollout(dir, online, now);
  else if (current !== undefined && isHalfExpired(present.signed.expires, rolloutDays, now))
    signRollout(dir, online, current, now);
  else if (current === undefined && isHalfExpired(present.signed.expires, rolloutDays, now))
    signEmptyRollout(dir, online, now);
  const snapshot = signSnapshot(dir, online, now);
  return signTimestamp(dir, online, snapshot, now);
}

/** Before the first rollout: clients learn that there is none. */
function signEmptyRollout(dir: string, online: Signer, now: number): void {
  const version = (readNewest(dir, rolloutRole)?.signed.version ?? 0) + 1;
  const signed = new Targets({ version, specVersion, expires: expiresIn(rolloutDays, now), targets: {} });
  writeSigned(dir, `${version}.${rolloutRole}.json`, signed, [online]);
}

function signSnapshot(dir: string, online: Signer, now: number): Metadata<Snapshot> {
  const versions = {
    "targets.json": verifiedTargets(dir).signed.version,
    [`${rolloutRole}.json`]: readNewest(dir, rolloutRole)?.signed.version ?? 0,
  };
  const previous = readNewest(dir, "snapshot");
  const isSame = Object.entries(versions).every(
    ([name, version]) => previous?.signed.meta[name]?.version === version,
  );
  if (previous !== undefined && isSame && !isHalfExpired(previous.signed.expires, snapshotDays, now))
    return previous;
  const meta = Object.entries(versions).map(([name, version]) => [name, new MetaFile({ version })]);
  const version = (previous?.signed.version ?? 0) + 1;
  const signed = new Snapshot({
    version,
    specVersion,
    expires: expiresIn(snapshotDays, now),
    meta: Object.fromEntries(meta),
  });
  return writeSigned(dir, `${version}.snapshot.json`, signed, [online]);
}

function signTimestamp(dir: string, online: Signer, snapshot: Metadata<Snapshot>, now: number): boolean {
  const previous = readTimestamp(dir)?.signed;
  const isSame = previous?.snapshotMeta.version === snapshot.signed.version;
  if (previous !== undefined && isSame && !isHalfExpired(previous.expires, timestampDays, now)) return false;
  const signed = new Timestamp({
    version: (previous?.version ?? 0) + 1,
    specVersion,
    expires: expiresIn(timestampDays, now),
    snapshotMeta: new MetaFile({ version: snapshot.signed.version }),
  });
  writeSigned(dir, "timestamp.json", signed, [online]);
  return true;
}

function expiryOf(dir: string): number | undefined {
  const all = [
    readNewest(dir, "root"),
    readNewest(dir, "targets"),
    readNewest(dir, rolloutRole),
    readNewest(dir, "snapshot"),
    readTimestamp(dir),
  ];
  const times = all.flatMap((metadata) =>
    metadata === undefined ? [] : [Date.parse(metadata.signed.expires)],
  );
  return times.length === 0 ? undefined : Math.min(...times);
}
