import type { Address } from "viem";
import type { Deployment } from "../shared/chain/deployment.ts";
import { addressesOf, addressFor, type Ids } from "../shared/chain/generations.ts";

/** A Pomc, which counts what it grants from zero, and pays the epochs from its first number up to its successor's. */
export type Book = {
  address: Address;
  /** Its place among all there were, the oldest first from 1. */
  generation: number;
  /** The last number that belongs to those before it. */
  epochsBefore: number;
  /** What it may grant for an epoch. */
  emission: bigint;
};

/** Every Pomc there was, the present one last. */
export function booksOf(deployment: Deployment): Book[] {
  const { contracts, parameters, former } = deployment;
  const replaced = former.filter((entry) => entry.contracts.Pomc !== undefined);
  return [...replaced, { contracts, parameters }].map((entry, place) => ({
    address: entry.contracts.Pomc as Address,
    generation: place + 1,
    epochsBefore: entry.parameters.before.epochs,
    emission: entry.parameters.emissionPerEpoch ?? parameters.emissionPerEpoch,
  }));
}

/** The Pomc that an epoch belongs to. */
export function bookOf(deployment: Deployment, epoch: number): Book {
  const address = addressFor(deployment, "Pomc", { epoch: BigInt(epoch) });
  return booksOf(deployment).find((book) => book.address === address) as Book;
}

/** The Pomc that takes epochs now. */
export function presentBook(deployment: Deployment): Book {
  return booksOf(deployment).at(-1) as Book;
}

/** Everything that a Pomc may have granted by an epoch of its own. */
export function scheduleUpTo({ epochsBefore, emission }: Book, epoch: number): bigint {
  return BigInt(epoch - epochsBefore) * emission;
}

/** An escrow, by its place among all there were, and the workspaces that are paid from it. */
export type EscrowBook = { generation: number; above: bigint; upTo: bigint | null };

/** The escrow that a workspace is paid from. */
export function escrowOf(deployment: Deployment, ids: Pick<Ids, "workspaceId">): EscrowBook {
  const { former, parameters } = deployment;
  const addresses = addressesOf(deployment, "Escrow");
  const place = addresses.indexOf(addressFor(deployment, "Escrow", ids));
  const begins = [...former.filter(({ contracts }) => contracts.Escrow !== undefined), { parameters }].map(
    (entry) => BigInt(entry.parameters.before.workspaces),
  );
  return { generation: place + 1, above: begins[place] ?? 0n, upTo: begins[place + 1] ?? null };
}
