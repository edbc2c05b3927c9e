import { codeOf, policies } from "@ngpu/contracts-sdk/enumNames";
import type { ExplanationRequest } from "@ngpu/protocol/placement/request";
import { workspaceConfig } from "@ngpu/protocol/workspaceConfig";
import { regionBytes, type WorkspaceSpec } from "@ngpu/protocol/workspaceSpec";
import { InputError } from "@ngpu/runtime/errors";
import { type Hex, keccak256, stringToHex } from "viem";
import type { NewWorkspace, WorkspaceUpdate } from "./schemas/workspaces.ts";

/**
 * Converts a publication request into the arguments of DockerContract.publish.
 *
 * @throws InputError `expired` when expiresAt has passed.
 */
export function publication(workspace: NewWorkspace, now: number): { spec: WorkspaceSpec; config: string } {
  const [reference = "", digest = ""] = workspace.image.split("@sha256:");
  const config = JSON.stringify(
    workspaceConfig.parse({
      image: reference,
      ...(workspace.command === undefined ? {} : { command: workspace.command }),
      env: workspace.env,
      ports: workspace.ports,
      health: workspace.health,
      ...(workspace.maxDown === undefined ? {} : { maxDown: workspace.maxDown }),
      ...(workspace.placement === undefined ? {} : { placement: workspace.placement }),
    }),
  );
  const expiresAt =
    workspace.expiresAt === undefined ? 0 : Math.floor(Date.parse(workspace.expiresAt) / 1000);
  if (expiresAt !== 0 && expiresAt <= now) {
    throw new InputError("expiresAt has passed.", {
      code: "expired",
      details: { expiresAt: workspace.expiresAt },
    });
  }
  const { gpu } = workspace;
  return {
    config,
    spec: {
      image: `0x${digest}`,
      policy: codeOf(policies, workspace.policy),
      graceSeconds: workspace.graceSeconds,
      maxPricePerSecond: workspace.maxPricePerSecond,
      gpuModel: gpuModelBytes(gpu?.model),
      minVramMib: Math.round((gpu?.minVramGib ?? 0) * 1024),
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

/** The question to match about a publication. */
export function questionOf(spec: WorkspaceSpec, workspace: NewWorkspace): ExplanationRequest {
  return {
    image: spec.image,
    replicas: workspace.replicas,
    gpuModel: /^0x0+$/.test(spec.gpuModel) ? null : (spec.gpuModel as string),
    minVramMib: spec.minVramMib,
    minComputeCapability: spec.minComputeCapability,
    region: workspace.region ?? null,
    wanted: spec.resources,
    maxPricePerSecond: spec.maxPricePerSecond.toString(),
    preferences: workspace.placement ?? {},
  };
}

/** Applies an update to the current spec and configuration; null when neither changes. */
export function updated(
  current: { spec: WorkspaceSpec; config: string },
  { image, replicas: _replicas, maxPricePerSecond, ...changes }: WorkspaceUpdate,
): { spec: WorkspaceSpec; config: string } | null {
  const [reference, digest] = image?.split("@sha256:") ?? [];
  const before = workspaceConfig.parse(JSON.parse(current.config));
  const config = JSON.stringify(
    workspaceConfig.parse({
      ...before,
      ...changes,
      ...(reference === undefined ? {} : { image: reference }),
    }),
  );
  const spec: WorkspaceSpec = {
    ...current.spec,
    ...(digest === undefined ? {} : { image: `0x${digest}` }),
    ...(maxPricePerSecond === undefined ? {} : { maxPricePerSecond }),
    configHash: keccak256(stringToHex(config)),
  };
  const isSame =
    spec.image === current.spec.image &&
    spec.maxPricePerSecond === current.spec.maxPricePerSecond &&
    JSON.stringify(before) === config;
  return isSame ? null : { spec, config };
}

/** The 8 bytes that represent a GPU model on the chain: the start of its name's hash, or the given hex; zero: any model. */
export function gpuModelBytes(model: string | undefined): Hex {
  if (model === undefined) return "0x0000000000000000";
  if (/^0x[0-9a-fA-F]{16}$/.test(model)) return model.toLowerCase() as Hex;
  return keccak256(stringToHex(model)).slice(0, 18) as Hex;
}
