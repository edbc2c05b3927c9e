import { type RpcClient, readHeader } from "@ngpu/chain-reader/rpc";
import type { Queryable } from "@ngpu/db/pool";
import { chooseHead } from "./decide.ts";
import { hasBlock, readHead, readTip, writeHead } from "./store.ts";

/**
 * Brings the safe and finalized heads up to what the endpoint says of them, as far as our blocks reach.
 * The endpoint is asked first, then the rows are read and written by themselves, so that no statement waits for it.
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
  await exclusively(async () => {
    for (const [tier, claimed] of Object.entries({ safe, finalized }) as [
      "safe" | "finalized",
      typeof safe,
    ][]) {
      const tipHashAtEndpoint = tipAtEndpoint?.hash ?? "";
      const chosen = chooseHead({ stored: await readHead(db, tier), claimed, tip, tipHashAtEndpoint });
      // Between the question and now a reorg may have taken the block away.
      if (chosen !== null && (await hasBlock(db, chosen))) await writeHead(db, tier, chosen);
    }
  });
}
