import type { BlockRef } from "@ngpu/chain-reader/reconcile";
import { requireSameChain } from "@ngpu/chain-reader/requireSameChain";
import { type RpcClient, readHeader } from "@ngpu/chain-reader/rpc";
import type { Queryable } from "@ngpu/db/pool";
import { chooseHead } from "./decide.ts";
import { hasBlock, readHead, readTip, writeHead } from "./store.ts";

type FinalTier = "safe" | "finalized";

/**
 * Advances the stored safe and finalized heads to those of the endpoint, up to the last stored block. The writing connection is
 * not held during requests to the endpoint.
 *
 * @param exclusively Runs work on the writing connection while no block is being stored.
 */
export async function followHeads(
  client: RpcClient,
  db: Queryable,
  exclusively: <Result>(work: () => Promise<Result>) => Promise<Result>,
): Promise<void> {
  const [safe, finalized] = await Promise.all([readHeader(client, "safe"), readHeader(client, "finalized")]);
  const tip = await exclusively(() => readTip(db));
  if (tip === undefined) return;
  const tipAtEndpoint = tip.number < safe.number ? await readHeader(client, tip.number) : undefined;
  const tipHashAtEndpoint = tipAtEndpoint?.hash ?? "";
  const choose = async (tier: FinalTier, claimed: BlockRef) =>
    chooseHead({ stored: await readHead(db, tier), claimed, tip, tipHashAtEndpoint });
  const claims = Object.entries({ safe, finalized }) as [FinalTier, BlockRef][];
  const moves = await exclusively(async () => {
    const chosen: unknown[] = [];
    for (const [tier, claimed] of claims) chosen.push(await choose(tier, claimed));
    return chosen.some((one) => one !== null);
  });
  if (!moves) return;
  // A fork of the chain has its older blocks, and says by itself which are final.
  await requireSameChain(client);
  await exclusively(async () => {
    for (const [tier, claimed] of claims) {
      const chosen = await choose(tier, claimed);
      // A reorg may have removed the block since the tip was read.
      if (chosen !== null && (await hasBlock(db, chosen))) await writeHead(db, tier, chosen);
    }
  });
}
