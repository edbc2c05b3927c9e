import { generationOf } from "@ngpu/contracts-sdk/generations";
import { InputError } from "@ngpu/runtime/errors";
import { formatEther } from "viem";
import { authorizationBalance, refundable } from "./decide.ts";
import type { ApiDeps } from "./deps.ts";
import type { NewWorkspace } from "./schemas/newWorkspace.ts";
import { currentTime, findAccounts, listAuthorizations, listLeases } from "./store/escrow.ts";

/** Seconds that the balance must pay for at the maximum price when a workspace is published. */
const minimumTermSeconds = 60n;

/** The balance that the wallet's escrow has left to pay for leases; undefined when the authorization is not the wallet's. */
async function freeBalance(
  { db, deployment }: Pick<ApiDeps, "db" | "deployment">,
  wallet: string,
  authorizationId: string,
): Promise<bigint | undefined> {
  const generation = generationOf(deployment, "Escrow");
  const [now, accounts, authorizations, leases] = await Promise.all([
    currentTime(db),
    findAccounts(db, wallet),
    listAuthorizations(db, wallet),
    listLeases(db, wallet),
  ]);
  if (!authorizations.some(({ id }) => id === authorizationId)) return undefined;
  const account = accounts.find((one) => one.generation === generation);
  if (account === undefined) return 0n;
  const owed = authorizations
    .filter((one) => one.generation === generation)
    .map(({ id, total, expiry }) => {
      const own = leases.filter((lease) => lease.authorizationId === id);
      return authorizationBalance({ id, total, expiry, leases: own }, now).owed;
    });
  return refundable(
    account,
    owed.reduce((sum, amount) => sum + amount, 0n),
  ).refundable;
}

/** What a wallet lacks to pay for replicas for a minute at their maximum price; undefined when nothing is missing. */
export async function shortfall(
  deps: Pick<ApiDeps, "db" | "deployment">,
  wallet: string,
  authorizationId: string,
  { maxPricePerSecond, replicas }: Pick<NewWorkspace, "maxPricePerSecond" | "replicas">,
): Promise<{ available: bigint; needed: bigint; missing: bigint } | undefined> {
  const needed = maxPricePerSecond * BigInt(replicas) * minimumTermSeconds;
  const available = await freeBalance(deps, wallet, authorizationId);
  // The chain refuses the authorization of another wallet.
  if (available === undefined || available >= needed) return undefined;
  return { available, needed, missing: needed - available };
}

/**
 * Refuses a workspace that the wallet cannot pay for at its maximum price for a minute: no node would get its lease.
 *
 * @throws InputError `balance_too_low` (409) with the amount that is missing.
 */
export async function requireFunds(
  deps: Pick<ApiDeps, "db" | "deployment">,
  wallet: string,
  authorizationId: string,
  workspace: Pick<NewWorkspace, "maxPricePerSecond" | "replicas">,
): Promise<void> {
  const lacking = await shortfall(deps, wallet, authorizationId, workspace);
  if (lacking === undefined) return;
  throw new InputError(
    `The deposit is ${formatEther(lacking.missing)} NGPU short of ${minimumTermSeconds} seconds at the maximum price.`,
    {
      code: "balance_too_low",
      status: 409,
      hint: "Deposit at least the missing amount: GET /v1/deposits/typed-data, then POST /v1/deposits.",
      details: lacking,
    },
  );
}
