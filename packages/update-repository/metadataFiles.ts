import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join, parse } from "node:path";
import { FatalError, messageOf } from "@ngpu/runtime/errors";
import {
  Metadata,
  MetadataKind,
  type Root,
  type Snapshot,
  type Targets,
  type Timestamp,
} from "@tufjs/models";
import type { Signer } from "./keys.ts";

/** The format's version that metadata states. */
export const specVersion = "1.0.31";

type Kinds = { root: Root; targets: Targets; snapshot: Snapshot; timestamp: Timestamp };
type KindOf<Name extends string> = Name extends keyof Kinds ? Kinds[Name] : Targets;

/** Directory of the metadata in a repository. */
export const metadataDir = (dir: string): string => join(dir, "metadata");

/** When metadata that is signed now expires. */
export function expiresIn(days: number, now: number): string {
  return `${new Date(now + days * 86_400_000).toISOString().slice(0, 19)}Z`;
}

/** Whether less than half of the days is left. */
export function isHalfExpired(expires: string, days: number, now: number): boolean {
  return Date.parse(expires) - now < (days * 86_400_000) / 2;
}

/** The newest metadata of a role. @returns undefined when the repository has none. */
export function readNewest<Name extends string>(dir: string, role: Name): Metadata<KindOf<Name>> | undefined {
  const version = newestVersion(dir, role);
  return version === undefined ? undefined : readMetadata(dir, role, version);
}

function newestVersion(dir: string, role: string): number | undefined {
  const pattern = new RegExp(`^(\\d+)\\.${role}\\.json$`);
  const versions = readdirSync(metadataDir(dir)).flatMap((name) => pattern.exec(name)?.[1] ?? []);
  return versions.length === 0 ? undefined : Math.max(...versions.map(Number));
}

function readMetadata<Name extends string>(dir: string, role: Name, version: number): Metadata<KindOf<Name>> {
  const path = join(metadataDir(dir), `${version}.${role}.json`);
  try {
    const kind = role in MetadataKindOf ? MetadataKindOf[role as keyof Kinds] : MetadataKind.Targets;
    // The overloads of fromJSON name each kind by itself.
    const read = Metadata.fromJSON as (kind: MetadataKind, data: unknown) => Metadata<KindOf<Name>>;
    return read(kind, JSON.parse(readFileSync(path, "utf8")));
  } catch (error) {
    throw new FatalError(`${path} is not valid metadata: ${messageOf(error)}.`, {
      code: "update_metadata_invalid",
      hint: "Restore the file from a backup, or sign it again with npm run updates.",
      cause: error,
    });
  }
}

const MetadataKindOf = {
  root: MetadataKind.Root,
  targets: MetadataKind.Targets,
  snapshot: MetadataKind.Snapshot,
  timestamp: MetadataKind.Timestamp,
};

/** Reads the timestamp, whose file has no version in its name. @returns undefined when there is none. */
export function readTimestamp(dir: string): Metadata<Timestamp> | undefined {
  let text: string;
  try {
    text = readFileSync(join(metadataDir(dir), "timestamp.json"), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  return Metadata.fromJSON(MetadataKind.Timestamp, JSON.parse(text));
}

/** Signs metadata and writes its file, which is there whole or not at all. @returns The signed metadata. */
export function writeSigned<Kind extends Kinds[keyof Kinds]>(
  dir: string,
  file: string,
  signed: Kind,
  signers: readonly Signer[],
): Metadata<Kind> {
  const metadata = new Metadata(signed);
  for (const signer of signers) metadata.sign((data) => signer.sign(data));
  writeAtomically(join(metadataDir(dir), file), JSON.stringify(metadata.toJSON(), null, 2));
  return metadata;
}

/**
 * Writes a text that is signed as a target, under the name that has its hash: the previous one stays for clients that still
 * have previous metadata.
 *
 * @returns What the metadata says of the file.
 */
export function writeTarget(dir: string, path: string, text: string) {
  const sha256 = createHash("sha256").update(text).digest("hex");
  writeAtomically(join(dir, hashedPath(path, sha256)), text);
  return { path, length: Buffer.byteLength(text), hashes: { sha256 } };
}

/** The path under which clients fetch a target. */
export function hashedPath(path: string, sha256: string): string {
  const { dir, base } = parse(path);
  return join(dir, `${sha256}.${base}`);
}

function writeAtomically(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}
