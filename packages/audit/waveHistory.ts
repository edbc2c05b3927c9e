import type { RpcClient } from "@ngpu/chain-reader/rpc";
import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { type JudgedWave, judgedWaves } from "@ngpu/waves/history";
import { waveEvents } from "@ngpu/waves/waveLogs";
import { type BlockClock, readMarketLogs } from "./chainHistory.ts";

/** Every wave whose reveals have ended by a block, oldest first, from an RPC endpoint alone. */
export async function readJudgedWaves(
  client: RpcClient,
  deployment: Deployment,
  { upTo, clock }: { upTo: bigint; clock: BlockClock },
): Promise<JudgedWave[]> {
  const logs = await readMarketLogs(client, deployment, { events: waveEvents, upTo, clock, untimed: true });
  return judgedWaves(logs, deployment.parameters.waves, upTo);
}
