import { createHash } from "node:crypto";
import type { AbiName, Abis } from "@ngpu/contracts-sdk/abis";
import type { Queryable } from "@ngpu/db/pool";
import { InputError, NgpuError } from "@ngpu/runtime/errors";
import { toJson } from "@ngpu/runtime/json";
import { rest } from "@ngpu/runtime/loop";
import type { Sender, SendRequest } from "@ngpu/tx-sender/send";
import type { SendResult } from "@ngpu/tx-sender/sendOutcome";
import type { ContractFunctionName } from "viem";
import { refusalOf } from "./contractRefusals.ts";
import { bindIdempotencyKey } from "./store/calls.ts";

/** How long a response waits until the export shows its transaction, in milliseconds. */
/** @deadline The export of a transaction that was sent. The answer does not wait for its rows. */
const exportDeadline = 10_000;

export type Writer = {
  /**
   * Sends a call and waits until it is mined. Then waits up to ten seconds until the database shows its block, so that the partner
   * can read its own write.
   *
   * @throws InputError (409) for what the contract refuses; what Sender.send throws otherwise.
   */
  write<Name extends AbiName, Fn extends ContractFunctionName<Abis[Name], "nonpayable" | "payable">>(
    request: SendRequest<Name, Fn>,
  ): Promise<SendResult<Name>>;
  /** Waits until the transaction with this key is mined, and returns its block. Undefined: it is not mined in time. */
  settled(dedupeKey: string): Promise<bigint | undefined>;
  /** Waits up to ten seconds until the database has the block. */
  exported(block: bigint): Promise<boolean>;
};

export function createWriter(deps: { sender: Sender; db: Queryable; signal: AbortSignal }): Writer {
  return {
    exported: (block) => waitForExport(deps, block),
    settled: async (dedupeKey) => {
      try {
        return await deps.sender.settled(dedupeKey, { timeoutMs: exportDeadline });
      } catch (error) {
        if (error instanceof NgpuError && error.code === "transaction_timeout") return undefined;
        throw error;
      }
    },
    write: async (request) => {
      try {
        const result = await deps.sender.send(request);
        await waitForExport(deps, result.receipt.blockNumber);
        return result;
      } catch (error) {
        if (!(error instanceof NgpuError) || error.code !== "transaction_reverted") throw error;
        throw refusalOf(error);
      }
    },
  };
}

async function waitForExport(deps: { db: Queryable; signal: AbortSignal }, block: bigint): Promise<boolean> {
  const deadline = Date.now() + exportDeadline;
  while (!deps.signal.aborted && Date.now() < deadline) {
    const { rowCount } = await deps.db.query(
      "select from chain.head where tier = 'unsafe' and number >= $1",
      [block],
    );
    if (rowCount === 1) return true;
    await rest(100, deps.signal);
  }
  return false;
}

/**
 * Returns the key that deduplicates a request; undefined when the partner sent no Idempotency-Key.
 *
 * @throws InputError `idempotency_mismatch` (409) when the key was used for a different request.
 */
export async function dedupeKeyOf(
  db: Queryable,
  wallet: string,
  purpose: string,
  given: { key: string | undefined; body: unknown },
): Promise<string | undefined> {
  if (given.key === undefined) return undefined;
  const requestHash = createHash("sha256")
    .update(`${purpose}\n${toJson(given.body)}`)
    .digest("hex");
  if (await bindIdempotencyKey(db, wallet, given.key, requestHash)) {
    return `${purpose}:${wallet}:${given.key}`;
  }
  throw new InputError("This Idempotency-Key was used for a different request.", {
    code: "idempotency_mismatch",
    status: 409,
    hint: "Use a new key for a new request.",
  });
}
