import { setTimeout as delay } from "node:timers/promises";
import { proofWavesAbi } from "@ngpu/contracts-sdk/generated/abi";
import { blocksOf } from "@ngpu/waves/schedule";
import type { TestMarket } from "../../../support/chain.ts";

/** Milliseconds between two blocks. */
const pace = 1_000;

/**
 * Makes the chain's blocks, one each second. The time that they state stands still in the parts of a wave, so that their blocks are a
 * second apart: a busy machine can make up few reads in that, however long it takes. Everything else is as on any chain.
 */
export async function startMiner({ rpcUrl, client, deployment }: TestMarket): Promise<() => Promise<void>> {
  const stopped = new AbortController();
  const waves = { address: deployment.contracts.ProofWaves, abi: proofWavesAbi } as const;
  const ask = async (method: string, params: unknown[]) => {
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
    const headers = { "content-type": "application/json" };
    const response = await fetch(rpcUrl, { method: "POST", headers, body });
    const { error } = (await response.json()) as { error?: { message: string } };
    if (error !== undefined) throw new Error(`${method}: ${error.message}`);
  };
  await ask("evm_setIntervalMining", [0]);
  const mineOne = async () => {
    const last = await client.getBlock();
    const number = Number(last.number) + 1;
    const waveId = await client.readContract({ ...waves, functionName: "waveCount" });
    const fill = await client.readContract({ ...waves, functionName: "fillBlockOf", args: [waveId] });
    const parts = fill === 0 ? undefined : blocksOf(fill, deployment.parameters.waves);
    const isEnd = number === parts?.work || number === parts?.answered;
    const stands = parts !== undefined && number > parts.chase && number < parts.answered && !isEnd;
    const now = BigInt(Math.floor(Date.now() / 1_000));
    const later = now > last.timestamp ? now : last.timestamp;
    const time = isEnd ? last.timestamp + 1n : stands ? last.timestamp : later;
    await ask("evm_setNextBlockTimestamp", [Number(time)]);
    await ask("evm_mine", []);
  };
  const mining = (async () => {
    while (!stopped.signal.aborted) {
      const begun = performance.now();
      await mineOne();
      await delay(Math.max(0, pace - (performance.now() - begun)));
    }
  })();
  return async () => {
    stopped.abort();
    await mining;
    await ask("evm_setIntervalMining", [pace]);
  };
}
