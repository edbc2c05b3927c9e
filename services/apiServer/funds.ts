import { generationOf } from "@ngpu/contracts-sdk/generations";
import { InputError } from "@ngpu/runtime/errors";
import { formatEther } from "viem";
import { authorizationBalance, refundable } from "./decide.ts";
import type { ApiDeps } from "./deps.ts";
import { currentTime, findAccounts, listAuthorizations, listLeases } from "./store/escrow.ts";

/** The least term that the balance must pay for at the maximum price when a workspace is published, seconds. */
const minimumTermSeconds = 60;

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
  const balances = authorizations
    .filter((one) => one.generation === generation)
    .map(({ id, total, expiry }) => {
      const own = leases.filter((lease) => lease.authorizationId === id);
      return authorizationBalance({ id, total, expiry, leases: own }, now);
    });
  return refundable(
    account,
    balances.reduce((sum, { owed }) => sum + owed, 0n),
    balances.reduce((sum, { locked }) => sum + locked, 0n),
  ).refundable;
}

/** The term that a balance must pay for: what opening a lease locks, and at least a minute. */
function termSeconds({ deployment }: Pick<ApiDeps, "deployment">): number {
  return Math.max(minimumTermSeconds, deployment.parameters.minSeconds);
}

type LeasesToOpen = { maxPricePerSecond: bigint; replicas: number };

/** What a wallet lacks to open the leases of all replicas at their maximum price; undefined when nothing is missing. */
export async function shortfall(
  deps: Pick<ApiDeps, "db" | "deployment">,
  wallet: string,
  authorizationId: string,
  { maxPricePerSecond, replicas }: LeasesToOpen,
): Promise<{ available: bigint; needed: bigint; missing: bigint } | undefined> {
  const { lockFloor } = deps.deployment.parameters;
  const each = maxPricePerSecond * BigInt(termSeconds(deps));
  const needed = (each > lockFloor ? each : lockFloor) * BigInt(replicas);
  const available = await freeBalance(deps, wallet, authorizationId);
  // The chain refuses the authorization of another wallet.
  if (available === undefined || available >= needed) return undefined;
  return { available, needed, missing: needed - available };
}

/**
 * Refuses a workspace that the wallet cannot pay for at its maximum price for the least term: no node would get its lease.
 *
 * @throws InputError `balance_too_low` (409) with the amount that is missing.
 */
export async function requireFunds(
  deps: Pick<ApiDeps, "db" | "deployment">,
  wallet: string,
  authorizationId: string,
  workspace: LeasesToOpen,
): Promise<void> {
  const lacking = await shortfall(deps, wallet, authorizationId, workspace);
  if (lacking === undefined) return;
  throw new InputError(
    `The deposit is ${formatEther(lacking.missing)} NGPU short of ${termSeconds(deps)} seconds at the maximum price.`,
    {
      code: "balance_too_low",
      status: 409,
      hint: "Deposit at least the missing amount: GET /v1/deposits/typed-data, then POST /v1/deposits.",
      details: lacking,
    },
  );
}
