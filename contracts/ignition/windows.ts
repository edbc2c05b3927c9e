import { FatalError } from "@ngpu/runtime/errors";
import type { NgpuParameters } from "./parameters.ts";

/** Chains that live on one machine: Hardhat's and anvil's, and geth's in developer mode. */
const localChains = new Set([31337, 1337]);

/** Where strangers' money is, and delays must leave people time. */
function isPublic(chainId: number): boolean {
  return !localChains.has(chainId);
}

const minute = 60;
const hour = 3_600;

/** The shortest times that leave people time to act, in seconds. */
const shortest: Record<string, { least: number; of: (p: NgpuParameters) => number }> = {
  activationDelay: { least: hour, of: (p) => p.activationDelay },
  uptimeDelay: { least: hour, of: (p) => p.uptimeDelay },
  heartbeatWindowSeconds: { least: 10 * minute, of: (p) => p.heartbeatWindowSeconds },
  epochSeconds: { least: 10 * minute, of: (p) => p.epochSeconds },
  clockMarginSeconds: { least: minute, of: (p) => p.clockMarginSeconds },
  "delays.admin": { least: 24 * hour, of: (p) => p.delays.admin },
  "delays.operations": { least: 10 * minute, of: (p) => p.delays.operations },
  "delays.unpauser": { least: hour, of: (p) => p.delays.unpauser },
};

/** What of the parameters no public chain may have; nothing on a chain of one machine. */
export function windowErrors(parameters: NgpuParameters, chainId: number): string[] {
  if (!isPublic(chainId)) return [];
  const short = Object.entries(shortest).flatMap(([name, { least, of }]) =>
    of(parameters) < least
      ? [`${name} is ${of(parameters)} s; a public chain needs at least ${least} s`]
      : [],
  );
  const heads = parameters.admin === undefined ? ["no admin is set, so the deployer would keep ADMIN"] : [];
  return [...short, ...heads];
}

/** @throws FatalError `windows_too_short` */
export function requireWindows(parameters: NgpuParameters, chainId: number): void {
  const errors = windowErrors(parameters, chainId);
  if (errors.length === 0) return;
  throw new FatalError(`Chain ${chainId} is public, and ${errors.join("; ")}.`, {
    code: "windows_too_short",
    hint: "Change the parameters; nothing was sent.",
  });
}
