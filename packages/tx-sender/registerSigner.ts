import type { ChainClient } from "@ngpu/chain-reader/client";
import type { Database } from "@ngpu/db/pool";
import { FatalError } from "@ngpu/runtime/errors";
import type { Address } from "viem";
import { ensureSigner } from "./nonceStore.ts";
import { countRebroadcastable } from "./sendStore.ts";

/**
 * Registers an account that sends transactions.
 *
 * @throws FatalError `database_chain_mismatch` if the stored nonces belong to another chain.
 */
export async function registerSigner(of: {
  pool: Database;
  client: ChainClient;
  address: Address;
}): Promise<void> {
  const { pool, client, address } = of;
  const [genesis, chainNonce] = await Promise.all([
    client.getBlock({ blockNumber: 0n }),
    client.getTransactionCount({ address, blockTag: "latest" }),
  ]);
  const signer = await ensureSigner(pool, {
    address,
    genesisHash: genesis.hash,
    chainNonce: BigInt(chainNonce),
  });
  const gap = signer.next_nonce - BigInt(chainNonce);
  const found = gap > 0n ? await countRebroadcastable(pool, address, BigInt(chainNonce)) : 0n;
  if (signer.genesis_hash !== genesis.hash || found < gap) {
    throw new FatalError(`The database contains nonces of ${address} from another chain.`, {
      code: "database_chain_mismatch",
      hint: "Use a new database, or point CHAIN_RPC_URLS to the previous chain. The current chain was restarted.",
      details: { expected: signer.genesis_hash, found: genesis.hash },
    });
  }
}
