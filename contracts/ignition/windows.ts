import { FatalError } from "@ngpu/runtime/errors";
import type { NgpuParameters } from "./parameters.ts";

/** Ids of local chains: Hardhat's and anvil's, and geth's in developer mode. */
const localChains = new Set([31337, 1337]);

/** Whether the chain holds other people's money, so that delays must leave them time. */
function isPublic(chainId: number): boolean {
  return !localChains.has(chainId);
}

const minute = 60;
const hour = 3_600;

/** The minimum values on a public chain, in seconds. */
const shortest: Record<string, { least: number; of: (p: NgpuParameters) => number }> = {
  activationDelay: { least: 24 * hour, of: (p) => p.activationDelay },
  attestedDelay: { least: 2 * hour, of: (p) => p.attestedDelay },
  uptimeDelay: { least: hour, of: (p) => p.uptimeDelay },
  heartbeatWindowSeconds: { least: 10 * minute, of: (p) => p.heartbeatWindowSeconds },
  epochSeconds: { least: 10 * minute, of: (p) => p.epochSeconds },
  clockMarginSeconds: { least: minute, of: (p) => p.clockMarginSeconds },
  "delays.admin": { least: 24 * hour, of: (p) => p.delays.admin },
  "delays.operations": { least: 24 * hour, of: (p) => p.delays.operations },
  "delays.unpauser": { least: hour, of: (p) => p.delays.unpauser },
};

/** Errors of the parameters for a public chain; none for a local one. */
export function windowErrors(parameters: NgpuParameters, chainId: number): string[] {
  if (!isPublic(chainId)) return [];
  const short = Object.entries(shortest).flatMap(([name, { least, of }]) =>
    of(parameters) < least
      ? [`${name} is ${of(parameters)} s; a public chain needs at least ${least} s`]
      : [],
  );
  const { settlementSeconds: settlement } = parameters;
  const settlementErrors =
    settlement < parameters.heartbeatWindowSeconds
      ? [
          `settlementSeconds is ${settlement} s, below the heartbeat window of ${parameters.heartbeatWindowSeconds} s`,
        ]
      : [];
  const adminErrors =
    parameters.admin === undefined ? ["no admin is set, so the deployer would keep ADMIN"] : [];
  return [...short, ...settlementErrors, ...adminErrors];
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
