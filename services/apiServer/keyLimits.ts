import type { Database } from "@ngpu/db/pool";
import { InputError, isRetryable } from "@ngpu/runtime/errors";
import type { Partner } from "./access.ts";
import { nameReservation, releaseReservation, reserveRate, spentToday } from "./store/keySpending.ts";

/** @throws InputError `key_limited` (403) when the key has limits, which another key would not have. */
export function requireUnlimited({ ratePerMinute, spendPerDay }: Partner): void {
  if (ratePerMinute === null && spendPerDay === null) return;
  throw new InputError("A key with limits neither creates keys nor rotates others.", {
    code: "key_limited",
    status: 403,
    hint: "Use a key without limits of rate and spending, or sign in again with POST /v1/accounts.",
  });
}

/** @throws InputError `key_limited` (403) when the key has limits or an expiry, which a member would not have. */
export function requireLasting(partner: Partner): void {
  requireUnlimited(partner);
  if (partner.expiresAt === null) return;
  throw new InputError("A key that expires invites no members and changes no roles.", {
    code: "key_limited",
    status: 403,
    hint: "Use a key without an expiry, or sign in again with POST /v1/accounts.",
  });
}

/**
 * Lets a key run a task while its tasks of the day have cost less than its limit.
 *
 * @throws InputError `spend_limit_reached` (409).
 */
export async function requireBudget(db: Database, { limitKeyId, spendPerDay }: Partner): Promise<void> {
  if (spendPerDay === null) return;
  const { spent, resetsAt } = await spentToday(db, limitKeyId);
  if (spent >= spendPerDay) throw limitReached({ spendPerDay, spent, resetsAt });
}

/** The key whose spending the cost of its tasks is added to; undefined: it has no limit. */
export const budgetKeyOf = ({ limitKeyId, spendPerDay }: Partner) =>
  spendPerDay === null ? undefined : limitKeyId;

/**
 * Orders a workspace within the limit of the key.
 *
 * @param workspace Its id once it is published, and what all its replicas cost a second at their highest price.
 * @throws InputError `spend_limit_reached` (409); what `send` throws.
 */
export async function withinLimit<Result>(
  db: Database,
  { limitKeyId, spendPerDay }: Partner,
  workspace: { id: string | undefined; rate: bigint },
  send: () => Promise<Result>,
  idOf: (result: Result) => string,
): Promise<Result> {
  if (spendPerDay === null) return send();
  const order = { keyId: limitKeyId, perDay: spendPerDay, workspaceId: workspace.id, rate: workspace.rate };
  const reserved = await reserveRate(db, order);
  if ("left" in reserved) throw limitReached({ spendPerDay, left: reserved.left });
  try {
    const result = await send();
    if (workspace.id === undefined) await nameReservation(db, reserved.id, idOf(result));
    return result;
  } catch (error) {
    // A publication whose fate is not known may still be mined.
    if (!isRetryable(error)) await releaseReservation(db, reserved.id);
    throw error;
  }
}

function limitReached(details: {
  spendPerDay: bigint;
  spent?: bigint;
  left?: bigint;
  resetsAt?: Date;
}): InputError {
  const { spendPerDay, spent, left, resetsAt } = details;
  const what =
    left === undefined
      ? "The key's tasks have cost its limit of the day."
      : "A day of this workspace at its highest price costs more than the key's limit leaves.";
  return new InputError(what, {
    code: "spend_limit_reached",
    status: 409,
    hint:
      left === undefined
        ? "Wait for details.resetsAt, or use another key."
        : "Lower maxPricePerSecond or replicas, delete workspaces that this key has published, or use another key.",
    details: {
      spendPerDay: String(spendPerDay),
      ...(spent === undefined ? {} : { spent: String(spent) }),
      ...(left === undefined ? {} : { left: String(left) }),
      ...(resetsAt === undefined ? {} : { resetsAt: resetsAt.toISOString() }),
    },
  });
}
