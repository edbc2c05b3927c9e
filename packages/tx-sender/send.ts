import type { ChainClient } from "@ngpu/chain-reader/client";
import { type AbiName, type Abis, abis } from "@ngpu/contracts-sdk/abis";
import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import type { Database } from "@ngpu/db/pool";
import { translateDatabaseError } from "@ngpu/db/pool";
import { FatalError } from "@ngpu/runtime/errors";
import type { Logger } from "@ngpu/runtime/logger";
import {
  type Abi,
  type Address,
  type ContractFunctionArgs,
  type ContractFunctionName,
  encodeFunctionData,
  type Hex,
  keccak256,
  type LocalAccount,
} from "viem";
import { createGasOracle, type GasOracle } from "./gas.ts";
import { allocate } from "./nonceStore.ts";
import { registerSigner } from "./registerSigner.ts";
import { explainRevert, refusalError } from "./revertReason.ts";
import { outcomeOf, type SendResult } from "./sendOutcome.ts";
import * as store from "./sendStore.ts";
import { createTracker, type Tracker } from "./sendTracker.ts";

type Writes = "nonpayable" | "payable";

/**
 * The most bytes of a call. Endpoints simulate longer ones, but take no transaction above 128 KiB into their pool: it would hold up
 * every later one of its account.
 */
export const mostCallBytes = (128 << 10) - 1_024;

export type SendRequest<Name extends AbiName, Fn extends ContractFunctionName<Abis[Name], Writes>> = {
  /** Purpose of the transaction, for logs and app.transaction: `relay.report`. */
  kind: string;
  contract: Name;
  /** Address of the contract. Default: its current address in the deployment. */
  at?: Address;
  functionName: Fn;
  args: ContractFunctionArgs<Abis[Name], Writes, Fn>;
  /** A repeated send with the same key returns the outcome of the first one, across processes and crashes. */
  dedupeKey?: string;
  /** Milliseconds to wait for the transaction receipt; afterwards the transaction stays pending. Default 120,000. */
  timeoutMs?: number;
};

export type Sender = {
  address: Address;
  /**
   * Simulates, signs, stores and broadcasts a transaction, and waits for its receipt. Sends may be concurrent: a nonce
   * is allocated when the transaction is stored, and no send waits for the receipt of another.
   *
   * @throws FatalError `transaction_reverted` (details.error, details.args: the decoded custom error), `signer_unfunded`,
   *   `transaction_too_large`
   * @throws RetryableError `transaction_timeout` (no receipt in time; it may still be mined), `nonce_used`, `chain_unreachable`
   */
  send<Name extends AbiName, Fn extends ContractFunctionName<Abis[Name], Writes>>(
    request: SendRequest<Name, Fn>,
  ): Promise<SendResult<Name>>;
  /**
   * Waits until the transaction that was stored under a dedupe key is mined, also one that another account sent.
   *
   * @returns Its block; undefined when no transaction has the key.
   * @throws RetryableError `transaction_timeout`, `nonce_used`, `chain_unreachable`
   */
  settled(dedupeKey: string, options?: { timeoutMs?: number }): Promise<bigint | undefined>;
};

export type SenderOptions = {
  pool: Database;
  client: ChainClient;
  account: LocalAccount;
  deployment: Deployment;
  logger: Logger;
  signal: AbortSignal;
  /** Milliseconds between polls while a send waits for its receipt. Default 500. */
  pollMs?: number;
};

/**
 * Opens an account for sending. Several processes may send from the same account: nonces are allocated in Postgres.
 * Pending transactions of an earlier run are broadcast again and followed until they are final.
 *
 * @throws FatalError `database_chain_mismatch` if the stored nonces belong to another chain.
 */
export async function createSender(options: SenderOptions): Promise<Sender> {
  const { client, account } = options;
  const address = account.address.toLowerCase() as Address;
  await registerSigner({ pool: options.pool, client, address });
  const gasOracle = createGasOracle({ client, address });
  const sign = signerOf(options);
  const tracker = createTracker({ ...options, address, sign, gasOracle });
  await tracker.resume();
  const parts: SenderParts = { ...options, address, gasOracle, sign, tracker };
  // Callers see the typed signature. Internally a contract chosen at run time has the general ABI.
  const send = (request: AnyRequest) => sendOne(parts, request);
  return { address, send: send as unknown as Sender["send"], settled: settledIn(parts) };
}

type SenderParts = SenderOptions & {
  address: Address;
  gasOracle: GasOracle;
  sign: (unsigned: store.Unsigned) => Promise<store.Signed>;
  tracker: Tracker;
};

function signerOf({ account, deployment }: SenderOptions): SenderParts["sign"] {
  return async (unsigned) => {
    const raw = await account.signTransaction({
      type: "eip1559",
      chainId: deployment.chainId,
      nonce: Number(unsigned.nonce),
      to: unsigned.to,
      data: unsigned.data,
      gas: unsigned.gas,
      maxFeePerGas: unsigned.maxFee,
      maxPriorityFeePerGas: unsigned.maxPriorityFee,
    });
    return { raw, hash: keccak256(raw) };
  };
}

/** @deadline A transaction to be mined. The caller gets `transaction_timeout`; the transaction is sent again until it is mined. */
const minedDeadline = 120_000;

function settledIn({ pool, tracker }: SenderParts): Sender["settled"] {
  return async (dedupeKey, { timeoutMs = minedDeadline } = {}) => {
    try {
      const row = await store.byKey(pool, dedupeKey);
      return row === undefined ? undefined : (await tracker.wait(row, timeoutMs)).receipt.blockNumber;
    } catch (error) {
      throw translateDatabaseError(error);
    }
  };
}

async function sendOne(parts: SenderParts, request: AnyRequest): Promise<SendResult<AbiName>> {
  const { client, address, deployment, tracker } = parts;
  try {
    const row = await storeRequest(parts, request);
    const { hash, receipt } = await tracker.wait(row, request.timeoutMs ?? minedDeadline);
    if (receipt.status === "reverted") {
      throw refusalError(request.kind, await explainRevert(client, address, row, receipt), { hash });
    }
    const at = request.at ?? deployment.contracts[request.contract];
    return outcomeOf(request.contract, at, receipt);
  } catch (error) {
    throw translateDatabaseError(error);
  }
}

/** Stores and broadcasts the transaction of a request, unless one with its dedupe key is stored. */
async function storeRequest(parts: SenderParts, request: AnyRequest): Promise<store.StoredTransaction> {
  const { pool, deployment, gasOracle, address, sign, tracker } = parts;
  const first = await store.byKey(pool, request.dedupeKey);
  if (first !== undefined) return first;
  const to = request.at ?? deployment.contracts[request.contract];
  const data = encodeFunctionData({
    abi: abis[request.contract] as Abi,
    functionName: request.functionName,
    args: request.args,
  });
  requireSendable(request.kind, data);
  const call = await gasOracle.quote({ to, data, kind: request.kind });
  const { row, isNew } = await allocate(
    pool,
    {
      signer: address,
      kind: request.kind,
      dedupeKey: request.dedupeKey,
      block: call.block,
      unsigned: { to, data, ...call.fees },
    },
    sign,
  );
  if (isNew) await tracker.broadcast(row);
  return row;
}

function requireSendable(kind: string, data: Hex): void {
  const bytes = (data.length - 2) / 2;
  if (bytes <= mostCallBytes) return;
  throw new FatalError(`The transaction ${kind} has ${bytes} bytes, more than the chain's endpoints take.`, {
    code: "transaction_too_large",
    hint: "Send less in one transaction.",
    details: { bytes, mostBytes: mostCallBytes },
  });
}

type AnyRequest = Pick<
  SendRequest<AbiName, never>,
  "kind" | "contract" | "at" | "dedupeKey" | "timeoutMs"
> & {
  functionName: string;
  args: readonly unknown[];
};
