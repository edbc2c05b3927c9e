import type { Hex, TransactionReceipt, TypedData, TypedDataDomain } from "viem";
import type { PrivateKeyAccount } from "viem/accounts";
import type { loadPartner } from "./workspaces.ts";

export type Fields = Record<string, unknown>;

/** A signed message for a contract, and the call that submits it. */
export type Signed = {
  signer: PrivateKeyAccount;
  domain: TypedDataDomain;
  types: TypedData;
  primaryType: string;
  message: Fields;
  /** Another one that the same signer may sign too, or another signer's where each signs one. */
  second: { signer: PrivateKeyAccount; message: Fields };
  /** The error of a repeat. */
  repeated: string;
  /** The field with the last time at which it is valid; some have none. */
  deadline: "deadline" | "expiry" | undefined;
  /** True when a message after a later one of its kind is refused. */
  isSequence?: true;
  send: (message: Fields, signature: Hex, account: Hex) => Promise<TransactionReceipt>;
};

export type Market = Awaited<ReturnType<typeof loadPartner>>;
