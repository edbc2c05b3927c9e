import { createHash } from "node:crypto";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { isIP } from "node:net";
import { FatalError, messageOf, RetryableError } from "@ngpu/runtime/errors";
import { isPublicAddress, publicLookup } from "@ngpu/runtime/publicAddress";
import { readWithin } from "@ngpu/runtime/readWithin";
import { z } from "zod";

/** What an image's manifest says. `sizeBytes` is the compressed size of its configuration and layers. */
export type ImageFacts = { sizeBytes: bigint; layers: number };

export type FactsOptions = {
  signal: AbortSignal;
  /** The registry may be at an address that is not public. */
  privateAddresses: boolean;
  /** Milliseconds for all requests of an image. Default 10,000. */
  deadline?: number;
};

/** Largest manifest, as in the OCI distribution specification. */
const maxManifestBytes = 4 * 2 ** 20;
const maxTokenBytes = 64 * 1024;
/** @deadline The registry of an image to serve its manifest. The size of the image is unknown, and is read again when it is needed. */
const manifestDeadline = 10_000;

const accepted = [
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
].join(", ");

const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);
const descriptor = z.object({ size: z.int().min(0) });
const manifest = z.object({ config: descriptor, layers: z.array(descriptor).max(10_000) });
const platform = z.object({ os: z.string(), architecture: z.string() });
/** An entry of an index. Without a platform that can be read, the image may still be for Linux. */
const indexEntry = z.object({ digest, platform: platform.optional().catch(undefined) });
const index = z.object({ manifests: z.array(z.unknown()) });

type Source = { host: string; name: string; digest: string };

/**
 * Reads the facts of an image from its registry. The manifest's bytes are verified against the digest, so they are the image's own
 * whoever named the registry.
 *
 * @param reference `host/name@sha256:…`
 * @throws RetryableError `image_manifest_unreachable`; FatalError `image_manifest_invalid`.
 */
export async function readImageFacts(reference: string, options: FactsOptions): Promise<ImageFacts> {
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(options.deadline ?? manifestDeadline)]);
  const source = sourceOf(reference);
  const found = await readVerified(source, { ...options, signal });
  const platforms = index.safeParse(found);
  if (!platforms.success) return factsOf(source, found);
  // One entry that cannot be read hides no other.
  const entries = platforms.data.manifests.flatMap((entry) => indexEntry.safeParse(entry).data ?? []);
  // Nodes run Linux; every platform of an image is about as large. Attestations have the platform unknown/unknown.
  const linux = entries.filter((entry) => entry.platform?.os === "linux");
  const [chosen] = [
    ...linux.filter((entry) => entry.platform?.architecture === "amd64"),
    ...linux,
    ...entries.filter((entry) => entry.platform?.os !== "unknown"),
    ...entries,
  ];
  if (chosen === undefined) throw invalid(source, "names no platform");
  const own = { ...source, digest: chosen.digest };
  return factsOf(own, await readVerified(own, { ...options, signal }));
}

function factsOf(source: Source, document: unknown): ImageFacts {
  const parsed = manifest.safeParse(document);
  if (!parsed.success) throw invalid(source, "is not a manifest of an image");
  const { config, layers } = parsed.data;
  const sizeBytes = [config, ...layers].reduce((sum, { size }) => sum + BigInt(size), 0n);
  return { sizeBytes, layers: layers.length };
}

/** Docker's rule: the first part of a reference is a host when it could not be a name. Otherwise the image is Docker Hub's. */
function sourceOf(reference: string): Source {
  const [path = "", hash = ""] = reference.split("@");
  const [first = "", ...rest] = path.split("/");
  const isHost = rest.length > 0 && (/[.:]/.test(first) || first === "localhost");
  const name = isHost ? rest.join("/") : rest.length === 0 ? `library/${first}` : path;
  const host = isHost && first !== "docker.io" ? first : "registry-1.docker.io";
  return { host, name: name.replace(/:[^/]*$/, ""), digest: hash };
}

async function readVerified(source: Source, options: FactsOptions): Promise<unknown> {
  // Docker uses plain HTTP for this machine only.
  const scheme = /^(localhost|127(\.\d+){3})(:\d+)?$/.test(source.host) ? "http" : "https";
  const url = new URL(`${scheme}://${source.host}/v2/${source.name}/manifests/${source.digest}`);
  let answer = await get(url, { accept: accepted }, maxManifestBytes, options);
  if (answer.status === 401) {
    const token = await tokenFor(String(answer.headers["www-authenticate"] ?? ""), options);
    answer = await get(
      url,
      { accept: accepted, authorization: `Bearer ${token}` },
      maxManifestBytes,
      options,
    );
  }
  if (answer.status !== 200) throw unreachable(url, `status ${answer.status}`, undefined, answer.status);
  if (`sha256:${createHash("sha256").update(answer.body).digest("hex")}` !== source.digest) {
    throw invalid(source, "has another digest");
  }
  try {
    return JSON.parse(answer.body.toString("utf8"));
  } catch (error) {
    throw invalid(source, "is not JSON", error);
  }
}

/** A token for anonymous reading, from the service that the registry names. */
async function tokenFor(challenge: string, options: FactsOptions): Promise<string> {
  const parts = Object.fromEntries(
    Array.from(challenge.matchAll(/(\w+)="([^"]*)"/g), ([, name = "", value = ""]) => [name, value]),
  );
  if (!URL.canParse(parts.realm ?? "")) throw unreachable(challenge, "it asks for a key");
  const url = new URL(parts.realm as string);
  for (const name of ["service", "scope"])
    if (parts[name] !== undefined) url.searchParams.set(name, parts[name]);
  const { body } = await get(url, {}, maxTokenBytes, options);
  try {
    const token = z.object({ token: z.string().optional(), access_token: z.string().optional() });
    const given = token.parse(JSON.parse(body.toString("utf8")));
    return given.token ?? given.access_token ?? "";
  } catch (error) {
    throw unreachable(url, "it gives no token", error);
  }
}

type Answer = { status: number; headers: IncomingMessage["headers"]; body: Buffer };

async function get(
  url: URL,
  headers: Record<string, string>,
  maxBytes: number,
  { signal, privateAddresses }: FactsOptions,
): Promise<Answer> {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  if (!privateAddresses && isIP(host) !== 0 && !isPublicAddress(host)) {
    throw unreachable(url, "its address is not public");
  }
  const send = url.protocol === "http:" ? httpRequest : httpsRequest;
  try {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const lookup = privateAddresses ? {} : { lookup: publicLookup };
      const outgoing = send(url, { headers, signal, ...lookup }, resolve);
      outgoing.once("error", reject);
      outgoing.end();
    });
    const body = await readWithin(response, maxBytes);
    return { status: response.statusCode ?? 0, headers: response.headers, body };
  } catch (error) {
    throw unreachable(url, messageOf(error), error);
  }
}

function unreachable(url: URL | string, why: string, cause?: unknown, status?: number): RetryableError {
  return new RetryableError(`The registry does not serve the manifest at ${String(url)}: ${why}.`, {
    code: "image_manifest_unreachable",
    hint: "Check that the registry is up and reachable from the market, then try again.",
    ...(status !== undefined && { details: { status } }),
    cause,
  });
}

function invalid({ host, name, digest: of }: Source, what: string, cause?: unknown): FatalError {
  return new FatalError(`What ${host} serves as ${name}@${of} ${what}.`, {
    code: "image_manifest_invalid",
    hint: "Push the image again, or name the digest of an image manifest.",
    cause,
  });
}
