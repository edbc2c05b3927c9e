import { existsSync } from "node:fs";
import { InputError, messageOf } from "@ngpu/runtime/errors";
import { parse } from "yaml";
import { readText } from "../shared/files.ts";
import { parsePrice } from "../shared/units.ts";
import { environmentOf } from "./environment.ts";
import { replicasOf } from "./replicas.ts";

export type ManifestOptions = {
  name?: string;
  image?: string;
  port?: string[];
  command?: string[];
  env?: string[];
  secret?: string[];
  secretFile?: string[];
  health?: string;
  replicas?: string;
  gpus?: number;
  gpuModel?: string;
  vramGib?: string;
  cpu?: string;
  memoryMib?: string;
  diskGib?: string;
  region?: string;
  maxPrice?: string;
  policy?: string;
  strategy?: string;
  expires?: string;
  waitForNodes?: boolean;
};

/** A body of POST /v1/workspaces. The API validates it. */
export type Manifest = Record<string, unknown>;

const standardFile = "ngpu.yaml";
const defaults = { ports: [8080], cpu: 1, memoryMib: 1024, diskGib: 1 };

/**
 * The workspace to publish: the template's fields, the file's instead, then those of options, and defaults for ports, CPU, memory and
 * disk. In a file
 * `maxPrice` may have the same text as the option.
 *
 * @throws InputError `manifest_invalid`, `manifest_incomplete`, `file_unreadable` and those of the options.
 */
export function manifestOf(
  file: string | undefined,
  options: ManifestOptions,
  template: Manifest = {},
): Manifest {
  const path = file ?? (existsSync(standardFile) ? standardFile : undefined);
  const { maxPrice, ...given } = path === undefined ? {} : readManifest(path);
  const priced = maxPrice === undefined ? {} : { maxPricePerSecond: parsePrice(String(maxPrice)) };
  const manifest = merged({ ...defaults, ...template, ...given, ...priced }, fieldsOf(options));
  for (const [field, flag] of [
    ["image", "--image"],
    ["maxPricePerSecond", "--max-price"],
  ] as const) {
    if (manifest[field] !== undefined) continue;
    throw new InputError(`The workspace has no ${field}.`, {
      code: "manifest_incomplete",
      hint: `Pass ${flag}, or write it into ${path ?? standardFile}. ngpu market gpus shows prices.`,
    });
  }
  return manifest;
}

function readManifest(path: string): Manifest {
  let value: unknown;
  try {
    value = parse(readText(path));
  } catch (cause) {
    if (cause instanceof InputError) throw cause;
    throw new InputError(`${path} is not YAML: ${messageOf(cause)}`, {
      code: "manifest_invalid",
      hint: "It must hold fields of POST /v1/workspaces.",
      cause,
    });
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Manifest;
  throw new InputError(`${path} does not hold fields.`, {
    code: "manifest_invalid",
    hint: "It must hold fields of POST /v1/workspaces.",
  });
}

function fieldsOf(options: ManifestOptions): Manifest {
  const number = (text: string | undefined) => (text === undefined ? undefined : Number(text));
  return {
    name: options.name,
    image: options.image,
    command: options.command,
    health: options.health,
    ports: options.port?.map(Number),
    env: options.env === undefined ? undefined : environmentOf(options.env),
    secrets: { env: options.secret, files: options.secretFile },
    replicas: options.replicas === undefined ? undefined : replicasOf(options.replicas, {}),
    gpu: { model: options.gpuModel, count: options.gpus, minVramGib: number(options.vramGib) },
    cpu: number(options.cpu),
    memoryMib: number(options.memoryMib),
    diskGib: number(options.diskGib),
    region: options.region,
    policy: options.policy,
    expiresAt: options.expires,
    maxPricePerSecond: options.maxPrice === undefined ? undefined : parsePrice(options.maxPrice),
    placement: { strategy: options.strategy },
    waitForNodes: options.waitForNodes,
  };
}

/** Fields over others: objects are merged, undefined fields and objects without a field are left out. */
function merged(base: Manifest, over: Manifest): Manifest {
  const result = { ...base };
  for (const [field, value] of Object.entries(over)) {
    if (value === undefined) continue;
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    if (!isObject || field === "env") result[field] = value;
    else {
      const inner = merged((base[field] ?? {}) as Manifest, value as Manifest);
      if (Object.keys(inner).length > 0) result[field] = inner;
    }
  }
  return result;
}
