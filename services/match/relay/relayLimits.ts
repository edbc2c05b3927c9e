import type { RelayKind } from "@ngpu/protocol/relayKinds";

/** Seconds in which messages of one subject are counted. */
export const relayWindow = 3_600;

/**
 * Messages of a kind that are relayed in the window for one subject: a lease, or else the signer. The market pays the gas of each. A
 * client that reports what happens stays far below; one that changes its mind all the time pays its own gas, since anyone may relay.
 */
export const relayLimits: Readonly<Record<RelayKind, number>> = {
  register: 20,
  updateSpec: 120,
  setStatus: 120,
  setWallet: 20,
  setKey: 20,
  acceptNode: 200,
  registerMeasurer: 20,
  report: 240,
  progress: 60,
  reveal: 2_000,
  dispute: 2_000,
  claimHardware: 20,
  postWave: 200,
};

/** The fields by which messages of a signer are counted apart: those of a lease. */
export const leaseOf = (message: unknown): { workspaceId: string; replica: number; lease: number } | null => {
  const { workspaceId, replica, lease } = message as Record<string, bigint | number | undefined>;
  if (workspaceId === undefined || replica === undefined || lease === undefined) return null;
  return { workspaceId: String(workspaceId), replica: Number(replica), lease: Number(lease) };
};

/** The reason of a refusal. */
export const relayExcess = (kind: RelayKind) =>
  `RelayLimitExceeded(kind ${kind}, limit ${relayLimits[kind]}, seconds ${relayWindow})`;
