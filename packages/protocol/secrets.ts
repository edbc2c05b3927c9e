import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { secretRequestTypes, sessionDomainOf } from "@ngpu/contracts-sdk/typedData";
import { type Hex, type LocalAccount, pad, recoverTypedDataAddress } from "viem";
import { z } from "zod";

/**
 * Secrets of a wallet: values that its workspaces get as environment variables or files. A workspace's configuration on the chain
 * names them; the values travel from the API to the node that has the highest lease, sealed for a key of that lease alone.
 */
export const secretLimits = {
  /** Bytes of one value. */
  value: 65_536,
  /** Secrets of one wallet. */
  perWallet: 500,
  /** Secrets that one workspace names. */
  perWorkspace: 64,
  /** Bytes of all values of one workspace. */
  workspaceBytes: 256 << 10,
};

/** Folder of the files in a container. */
export const secretsFolder = "/run/secrets";

/** A name that may be a variable of an environment. */
export const secretVariable = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, "is not a name of a variable: letters, digits and _");
/** The name of a secret; as a file it is its name in the folder. */
export const secretName = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_.-]{0,127}$/, "is not 1 to 128 of letters, digits, _ . - after a letter or _");

const distinct = (names: readonly string[]) => new Set(names).size === names.length;

/** Order of the heads of the chain: an assignment of a later one is harder to undo. */
export const secretTiers = ["unsafe", "safe", "finalized"] as const;

/** The secrets that a workspace's configuration names. */
export const workspaceSecrets = z
  .strictObject({
    /** Secrets that are variables of the environment with the same names. */
    env: z
      .array(secretVariable)
      .max(secretLimits.perWorkspace)
      .refine(distinct, "names a secret twice")
      .default([]),
    /** Secrets that are files below `secretsFolder` with the same names. */
    files: z
      .array(secretName)
      .max(secretLimits.perWorkspace)
      .refine(distinct, "names a secret twice")
      .default([]),
    /** How final a lease's assignment is before its node gets them. Default: unsafe. */
    after: z.enum(secretTiers).optional(),
    /** Counts how often the replicas were replaced to get new values. */
    revision: z
      .number()
      .int()
      .min(0)
      .max(2 ** 31 - 1)
      .optional(),
  })
  .refine(({ env, files }) => env.length + files.length > 0, "names no secret")
  .refine(
    ({ env, files }) => namesIn({ env, files }).length <= secretLimits.perWorkspace,
    `names more than ${secretLimits.perWorkspace} secrets`,
  );
export type WorkspaceSecrets = z.output<typeof workspaceSecrets>;

/** The names of a workspace's secrets, each once. */
export function namesIn({ env, files }: { env: readonly string[]; files: readonly string[] }): string[] {
  return [...new Set([...env, ...files])];
}

/** The lease that a node asks for, with the key that the values are to be sealed for. */
export type SecretRequest = {
  workspaceId: bigint;
  replica: number;
  lease: number;
  fence: Hex;
  /** X25519 public key that the node made for this request, 32 bytes. */
  key: Hex;
};

/** Why a node gets no secrets. */
export const secretRefusals = ["secret_missing", "secrets_too_large", "lease_not_current"] as const;
export type SecretRefusal = (typeof secretRefusals)[number];

const typed = (deployment: Deployment, request: SecretRequest) =>
  ({
    domain: sessionDomainOf(deployment),
    types: secretRequestTypes,
    primaryType: "SecretRequest",
    message: { ...request, workspaceId: request.workspaceId, fence: pad(request.fence, { size: 8 }) },
  }) as const;

/** Signs a request with the node's key. */
export function signSecretRequest(
  account: LocalAccount,
  deployment: Deployment,
  request: SecretRequest,
): Promise<Hex> {
  return account.signTypedData(typed(deployment, request));
}

/** The signer of a request. @throws Error when the signature has no signer. */
export function recoverSecretRequest(
  deployment: Deployment,
  request: SecretRequest,
  signature: Hex,
): Promise<Hex> {
  return recoverTypedDataAddress({ ...typed(deployment, request), signature });
}
