import { createHash } from "node:crypto";
import type { AbiName, Abis } from "@ngpu/contracts-sdk/abis";
import type { Queryable } from "@ngpu/db/pool";
import { InputError, NgpuError } from "@ngpu/runtime/errors";
import { toJson } from "@ngpu/runtime/json";
import { rest } from "@ngpu/runtime/loop";
import type { Sender, SendRequest, SendResult } from "@ngpu/tx-sender/send";
import type { ContractFunctionName } from "viem";
import { bindIdempotencyKey } from "./store/calls.ts";

/** How long an answer waits for what it wrote to be readable, in milliseconds. */
const landDeadline = 10_000;

export type Writer = {
  /**
   * Sends a call, waits until it is mined, and until schema chain shows that block (for a while: a partner that reads what it just
   * wrote should find it).
   *
   * @throws InputError `chain_refused` (409) with the contract's reason; what Sender.send throws otherwise.
   */
  write<Name extends AbiName, Fn extends ContractFunctionName<Abis[Name], "nonpayable" | "payable">>(
    request: SendRequest<Name, Fn>,
  ): Promise<SendResult<Name>>;
};

export function createWriter(deps: { sender: Sender; db: Queryable; signal: AbortSignal }): Writer {
  return {
    write: async (request) => {
      try {
        const result = await deps.sender.send(request);
        await untilLanded(deps, result.receipt.blockNumber);
        return result;
      } catch (error) {
        if (!(error instanceof NgpuError) || error.code !== "chain_refused") throw error;
        throw new InputError(error.message, {
          code: "chain_refused",
          status: 409,
          hint: "details.error holds the contract's error.",
          details: error.details,
          cause: error,
        });
      }
    },
  };
}

async function untilLanded(deps: { db: Queryable; signal: AbortSignal }, block: bigint): Promise<void> {
  const deadline = Date.now() + landDeadline;
  while (!deps.signal.aborted && Date.now() < deadline) {
    const { rowCount } = await deps.db.query(
      "select from chain.head where tier = 'unsafe' and number >= $1",
      [block],
    );
    if (rowCount === 1) return;
    await rest(100, deps.signal);
  }
}

/**
 * What makes a repeat of a request the same one; undefined when the partner sent no Idempotency-Key.
 *
 * @throws InputError `idempotency_mismatch` (409) when the key was used for another request.
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
  throw new InputError("This Idempotency-Key was used for another request.", {
    code: "idempotency_mismatch",
    status: 409,
    hint: "Use a new key for a new request.",
  });
}
