import { isDeepStrictEqual } from "node:util";
import { codeOf, policies } from "@ngpu/contracts-sdk/enumNames";
import { minVramMibOf } from "@ngpu/placement/gpuMemory";
import { modelsNamed } from "@ngpu/placement/gpuNames";
import { preferencesIn } from "@ngpu/placement/preferences";
import type { ExplanationRequest } from "@ngpu/protocol/placement/request";
import type { Scaling } from "@ngpu/protocol/scaling";
import { type WorkspaceConfig, workspaceConfig } from "@ngpu/protocol/workspaceConfig";
import { regionBytes, type WorkspaceSpec } from "@ngpu/protocol/workspaceSpec";
import { InputError } from "@ngpu/runtime/errors";
import { type Hex, keccak256, stringToHex } from "viem";
import type { NewWorkspace, WorkspaceUpdate } from "./schemas/newWorkspace.ts";

/**
 * Converts a publication request into the arguments of DockerContract.publish.
 *
 * @param marketNames Names of the market's GPUs, which `gpu.model` may stand for.
 * @throws InputError `expiry_in_past` when expiresAt has passed; `config_too_large`.
 */
export function publication(
  workspace: NewWorkspace,
  now: number,
  marketNames: readonly string[] = [],
): { spec: WorkspaceSpec; config: string } {
  const wantedGpu = gpuOf(workspace, marketNames);
  const placement = placementOf(workspace, wantedGpu.models);
  const [reference = "", digest = ""] = workspace.image.split("@sha256:");
  const config = configOf(workspace, reference, placement);
  const expiresAt = expiryOf(workspace, now);
  const { gpu } = workspace;
  return {
    config,
    spec: {
      image: `0x${digest}`,
      policy: codeOf(policies, workspace.policy),
      graceSeconds: workspace.graceSeconds,
      maxPricePerSecond: workspace.maxPricePerSecond,
      gpuModel: wantedGpu.models.length === 1 ? (wantedGpu.models[0] as Hex) : gpuModelBytes(undefined),
      minVramMib: wantedGpu.minVramMib,
      minComputeCapability: Math.round(Number(gpu?.minComputeCapability ?? 0) * 10),
      region: regionBytes(workspace.region ?? null),
      resources: {
        gpus: gpu?.count ?? 0,
        cpuMilli: Math.round(workspace.cpu * 1000),
        memoryMib: workspace.memoryMib,
        diskGib: workspace.diskGib,
        ports: workspace.ports.length,
      },
      expiresAt,
      configHash: keccak256(stringToHex(config)),
    },
  };
}

/** The most bytes of a configuration: it is sent in one transaction, which endpoints bound, and kept on the chain for ever. */
const mostConfigBytes = 64 << 10;

/** @throws InputError `config_too_large`. */
function bounded(config: string): string {
  const bytes = Buffer.byteLength(config);
  if (bytes <= mostConfigBytes) return config;
  throw new InputError(`Command, environment and placement have ${bytes} bytes together.`, {
    code: "config_too_large",
    hint: `Send at most ${mostConfigBytes} bytes. Put what is larger into the image.`,
    details: { bytes, mostBytes: mostConfigBytes },
  });
}

/** The configuration as it is stored on the chain. */
function configOf(
  { command, env, secrets, ports, health, maxDown, replicas }: NewWorkspace,
  image: string,
  placement: NewWorkspace["placement"],
): string {
  return bounded(
    JSON.stringify(
      workspaceConfig.parse({
        image,
        ...(command === undefined ? {} : { command }),
        env,
        ports,
        health,
        ...(maxDown === undefined ? {} : { maxDown }),
        ...(placement === undefined ? {} : { placement }),
        ...(secrets === undefined ? {} : { secrets }),
        ...scalingPart(replicas),
      }),
    ),
  );
}

/** The replicas that a workspace begins with: the contract publishes none without. */
export const firstReplicas = (replicas: number | Scaling) =>
  typeof replicas === "number" ? replicas : Math.max(1, replicas.min);

/** The most replicas that a workspace may have. */
export const mostReplicas = (replicas: number | Scaling) =>
  typeof replicas === "number" ? replicas : replicas.max;

/** The part of a configuration about the number of replicas: a fixed one is not in it. */
const scalingPart = (replicas: number | Scaling | undefined) =>
  typeof replicas === "object" ? { scaling: replicas } : {};

/** The time at which a workspace closes, in Unix seconds; 0: never. */
function expiryOf({ expiresAt }: NewWorkspace, now: number): number {
  if (expiresAt === undefined) return 0;
  const seconds = Math.floor(Date.parse(expiresAt) / 1000);
  if (seconds > now) return seconds;
  throw new InputError("expiresAt has passed.", {
    code: "expiry_in_past",
    hint: "Set expiresAt to a later time, or omit it.",
    details: { expiresAt },
  });
}

/** The accepted GPU models, none: any, and the least memory. A name that stands for no known model is taken literally. */
function gpuOf({ gpu }: NewWorkspace, marketNames: readonly string[]): { models: Hex[]; minVramMib: number } {
  const minimum = Math.max(minVramMibOf(gpu?.minVramGib ?? 0), gpu?.minVramMib ?? 0);
  if (gpu?.model === undefined) return { models: [], minVramMib: minimum };
  if (/^0x[0-9a-fA-F]{16}$/.test(gpu.model))
    return { models: [gpuModelBytes(gpu.model)], minVramMib: minimum };
  const { names, minGib } = modelsNamed(gpu.model, marketNames);
  const models = names.length === 0 ? [gpuModelBytes(gpu.model)] : names.map(gpuModelBytes);
  return { models, minVramMib: Math.max(minimum, minVramMibOf(minGib)) };
}

function placementOf({ placement }: NewWorkspace, models: Hex[]): NewWorkspace["placement"] {
  return models.length > 1 ? { ...placement, gpuModels: models } : placement;
}

/** The question to match about a publication. */
export function questionOf(spec: WorkspaceSpec, config: string, workspace: NewWorkspace): ExplanationRequest {
  return {
    image: spec.image,
    replicas: firstReplicas(workspace.replicas),
    gpuModel: /^0x0+$/.test(spec.gpuModel) ? null : (spec.gpuModel as string),
    minVramMib: spec.minVramMib,
    minComputeCapability: spec.minComputeCapability,
    region: workspace.region ?? null,
    wanted: spec.resources,
    maxPricePerSecond: spec.maxPricePerSecond.toString(),
    preferences: preferencesIn(config),
  };
}

/** Applies an update to the current spec and configuration; null when neither changes. */
export function updated(
  current: { spec: WorkspaceSpec; config: string },
  { image, replicas, maxPricePerSecond, secrets, renewSecrets, ...changes }: WorkspaceUpdate,
): { spec: WorkspaceSpec; config: string } | null {
  const [reference, digest] = image?.split("@sha256:") ?? [];
  const before = workspaceConfig.parse(JSON.parse(current.config));
  const { scaling, ...fixed } = before;
  const config = bounded(
    JSON.stringify(
      workspaceConfig.parse({
        ...fixed,
        ...changes,
        ...(replicas === undefined ? scalingPart(scaling) : scalingPart(replicas)),
        secrets: updatedSecrets(before.secrets, secrets, renewSecrets),
        ...(reference === undefined ? {} : { image: reference }),
      }),
    ),
  );
  const spec: WorkspaceSpec = {
    ...current.spec,
    ...(digest === undefined ? {} : { image: `0x${digest}` }),
    ...(maxPricePerSecond === undefined ? {} : { maxPricePerSecond }),
    configHash: keccak256(stringToHex(config)),
  };
  // maxDown defaults to 1, so naming 1 changes nothing.
  const settled = (parsed: WorkspaceConfig) => ({ ...parsed, maxDown: parsed.maxDown ?? 1 });
  const isSame =
    spec.image === current.spec.image &&
    spec.maxPricePerSecond === current.spec.maxPricePerSecond &&
    isDeepStrictEqual(settled(before), settled(workspaceConfig.parse(JSON.parse(config))));
  return isSame ? null : { spec, config };
}

/**
 * The named secrets after an update. The revision counts the updates that renew them, so that each changes the configuration.
 *
 * @throws InputError `secrets_not_named` (409) when there are none to renew.
 */
function updatedSecrets(
  before: WorkspaceConfig["secrets"],
  given: WorkspaceUpdate["secrets"],
  renew: true | undefined,
): WorkspaceConfig["secrets"] {
  const { revision = 0 } = before ?? {};
  const next =
    given === undefined ? before : given === null ? undefined : { ...given, ...revisionOf(revision) };
  if (renew === undefined) return next;
  if (next !== undefined) return { ...next, revision: revision + 1 };
  throw new InputError("The workspace names no secrets.", {
    code: "secrets_not_named",
    status: 409,
    hint: "Name them with `secrets`, as when it is published.",
  });
}

const revisionOf = (revision: number) => (revision === 0 ? {} : { revision });

/** The 8 bytes that represent a GPU model on the chain: the start of its name's hash, or the given hex; zero: any model. */
export function gpuModelBytes(model: string | undefined): Hex {
  if (model === undefined) return "0x0000000000000000";
  if (/^0x[0-9a-fA-F]{16}$/.test(model)) return model.toLowerCase() as Hex;
  return keccak256(stringToHex(model)).slice(0, 18) as Hex;
}
