import type { Proven } from "@ngpu/proof/proven";
import type { Shares } from "./types.ts";

/** All of a share. */
export const whole = 255;

export const allShares: Shares = { memory: whole, bandwidth: whole, arithmetic: whole };
export const noShares: Shares = { memory: 0, bandwidth: 0, arithmetic: 0 };
export const nothing: Proven = { bytes: 0n, bytesPerSecond: 0n, operationsPerSecond: 0n };

/** The shares of a claim that a proof shows. A claim of nothing is shown by anything. */
export function sharesOf(claimed: Proven, proven: Proven): Shares {
  return {
    memory: shareOf(claimed.bytes, proven.bytes),
    bandwidth: shareOf(claimed.bytesPerSecond, proven.bytesPerSecond),
    arithmetic: shareOf(claimed.operationsPerSecond, proven.operationsPerSecond),
  };
}

/** The figures that shares of a claim prove. */
export function provenBy(claimed: Proven, shares: Shares): Proven {
  const part = (figure: bigint, share: number) => (figure * BigInt(share)) / BigInt(whole);
  return {
    bytes: part(claimed.bytes, shares.memory),
    bytesPerSecond: part(claimed.bytesPerSecond, shares.bandwidth),
    operationsPerSecond: part(claimed.operationsPerSecond, shares.arithmetic),
  };
}

/** Combines shares figure by figure. */
export function combine(given: readonly Shares[], pick: (sorted: number[]) => number): Shares {
  const of = (figure: keyof Shares) => pick(given.map((shares) => shares[figure]).sort((a, b) => a - b));
  return { memory: of("memory"), bandwidth: of("bandwidth"), arithmetic: of("arithmetic") };
}

/** Whether each share is at least the other's. */
export function isAtLeast(shares: Shares, least: Shares): boolean {
  return (
    shares.memory >= least.memory &&
    shares.bandwidth >= least.bandwidth &&
    shares.arithmetic >= least.arithmetic
  );
}

function shareOf(claimed: bigint, proven: bigint): number {
  return proven >= claimed ? whole : Number((proven * BigInt(whole)) / claimed);
}
